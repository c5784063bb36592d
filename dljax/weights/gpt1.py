"""GPT as in transformers' OpenAIGPTLMHeadModel. Its "Conv1D" keeps kernels [in, out], as flax does."""

from typing import Any

from dljax.weights.layers import embed, norm
from dljax.weights.mapping import Entry


def entries(model: Any) -> list[Entry]:
    """The map for a GPT1; the head is the embedding again, and the causal masks are no weights."""
    out = embed("tokens", "transformer.tokens_embed")
    out += embed("positions", "transformer.positions_embed")
    out += [Entry("", "lm_head.weight"), Entry("", "transformer.position_ids")]
    for i in range(model.layers):
        here, there = f"h_{i}", f"transformer.h.{i}"
        for name in ("ln_1", "ln_2"):
            out += norm(f"{here}/{name}", f"{there}.{name}")
        for ours, theirs in (
            ("attn/c_attn", "attn.c_attn"),
            ("attn/c_proj", "attn.c_proj"),
            ("c_fc", "mlp.c_fc"),
            ("c_proj", "mlp.c_proj"),
        ):
            out.append(Entry(f"params/{here}/{ours}/kernel", f"{there}.{theirs}.weight"))
            out.append(Entry(f"params/{here}/{ours}/bias", f"{there}.{theirs}.bias"))
        out.append(Entry("", f"{there}.attn.bias"))
    return out
