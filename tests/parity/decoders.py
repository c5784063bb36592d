"""Outputs of transformers' Llama and OpenAI GPT on the recipe's weights, with padding and as texts, and of a
Llama in Meta's order of rows, whose rotation is a product of complex numbers.

python tests/parity/decoders.py      (needs torch and transformers)
"""

from pathlib import Path

import numpy as np
import torch
from cases import AFTER, GPT1, LLAMA, NUCLEI, PADDING, scores, tokens
from recipe import weights
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    OpenAIGPTConfig,
    OpenAIGPTLMHeadModel,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

GOLDEN = Path(__file__).parent / "golden"
EPSILON = 1e-5
# Sizes whose parameters are counted: vocabulary, features, hidden, layers, heads, groups, tied.
SIZES = {
    "llama2-7b": (32_000, 4096, 11_008, 32, 32, 32, False),
    "llama2-13b": (32_000, 5120, 13_824, 40, 40, 40, False),
    "llama2-70b": (32_000, 8192, 28_672, 80, 64, 8, False),
    "llama3-8b": (128_256, 4096, 14_336, 32, 32, 8, False),
    "tinyllama-1.1b": (32_000, 2048, 5632, 22, 32, 4, False),
    "stories260k": (512, 64, 172, 5, 8, 4, True),
    "stories15m": (32_000, 288, 768, 6, 6, 6, True),
    "stories42m": (32_000, 512, 1376, 8, 8, 8, True),
    "stories110m": (32_000, 768, 2048, 12, 12, 12, True),
}


def config(vocabulary, features, hidden, layers, heads, groups, tied, context=64) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=features,
        intermediate_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=groups,
        tie_word_embeddings=tied,
        max_position_embeddings=context,
        rms_norm_eps=EPSILON,
    )


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def filled(module: torch.nn.Module, without: tuple[str, ...] = ()) -> torch.nn.Module:
    state = {k: tuple(v.shape) for k, v in module.state_dict().items() if not k.endswith(without)}
    arrays = {k: torch.from_numpy(v) for k, v in weights(state).items()}
    left, extra = module.load_state_dict(arrays, strict=False)
    assert all(name.endswith(without) for name in left) and not extra, (left, extra)
    return module.eval()


def metas(ids: torch.Tensor) -> torch.Tensor:
    """Logits of a Llama by Meta's names: features 2 i and 2 i + 1 of a head are one complex number."""
    d, hidden, heads, groups = (LLAMA[n] for n in ("features", "hidden", "heads", "groups"))
    width = d // heads
    layer = {
        "attention.wq": (d, d),
        "attention.wk": (groups * width, d),
        "attention.wv": (groups * width, d),
        "attention.wo": (d, d),
        "feed_forward.w1": (hidden, d),
        "feed_forward.w2": (d, hidden),
        "feed_forward.w3": (hidden, d),
        "attention_norm": (d,),
        "ffn_norm": (d,),
    }
    shapes = {"tok_embeddings.weight": (LLAMA["vocabulary"], d), "norm.weight": (d,)}
    shapes["output.weight"] = (LLAMA["vocabulary"], d)
    for i in range(LLAMA["layers"]):
        shapes |= {f"layers.{i}.{name}.weight": shape for name, shape in layer.items()}
    w = {name: torch.from_numpy(array).double() for name, array in weights(shapes).items()}

    def norm(x, name):
        return x / torch.sqrt(torch.mean(x**2, -1, keepdim=True) + EPSILON) * w[name]

    t = ids.shape[1]
    turns = 10_000.0 ** (-torch.arange(0, width, 2).double() / width)
    phase = torch.polar(torch.ones(t, width // 2).double(), torch.outer(torch.arange(t), turns))

    def turned(x):
        pairs = torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2).contiguous())
        return torch.view_as_real(pairs * phase[None, :, None]).flatten(-2)

    x = w["tok_embeddings.weight"][ids]
    for i in range(LLAMA["layers"]):
        name = f"layers.{i}."
        y = norm(x, f"{name}attention_norm.weight")
        query, key, value = (
            (y @ w[f"{name}attention.{n}.weight"].T).unflatten(-1, (-1, width))
            for n in ("wq", "wk", "wv")
        )
        query, key = turned(query), turned(key)
        out = torch.empty_like(query)
        for head in range(heads):
            group = head // (heads // groups)
            score = query[:, :, head] @ key[:, :, group].transpose(1, 2) / width**0.5
            score = score.masked_fill(torch.ones(t, t).triu(1).bool(), -torch.inf)
            out[:, :, head] = score.softmax(-1) @ value[:, :, group]
        x = x + out.flatten(-2) @ w[f"{name}attention.wo.weight"].T
        y = norm(x, f"{name}ffn_norm.weight")
        gate = torch.nn.functional.silu(y @ w[f"{name}feed_forward.w1.weight"].T)
        up = y @ w[f"{name}feed_forward.w3.weight"].T
        x = x + (gate * up) @ w[f"{name}feed_forward.w2.weight"].T
    return norm(x, "norm.weight") @ w["output.weight"].T


@torch.no_grad()
def main() -> None:
    with torch.device("meta"):
        for name, size in SIZES.items():
            print(name, count(LlamaForCausalLM(config(*size))))
        print("gpt1", count(OpenAIGPTLMHeadModel(OpenAIGPTConfig())))
    ids = torch.from_numpy(tokens()).long()
    sizes = ("vocabulary", "features", "hidden", "layers", "heads", "groups")
    llama = filled(LlamaForCausalLM(config(*(LLAMA[n] for n in sizes), False, LLAMA["context"])))
    gpt1 = OpenAIGPTConfig(
        vocab_size=GPT1["vocabulary"],
        n_positions=GPT1["context"],
        n_layer=GPT1["layers"],
        n_head=GPT1["heads"],
        n_embd=GPT1["features"],
    )
    gpt1 = filled(OpenAIGPTLMHeadModel(gpt1), ("lm_head.weight", ".attn.bias"))
    gpt1.tie_weights()
    given = torch.arange(ids.shape[1])[None] >= torch.tensor(PADDING)[:, None]
    places = (given.cumsum(1) - 1).clamp(0)
    padded = llama(ids, attention_mask=given.long(), position_ids=places, output_hidden_states=True)
    texts = {"max_new_tokens": AFTER, "pad_token_id": 0, "eos_token_id": None}
    texts |= {"attention_mask": given.long(), "do_sample": False}
    beams = llama.generate(
        ids,
        **texts,
        num_beams=3,
        num_return_sequences=3,
        length_penalty=0.0,
        early_stopping="never",
        return_dict_in_generate=True,
        output_scores=True,
    )
    out = {
        "llama": llama(ids).logits.numpy(),
        "meta": metas(ids).float().numpy(),
        "gpt1": gpt1(ids).logits.numpy(),
        "padded": padded.logits.numpy(),
        "hidden": torch.stack(padded.hidden_states).numpy(),
        "greedy": llama.generate(ids, **texts)[:, ids.shape[1] :].numpy(),
        "beams": beams.sequences[:, ids.shape[1] :].numpy(),
        "beam_scores": beams.sequences_scores.numpy(),
    }
    for i, (top_k, top_p) in enumerate(NUCLEI):
        kept = torch.from_numpy(scores())
        if top_k:
            kept = TopKLogitsWarper(top_k)(None, kept)
        if top_p < 1:
            kept = TopPLogitsWarper(top_p)(None, kept)
        out[f"nucleus{i}"] = torch.isfinite(kept).numpy()
    np.savez_compressed(GOLDEN / "decoders.npz", **out)


main()
