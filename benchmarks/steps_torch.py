"""The networks of versus_torch.py in PyTorch; it starts this with torch's own Python.

    TORCH_PYTHON benchmarks/steps_torch.py lenet eager --threads 2
    TORCH_PYTHON benchmarks/steps_torch.py lenet compile --forward 64

Optimizers are fused; with ``compile`` the forward pass and the loss are one compiled function. A forward
pass is under ``inference_mode``. The classifiers of photos are torchvision's and timm's.
"""

import argparse
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

import numpy as np
import peers_text_torch as text_peers
import peers_torch as peers
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from worker import serve

LAST = torch.channels_last
Compile = Callable[[Callable], Callable]
Step = Callable[[], Tensor]


class Case(NamedTuple):
    """A training step and what it trains; and what a forward pass of it is.

    Attributes:
        model: of the forward pass.
        inputs: of ``model``, for a number of rows.
    """

    step: Step
    parameters: list[nn.Parameter]
    model: nn.Module
    inputs: Callable[[int], tuple[Tensor, ...]]


def images(*shape: int) -> Callable[[int], tuple[Tensor]]:
    return lambda rows: (torch.rand(rows, *shape).to(memory_format=LAST),)


def trainable(*modules: nn.Module) -> list[nn.Parameter]:
    return [p for module in modules for p in module.parameters() if p.requires_grad]


def descend(
    loss: Callable[..., Tensor],
    data: Iterable[Tensor],
    optimizer: torch.optim.Optimizer,
    clip: float = 0.0,
) -> Step:
    """The usual five lines."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]

    def step() -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        value = loss(*data)
        value.backward()
        if clip:
            nn.utils.clip_grad_norm_(parameters, clip)
        optimizer.step()
        return value.detach()

    return step


def classifier(
    model: nn.Module,
    shape: tuple[int, ...],
    compiled: Compile,
    make: Callable[..., torch.optim.Optimizer],
) -> Case:
    model = model.to(memory_format=LAST)
    image = torch.rand(shape).to(memory_format=LAST)
    label = torch.randint(10, shape[:1])

    def loss(image: Tensor, label: Tensor) -> Tensor:
        return F.cross_entropy(model(image), label)

    step = descend(compiled(loss), (image, label), make(trainable(model)))
    return Case(step, trainable(model), model, images(*shape[1:]))


def adam(parameters, lr: float = 1e-3, **options) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr, fused=True, **options)


def sgd(parameters, lr: float = 0.1, **options) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr, fused=True, **options)


def momentum(parameters, lr: float = 0.1) -> torch.optim.Optimizer:
    return sgd(parameters, lr, momentum=0.9, weight_decay=5e-4)


def course_cnn(compiled: Compile, graph: str) -> Case:
    return classifier(peers.CourseCNN(), (128, 1, 28, 28), compiled, adam)


def lenet(compiled: Compile, graph: str) -> Case:
    return classifier(peers.LeNet5(), (128, 1, 28, 28), compiled, adam)


def resnet18(compiled: Compile, graph: str) -> Case:
    return classifier(peers.ResNet18(), (32, 3, 32, 32), compiled, momentum)


def photos(build: Callable[[], nn.Module], rows: int, side: int) -> Callable[..., Case]:
    """The case of a classifier of 1000 classes, trained on ``rows`` photos a step."""
    slow = partial(momentum, lr=1e-3)  # without BatchNorm, AlexNet and VGG fly off at 0.1
    return lambda compiled, graph: classifier(build(), (rows, 3, side, side), compiled, slow)


def of_torchvision(name: str, **options) -> nn.Module:
    from torchvision import models

    return getattr(models, name)(**options)


def of_timm(name: str) -> nn.Module:
    import timm

    return timm.create_model(name)


PHOTOS = {
    "alexnet": photos(partial(of_torchvision, "alexnet"), 16, 224),
    "vgg16": photos(partial(of_torchvision, "vgg16"), 2, 224),
    "mobilenet_v2": photos(partial(of_torchvision, "mobilenet_v2"), 8, 224),
    "inception_v3": photos(
        partial(of_torchvision, "inception_v3", aux_logits=False, init_weights=False), 4, 299
    ),
    "xception": photos(partial(of_timm, "legacy_xception"), 2, 299),
    "vit_s16": photos(partial(of_timm, "vit_small_patch16_224"), 4, 224),
}


def unet(compiled: Compile, graph: str) -> Case:
    model = peers.UNet().to(memory_format=LAST)
    image = torch.rand(2, 1, 128, 128).to(memory_format=LAST)
    label = torch.randint(2, (2, 128, 128))

    def loss(image: Tensor, label: Tensor) -> Tensor:
        return F.cross_entropy(model(image), label)

    step = descend(compiled(loss), (image, label), adam(trainable(model)))
    return Case(step, trainable(model), model, images(1, 128, 128))


def dcgan(compiled: Compile, graph: str) -> Case:
    """As in pytorch/examples, made images used by both players; a player's step trains it alone."""
    make, judge = (net.to(memory_format=LAST) for net in (peers.generator(), peers.discriminator()))
    makes, judges = (
        adam(make.parameters(), 2e-4, betas=(0.5, 0.999)),
        adam(judge.parameters(), 2e-4, betas=(0.5, 0.999)),
    )
    image = (torch.rand(32, 3, 64, 64) * 2 - 1).to(memory_format=LAST)
    real, fake = torch.ones(32), torch.zeros(32)
    bce = F.binary_cross_entropy_with_logits
    made_of = compiled(lambda noise: make(noise))

    @compiled
    def judge_loss(image: Tensor, made: Tensor) -> Tensor:
        return bce(judge(image), real) + bce(judge(made), fake)

    @compiled
    def make_loss(made: Tensor) -> Tensor:
        return bce(judge(made), real)

    def step() -> Tensor:
        made = made_of(torch.randn(32, 100, 1, 1))
        judge.requires_grad_(True)
        judges.zero_grad(set_to_none=True)
        value = judge_loss(image, made.detach())
        value.backward()
        judges.step()
        judge.requires_grad_(False)
        makes.zero_grad(set_to_none=True)
        make_loss(made).backward()
        makes.step()
        return value.detach()

    both = [*make.parameters(), *judge.parameters()]
    return Case(step, both, make, lambda rows: (torch.randn(rows, 100, 1, 1),))


