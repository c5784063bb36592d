"""DDPM's U-Net as in diffusers' UNet2DModel (google/ddpm-cifar10-32 and its kin)."""

from dljax.weights.mapping import Entry

_CONV = (2, 3, 1, 0)  # [out, in, h, w] there
_DENSE = (1, 0)


def _with_bias(here: str, there: str, axes: tuple[int, ...] | None) -> list[Entry]:
    leaf = "scale" if axes is None else "kernel"
    return [
        Entry(f"{here}/{leaf}", f"{there}.weight", axes),
        Entry(f"{here}/bias", f"{there}.bias"),
    ]


def _residual(here: str, there: str, shortcut: bool) -> list[Entry]:
    out = _with_bias(f"{here}/norm1", f"{there}.norm1", None)
    out += _with_bias(f"{here}/conv1", f"{there}.conv1", _CONV)
    out += _with_bias(f"{here}/time", f"{there}.time_emb_proj", _DENSE)
    out += _with_bias(f"{here}/norm2", f"{there}.norm2", None)
    out += _with_bias(f"{here}/conv2", f"{there}.conv2", _CONV)
    return out + (
        _with_bias(f"{here}/shortcut", f"{there}.conv_shortcut", _CONV) if shortcut else []
    )


def _attention(here: str, there: str) -> list[Entry]:
    out = _with_bias(f"{here}_attention/norm", f"{there}.group_norm", None)
    names = {"query": "to_q", "key": "to_k", "value": "to_v", "output": "to_out.0"}
    for ours, theirs in names.items():
        out += _with_bias(f"{here}_attention/{ours}", f"{there}.{theirs}", _DENSE)
    return out


def entries(widths: tuple[int, ...], layers: int, attention: tuple[int, ...]) -> list[Entry]:
    """The map for a network of these arguments; levels count from the top, theirs upward from below."""
    out = _with_bias("input", "conv_in", _CONV)
    for i in (1, 2):
        out += _with_bias(f"time{i}", f"time_embedding.linear_{i}", _DENSE)
    last = len(widths) - 1
    for level, width in enumerate(widths):
        there = f"down_blocks.{level}"
        for layer in range(layers):
            here = f"down{level}_{layer}"
            grows = layer == 0 and level > 0 and widths[level - 1] != width
            out += _residual(here, f"{there}.resnets.{layer}", grows)
            if level in attention:
                out += _attention(here, f"{there}.attentions.{layer}")
        if level < last:
            out += _with_bias(f"down{level}", f"{there}.downsamplers.0.conv", _CONV)
    for i in (0, 1):
        out += _residual(f"middle_{i}", f"mid_block.resnets.{i}", False)
    out += _attention("middle_0", "mid_block.attentions.0")
    for level in range(len(widths)):
        there = f"up_blocks.{last - level}"
        for layer in range(layers + 1):
            here = f"up{level}_{layer}"
            out += _residual(here, f"{there}.resnets.{layer}", True)  # after a concatenation
            if level in attention:
                out += _attention(here, f"{there}.attentions.{layer}")
        if level:
            out += _with_bias(f"up{level}", f"{there}.upsamplers.0.conv", _CONV)
    out += _with_bias("norm", "conv_norm_out", None)
    return out + _with_bias("output", "conv_out", _CONV)
