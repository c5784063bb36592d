"""GPT-2 as in transformers' GPT2LMHeadModel. Its "Conv1D" keeps kernels [in, out], as flax does."""

from dljax.weights.mapping import Entry


def entries(layers: int) -> list[Entry]:
    """The map for ``layers`` blocks; the head is the embedding and has no entry of its own."""
    out = [
        Entry("wte/embedding", "transformer.wte.weight"),
        Entry("wpe/embedding", "transformer.wpe.weight"),
        Entry("ln_f/scale", "transformer.ln_f.weight"),
        Entry("ln_f/bias", "transformer.ln_f.bias"),
    ]
    for i in range(layers):
        for norm in ("ln_1", "ln_2"):
            out.append(Entry(f"h_{i}/{norm}/scale", f"transformer.h.{i}.{norm}.weight"))
            out.append(Entry(f"h_{i}/{norm}/bias", f"transformer.h.{i}.{norm}.bias"))
        for dense in ("attn/c_attn", "attn/c_proj", "mlp/c_fc", "mlp/c_proj"):
            there = f"transformer.h.{i}.{dense.replace('/', '.')}"
            out.append(Entry(f"h_{i}/{dense}/kernel", f"{there}.weight"))
            out.append(Entry(f"h_{i}/{dense}/bias", f"{there}.bias"))
    return out
