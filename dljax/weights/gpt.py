"""GPT-2 as in transformers' GPT2LMHeadModel. Its "Conv1D" keeps kernels [in, out], as flax does."""

from typing import Any

from dljax.weights.layers import embed, norm
from dljax.weights.mapping import Entry


def entries(model: Any) -> list[Entry]:
    """The map for a GPT; the head is the embedding again, and the causal masks are no weights."""
    out = [*embed("wte", "transformer.wte"), *embed("wpe", "transformer.wpe")]
    out += norm("ln_f", "transformer.ln_f", model.bias)
    out.append(Entry("", "lm_head.weight"))
    for i in range(model.layers):
        here, there = f"h_{i}", f"transformer.h.{i}"
        for name in ("ln_1", "ln_2"):
            out += norm(f"{here}/{name}", f"{there}.{name}", model.bias)
        for name in ("attn/c_attn", "attn/c_proj", "mlp/c_fc", "mlp/c_proj"):
            dense = f"{there}.{name.replace('/', '.')}"
            out.append(Entry(f"params/{here}/{name}/kernel", f"{dense}.weight"))
            if model.bias:
                out.append(Entry(f"params/{here}/{name}/bias", f"{dense}.bias"))
        out += [Entry("", f"{there}.attn.{mask}") for mask in ("bias", "masked_bias")]
    return out
