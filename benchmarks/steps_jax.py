"""The networks of versus_torch.py in dljax. Training is as an experiment has it: the same learner, executor
and optimizer, on one constant batch.

    python benchmarks/steps_jax.py lenet      then lines of "how many steps" on stdin
    python benchmarks/steps_jax.py lenet --forward 64
"""

import argparse
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np
import optax
from worker import serve

from dljax import models
from dljax.data import Arrays, Pipeline
from dljax.data.sources.graph import WholeGraph
from dljax.learner import decay_mask, learn
from dljax.models.adversarial import dcgan as dcgan_model
from dljax.models.convnets import alexnet, inception_v3, mobilenet_v2, vgg, xception
from dljax.models.convnets import cnn as cnn_model
from dljax.models.convnets import lenet as lenet_model
from dljax.models.convnets import resnet as resnet_model
from dljax.models.diffusion import ddpm as ddpm_model
from dljax.models.graphs import gcn as gcn_model
from dljax.models.recurrent import gru as gru_model
from dljax.models.recurrent import lstm as lstm_model
from dljax.models.segmentation import unet as unet_model
from dljax.models.transformers import bert as bert_model
from dljax.models.transformers import gpt as gpt_model
from dljax.models.transformers import transformer as transformer_model
from dljax.models.transformers import vit
from dljax.runtime.execute import make_executor
from dljax.runtime.processes import prepare
from dljax.runtime.profile import Profile
from dljax.tasks.adversarial import adversarial
from dljax.tasks.classification import classification
from dljax.tasks.diffusion import diffusion
from dljax.tasks.language import language
from dljax.tasks.nodes import nodes
from dljax.tasks.segmentation import segmentation
from dljax.tasks.translation import translation
from dljax.types import Task

ON_CPU = Profile(device="cpu")


class Case(NamedTuple):
    """What is trained: on a batch of arrays, or on a whole graph; and what a forward pass of it is.

    Attributes:
        model: of the forward pass.
        inputs: of ``model``, for a number of rows.
    """

    task: Task
    tx: Any
    batch: dict[str, np.ndarray] | WholeGraph
    model: nn.Module
    inputs: Callable[[int], tuple[Any, ...]]


def pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, np.float32)


def inputs_of(*shape: int) -> Callable[[int], tuple[np.ndarray]]:
    """The one argument of a model of pixels, for a number of rows."""
    return lambda rows: (pixels(rows, *shape),)


def integers(high: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, high, shape).astype(np.int32)


def labelled(*shape: int) -> dict[str, np.ndarray]:
    return {"image": pixels(*shape), "label": integers(10, shape[0])}


def momentum(lr: float = 0.1) -> optax.GradientTransformation:
    return optax.chain(optax.add_decayed_weights(5e-4), optax.sgd(lr, momentum=0.9))


def course_cnn(graph: str) -> Case:
    model, images = models.build(cnn_model, "course"), inputs_of(28, 28, 1)
    return Case(classification(model), optax.adam(1e-3), labelled(128, 28, 28, 1), model, images)


def lenet(graph: str) -> Case:
    model, images = models.build(lenet_model, "5"), inputs_of(28, 28, 1)
    return Case(classification(model), optax.adam(1e-3), labelled(128, 28, 28, 1), model, images)


def resnet18(graph: str) -> Case:
    model = models.build(resnet_model, "18", classes=10, stem="small")
    images = inputs_of(32, 32, 3)
    return Case(classification(model), momentum(), labelled(32, 32, 32, 3), model, images)


def photos(module: ModuleType, variant: str, rows: int, side: int) -> Callable[[str], Case]:
    """The case of a classifier of 1000 classes, trained on ``rows`` photos a step."""

    def case(graph: str) -> Case:
        model = models.build(module, variant)
        batch = labelled(rows, side, side, 3)
        return Case(classification(model), momentum(1e-3), batch, model, inputs_of(side, side, 3))

    return case


PHOTOS = {
    "alexnet": photos(alexnet, "imagenet", 16, 224),
    "vgg16": photos(vgg, "16", 2, 224),
    "mobilenet_v2": photos(mobilenet_v2, "1.0", 8, 224),
    "inception_v3": photos(inception_v3, "torchvision", 4, 299),
    "xception": photos(xception, "timm", 2, 299),
    "vit_s16": photos(vit, "S/16", 4, 224),
}


def unet(graph: str) -> Case:
    model = models.build(unet_model, "1to2")
    batch = {"image": pixels(2, 128, 128, 1), "label": integers(2, 2, 128, 128)}
    images = inputs_of(128, 128, 1)
    return Case(segmentation(model), optax.adam(1e-3), batch, model, images)


def dcgan(graph: str) -> Case:
    model = models.build(dcgan_model, "64")
    task = adversarial(*model.parts(), model.latent)
    batch = {"image": pixels(32, 64, 64, 3) * 2 - 1}
    noise = inputs_of(model.latent)
    return Case(task, optax.adam(2e-4, b1=0.5), batch, model.parts()[0], noise)


def text(v: int, b: int, t: int) -> dict[str, np.ndarray]:
    return {"tokens": integers(v, b, t), "targets": integers(v, b, t)}


