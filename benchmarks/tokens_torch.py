"""transformers' ``generate`` for tokens.py, which starts this with torch's own Python."""

import argparse

import torch
from transformers import GPT2Config, GPT2LMHeadModel
from worker import serve

SIZES = {
    "gpt2": {},
    "gpt2-medium": {"n_layer": 24, "n_head": 16, "n_embd": 1024},
    "gpt2-large": {"n_layer": 36, "n_head": 20, "n_embd": 1280},
    "gpt2-xl": {"n_layer": 48, "n_head": 25, "n_embd": 1600},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variant", choices=SIZES, default="gpt2")
    parser.add_argument("--rows", type=int, default=1)
    parser.add_argument("--length", type=int, default=128)
    options = parser.parse_args()
    torch.set_num_threads(2)
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(**SIZES[options.variant])).eval()
    prompt = torch.randint(0, 50_257, (options.rows, 32))
    exact = {"min_new_tokens": options.length, "max_new_tokens": options.length}

    @torch.inference_mode()
    def run(steps: int) -> None:
        for _ in range(steps):
            model.generate(prompt, do_sample=False, use_cache=True, pad_token_id=0, **exact)

    parameters = sum(p.numel() for p in model.parameters())
    serve(run, parameters, f"torch {torch.__version__}")


if __name__ == "__main__":
    main()
