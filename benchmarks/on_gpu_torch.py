"""The networks of on_gpu.py in PyTorch; it starts this with torch's own Python:
``TORCH_PYTHON benchmarks/on_gpu_torch.py gpt2 compile --rows 16``.
"""

import argparse

import peers_text_torch as text_peers
import peers_torch as peers
import torch
import torch.nn.functional as F
from steps_torch import LAST, Compile, Step, adam, adamw, descend
from torch import Tensor, nn
from worker import serve

TOKENS = 1024


def gpt2(compiled: Compile, rows: int) -> tuple[nn.Module, Step]:
    model = text_peers.GPT(12, 12, 768, TOKENS, 0.0, 50_257, True).cuda()
    tokens, targets = torch.randint(50_257, (2, rows, TOKENS), device="cuda")

    def loss(tokens: Tensor, targets: Tensor) -> Tensor:
        with torch.autocast("cuda", torch.bfloat16):
            return F.cross_entropy(model(tokens).flatten(0, 1), targets.flatten())

    return model, descend(compiled(loss), (tokens, targets), adamw(model), 1.0)


def ddpm_cifar10(compiled: Compile, rows: int) -> tuple[nn.Module, Step]:
    model = peers.DDPM((128, 256, 256, 256), 2, (1,), 3, 32).cuda()
    model = model.to(memory_format=LAST)
    image = (torch.rand(rows, 3, 32, 32, device="cuda") * 2 - 1).to(memory_format=LAST)
    signal = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, device="cuda"), 0)

    def loss(image: Tensor) -> Tensor:
        time = torch.randint(1000, (rows,), device="cuda")
        noise = torch.randn_like(image)
        at = signal[time][:, None, None, None]
        with torch.autocast("cuda", torch.bfloat16):
            guess = model(at.sqrt() * image + (1 - at).sqrt() * noise, time)
        return F.mse_loss(guess.float(), noise)

    return model, descend(compiled(loss), (image,), adam(model.parameters(), 2e-4))


CASES = {"gpt2": gpt2, "ddpm_cifar10": ddpm_cifar10}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("case", choices=CASES)
    parser.add_argument("mode", choices=["eager", "compile"])
    parser.add_argument("--rows", type=int, required=True)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")  # what autocast leaves in float32
    compiled: Compile = torch.compile if options.mode == "compile" else lambda function: function
    model, step = CASES[options.case](compiled, options.rows)

    def run(steps: int) -> None:
        for _ in range(steps):
            value = step()
        assert torch.isfinite(value), "the loss is not finite"  # which waits for the GPU

    serve(run, sum(p.numel() for p in model.parameters()), f"torch {torch.__version__}")


if __name__ == "__main__":
    main()
