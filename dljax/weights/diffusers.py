"""Entries of diffusers' blocks: ``here`` a module's path, ``there`` its name."""

from dljax.weights.layers import conv, dense, norm
from dljax.weights.mapping import Entry

_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "output": "to_out.0"}


def residual(here: str, there: str, shortcut: bool) -> list[Entry]:
    """ResnetBlock2D, apart from what it is told of the time."""
    out = norm(f"{here}/norm1", f"{there}.norm1") + conv(f"{here}/conv1", f"{there}.conv1")
    out += norm(f"{here}/norm2", f"{there}.norm2") + conv(f"{here}/conv2", f"{there}.conv2")
    return out + (conv(f"{here}/shortcut", f"{there}.conv_shortcut") if shortcut else [])


def timed_residual(here: str, there: str, shortcut: bool) -> list[Entry]:
    """ResnetBlock2D."""
    return residual(here, there, shortcut) + dense(f"{here}/time", f"{there}.time_emb_proj")


def attention(here: str, there: str, bias: bool = True) -> list[Entry]:
    """Attention; ``bias`` is that of queries, keys and values."""
    return [
        entry
        for ours, theirs in _ATTENTION.items()
        for entry in dense(f"{here}/{ours}", f"{there}.{theirs}", bias or ours == "output")
    ]


def image_attention(here: str, there: str) -> list[Entry]:
    """Attention with a GroupNorm of its own."""
    return norm(f"{here}/norm", f"{there}.group_norm") + attention(here, there)