def language(
    model: nn.Module, b: int, t: int, v: int, compiled: Compile, optimizer, clip: float = 1.0
) -> Case:
    tokens, targets = torch.randint(v, (b, t)), torch.randint(v, (b, t))

    def loss(tokens: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(model(tokens).flatten(0, 1), targets.flatten())

    step = descend(compiled(loss), (tokens, targets), optimizer, clip)
    return Case(step, trainable(model), model, lambda rows: (torch.randint(v, (rows, t)),))


def lstm(compiled: Compile, graph: str) -> Case:
    model = text_peers.Recurrent(nn.LSTM)
    return language(model, 20, 20, 10_000, compiled, sgd(trainable(model), 1.0), 5.0)


def gru(compiled: Compile, graph: str) -> Case:
    model = text_peers.Recurrent(nn.GRU)
    return language(model, 20, 20, 10_000, compiled, sgd(trainable(model), 1.0), 5.0)


def adamw(model: nn.Module) -> torch.optim.Optimizer:
    groups = [
        {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": 0.1},
        {"params": [p for p in model.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, 1e-3, (0.9, 0.99), fused=True)


def gpt_small(compiled: Compile, graph: str) -> Case:
    model = text_peers.GPT(4, 4, 128, 64, 0.0)
    return language(model, 12, 64, 65, compiled, adamw(model))


def gpt_large(compiled: Compile, graph: str) -> Case:
    model = text_peers.GPT(6, 6, 384, 256, 0.2)
    return language(model, 4, 256, 65, compiled, adamw(model))


def gpt2(compiled: Compile, graph: str) -> Case:
    model = text_peers.GPT(12, 12, 768, 1024, 0.1, 50_257, True)
    return language(model, 1, 256, 50_257, compiled, adamw(model))


def bert(compiled: Compile, graph: str) -> Case:
    model = text_peers.BERT()
    return language(model, 2, 128, 30_522, compiled, adamw(model))


def transformer(compiled: Compile, graph: str) -> Case:
    model = text_peers.Transformer()
    source, target = torch.randint(1, 37_000, (8, 32)), torch.randint(1, 37_000, (8, 33))

    def loss(source: Tensor, target: Tensor) -> Tensor:
        logits = model(source, target[:, :-1]).flatten(0, 1)
        return F.cross_entropy(logits, target[:, 1:].flatten())

    optimizer = adam(trainable(model), 1e-4, betas=(0.9, 0.98))
    step = descend(compiled(loss), (source, target), optimizer)
    pair = source[:1], target[:1, :-1]
    return Case(step, trainable(model), model, lambda rows: pair)


def gcn(compiled: Compile, graph: str, sparse: bool = False) -> Case:
    with np.load(graph) as arrays:
        node, senders, receivers, label, mask = (
            torch.from_numpy(arrays[name])
            for name in ("node", "senders", "receivers", "label", "mask")
        )
    model = peers.GCN(senders.long(), receivers.long(), len(node), sparse)
    counts, label = mask > 0, label.long()
    first = [model.lin0.weight, model.bias0]
    groups = [
        {"params": first, "weight_decay": 5e-4},
        {"params": [model.lin1.weight, model.bias1], "weight_decay": 0.0},
    ]

    def loss(node: Tensor) -> Tensor:
        return F.cross_entropy(model(node)[counts], label[counts])

    step = descend(compiled(loss), (node,), adam(groups, 0.01))
    return Case(step, trainable(model), model, lambda rows: (node,))


def gcn_sparse(compiled: Compile, graph: str) -> Case:
    return gcn(compiled, graph, sparse=True)


def ddpm(compiled: Compile, graph: str) -> Case:
    model = peers.DDPM().to(memory_format=LAST)
    image = (torch.rand(32, 1, 32, 32) * 2 - 1).to(memory_format=LAST)
    signal = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000), 0)

    def loss(image: Tensor, time: Tensor, noise: Tensor) -> Tensor:
        at = signal[time][:, None, None, None]
        return F.mse_loss(model(at.sqrt() * image + (1 - at).sqrt() * noise, time), noise)

    loss, optimizer = compiled(loss), adam(trainable(model), 2e-4)

    def step() -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        value = loss(image, torch.randint(1000, (len(image),)), torch.randn_like(image))
        value.backward()
        optimizer.step()
        return value.detach()

    def noised(rows: int) -> tuple[Tensor, Tensor]:
        return *images(1, 32, 32)(rows), torch.randint(1000, (rows,))

    return Case(step, trainable(model), model, noised)


CASES = {
    case.__name__: case
    for case in (
        course_cnn,
        lenet,
        resnet18,
        unet,
        dcgan,
        lstm,
        gpt_small,
        gpt_large,
        gru,
        transformer,
        bert,
        gpt2,
        gcn,
        gcn_sparse,
        ddpm,
    )
} | PHOTOS


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("case", choices=CASES)
    parser.add_argument("mode", choices=["eager", "compile"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--forward", type=int, default=0, help="rows of a forward pass; 0: train")
    parser.add_argument("--graph", default="", help="npz file of the graph, for gcn")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    compiled: Compile = torch.compile if options.mode == "compile" else lambda function: function
    case = CASES[options.case](compiled, options.graph)
    step, parameters = case.step, case.parameters
    if options.forward:
        model, inputs = case.model.eval(), case.inputs(options.forward)
        step, parameters = (
            partial(torch.inference_mode()(compiled(model)), *inputs),
            trainable(model),
        )

    def run(steps: int) -> None:
        for _ in range(steps):
            value = step()
        assert torch.isfinite(value).all(), "the result is not finite"

    serve(run, sum(p.numel() for p in parameters), f"torch {torch.__version__}")


if __name__ == "__main__":
    main()
