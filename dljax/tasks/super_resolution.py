"""Super-resolution: a large image for a small one."""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from dljax.tasks.adversarial import non_saturating
from dljax.tasks.linen import forward, initialize
from dljax.tasks.supervised import image, means, supervised
from dljax.types import Array, Aux, PyTree, Task, Variables

# Of ImageNet's channels, for pixels in 0..1: the scale of the classifiers that ``layer`` looks into.
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_STD = np.array([0.229, 0.224, 0.225], np.float32)
ERRORS = {"l2": jnp.square, "l1": jnp.abs}


def enlargement(model: nn.Module, error: Literal["l1", "l2"] = "l2") -> Task:
    """Mean error of the large image's pixels: squared ("l2", which is PSNR's) or absolute ("l1").

    Args:
        model: called as ``model(image [b, h, w, c], train=...) -> [b, scale h, scale w, c]``.

    Batch: ``image`` [b, h, w, c], small, and ``high`` [b, scale h, scale w, c], the truth. Evaluation:
    ``loss``.
    """

    def measured(made: Array, batch, train):
        del train
        apart = ERRORS[error](made.astype(jnp.float32) - batch["high"])
        return {"loss": jnp.mean(apart, axis=(1, 2, 3))}

    return supervised(model, image, measured)


def _pixels(variables: Any, image: Array) -> Array:
    return image


def realistic_enlargement(
    generator: nn.Module,
    discriminator: nn.Module,
    weight: float = 1e-3,
    features: Callable[[PyTree, Array], Array] = _pixels,
    network: nn.Module | None = None,
) -> Task:
    """SRGAN's game, with players "discriminator" and "generator", in this order. Ledig et al. 2017, equations
    3 to 6.

        discriminator:  -E log D(high) - E log(1 - D(G(image)))
        generator:      mean (F(G(image)) - F(high))^2 - weight E log D(G(image))

    Each image is judged in a batch of its own kind, as in ``adversarial``.

    Args:
        generator: called as ``generator(image, train=...) -> [b, scale h, scale w, c]`` in 0..1.
        discriminator: called as ``discriminator(high, train=...) -> logit [b]``.
        weight: of the adversarial part.
        features: F, (variables of ``network``, images in 0..1) -> maps: see ``layer``. Pixels by default, which
            the paper calls SRGAN-MSE; its own are VGG19's.
        network: of ``features``: a player "features" that nothing trains, to be begun from a file of weights.

    Batch: as for ``enlargement``, with ``image`` and ``high`` in 0..1. Evaluation: ``content`` (squared error of
    the pixels) and ``real`` and ``fake``, D's probability that a true and a made image are true.
    """
    game = non_saturating()

    def init(key, batch):
        players = {
            "discriminator": (discriminator, (batch["high"],)),
            "generator": (generator, (batch["image"],)),
        }
        if network is not None:
            players["features"] = (network, (batch["high"],))
        return initialize(key, players)

    def play(name: str, module: nn.Module, params, extra, x, train: bool):
        out, changed = forward(module, params[name], extra[name], x, key=None, train=train)
        return out.astype(jnp.float32), {**extra, name: changed}

    make = partial(play, "generator", generator)
    judge = partial(play, "discriminator", discriminator)

    def discriminator_loss(params, extra, batch, key):
        on_real, extra = judge(params, extra, batch["high"], True)
        made, extra = make(params, extra, batch["image"], True)
        on_fake, extra = judge(params, extra, made, True)
        metrics = {name: jnp.mean(x) for name, x in game.measured(on_real, on_fake).items()}
        return game.discriminator(on_real, on_fake), Aux(metrics, extra)

    def generator_loss(params, extra, batch, key):
        made, extra = make(params, extra, batch["image"], True)
        on_fake, extra = judge(params, extra, made, True)
        given = {}
        if network is not None:
            given = {"params": params["features"], **extra["features"]}
        content = jnp.mean(jnp.square(features(given, made) - features(given, batch["high"])))
        fooled = game.generator(on_fake)
        return content + weight * fooled, Aux({"content": content, "fooled": fooled}, extra)

    def predict(variables, batch):
        return make(variables.params, variables.extra, batch["image"], False)[0]

    def evaluate(params, extra, batch, key):
        made = predict(Variables(params, extra), batch)
        on_real, _ = judge(params, extra, batch["high"], False)
        on_fake, _ = judge(params, extra, made, False)
        content = jnp.mean(jnp.square(made - batch["high"]), axis=(1, 2, 3))
        return means({"content": content, **game.measured(on_real, on_fake)}, batch)

    losses = {"discriminator": discriminator_loss, "generator": generator_loss}
    return Task(init, losses, evaluate, predict)


def layer(network: nn.Module, name: str) -> Callable[[PyTree, Array], Array]:
    """The maps of a layer of a trained classifier, as ``features``.

    Args:
        network: takes images as ImageNet's are standardized.
        name: of a submodule, as "block3_2".
    """

    def features(variables: PyTree, image: Array) -> Array:
        standard = (image - _MEAN[None, None, None]) / _STD[None, None, None]
        _, kept = network.apply(
            variables,
            standard,
            train=False,
            capture_intermediates=lambda module, method: module.name == name,
            mutable=["intermediates"],
        )
        (maps,) = kept["intermediates"][name]["__call__"]
        return maps

    return features