def tokens(v: int, t: int) -> Callable[[int], tuple[np.ndarray]]:
    return lambda b: (integers(v, b, t),)


def lstm(graph: str) -> Case:
    model = models.build(lstm_model, "small")
    tx = optax.chain(optax.clip_by_global_norm(5.0), optax.sgd(1.0))
    return Case(language(model), tx, text(10_000, 20, 20), model, tokens(10_000, 20))


def gru(graph: str) -> Case:
    model = models.build(gru_model, "small")
    tx = optax.chain(optax.clip_by_global_norm(5.0), optax.sgd(1.0))
    return Case(language(model), tx, text(10_000, 20, 20), model, tokens(10_000, 20))


def adamw() -> optax.GradientTransformation:
    return optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adamw(1e-3, b1=0.9, b2=0.99, weight_decay=0.1, mask=decay_mask),
    )


def gpt(variant: str, b: int, t: int) -> Case:
    model = models.build(gpt_model, variant)
    v = model.vocabulary
    return Case(language(model), adamw(), text(v, b, t), model, tokens(v, t))


def gpt_small(graph: str) -> Case:
    return gpt("char-small", 12, 64)


def gpt_large(graph: str) -> Case:
    return gpt("char", 4, 256)


def gpt2(graph: str) -> Case:
    return gpt("gpt2", 1, 256)


def bert(graph: str) -> Case:
    model = models.build(bert_model, "bert-base", head=bert_model.MaskedLM())
    batch, v = text(model.vocabulary, 2, 128), model.vocabulary
    return Case(language(model), adamw(), batch, model, tokens(v, 128))


def transformer(graph: str) -> Case:
    model = models.build(transformer_model, "base")
    source, target = integers(36_999, 8, 32) + 1, integers(36_999, 8, 33) + 1
    batch = {"source": source, "target": target}
    pair = source[:1], target[:1, :-1]
    return Case(translation(model), optax.adam(1e-4, b2=0.98), batch, model, lambda b: pair)


def gcn(graph: str) -> Case:
    def first_layer(params: Any) -> Any:
        return {name: name == "conv0" for name in params}

    tx = optax.chain(optax.add_decayed_weights(5e-4, first_layer), optax.adam(0.01))
    model = models.build(gcn_model, "cora")
    with np.load(graph) as arrays:
        whole = WholeGraph(**arrays)
    places = (whole.node, whole.senders, whole.receivers)
    return Case(nodes(model), tx, whole, model, lambda b: places)


def ddpm(graph: str) -> Case:
    model = models.build(ddpm_model, "small")
    batch = {"image": pixels(32, 32, 32, 1) * 2 - 1}

    def noised(b: int) -> tuple[Any, ...]:
        return pixels(b, 32, 32, 1) * 2 - 1, integers(1000, b)

    return Case(diffusion(model, (32, 32, 1)), optax.adam(2e-4), batch, model, noised)


CASES: dict[str, Callable[[str], Case]] = {
    case.__name__: case
    for case in (course_cnn, lenet, resnet18, unet, dcgan, lstm, gpt_small, gpt_large, gcn, ddpm)
    + (gru, transformer, bert, gpt2)
} | PHOTOS


def trained(case: Case, profile: Profile = ON_CPU) -> tuple[Callable[[int], None], Any]:
    """Training for so many steps, and the parameters at first."""
    task, tx, batch = case.task, case.tx, case.batch
    if isinstance(batch, WholeGraph):
        data = Pipeline(batch, 1, shuffle=False)
    else:
        source = Arrays(batch)
        data = Pipeline(source, len(source), shuffle=False)
    executor = make_executor(profile, learn(task, tx), data)
    state, placed = executor.init(jax.random.key(0)), executor.place(0, 1)

    def run(steps: int) -> None:
        nonlocal state
        pending = None
        for _ in range(steps):
            state, packed = executor.step(state, placed, 1)
            if pending is not None:
                np.asarray(pending)  # of the step before, as the loop does
            pending = packed
        assert np.isfinite(np.asarray(pending)).all(), "the loss is not finite"
        jax.block_until_ready(state)

    return run, state.params


def passed(case: Case, rows: int) -> tuple[Callable[[int], None], Any]:
    """So many forward passes one after the other, and the parameters."""
    inputs = jax.device_put(case.inputs(rows))
    variables = jax.jit(partial(case.model.init, train=False))(jax.random.key(0), *inputs)
    forward = jax.jit(partial(case.model.apply, train=False))

    def run(steps: int) -> None:
        for _ in range(steps):
            out = np.asarray(forward(variables, *inputs))
        assert np.isfinite(out).all(), "the output is not finite"

    return run, variables["params"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--forward", type=int, default=0, help="rows of a forward pass; 0: train")
    parser.add_argument("--graph", default="", help="npz file of the graph, for gcn")
    options = parser.parse_args()
    prepare(ON_CPU)
    case = CASES[options.case](options.graph)
    run, params = passed(case, options.forward) if options.forward else trained(case)
    serve(run, sum(x.size for x in jax.tree.leaves(params)), f"jax {jax.__version__}")


if __name__ == "__main__":
    main()
