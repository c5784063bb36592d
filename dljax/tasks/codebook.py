"""Images as numbers of a codebook's vectors, and a prior over such numbers. van den Oord et al. 2017,
arXiv:1711.00937.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from dljax import axes
from dljax.errors import UserError
from dljax.tasks.language import language
from dljax.tasks.linen import forward, initialize
from dljax.tasks.players import called, resting_on
from dljax.tasks.supervised import MODEL, means, weights
from dljax.types import Array, Aux, Batch, Extra, Key, Params, Task, Variables, unchecked

PRIOR = "prior"  # name of the prior's player
_MIDDLE = 0.5  # the model sees pixels about zero, as in Sonnet's example


def _mean_square(difference: Array) -> Array:
    """[b, ...] -> [b]"""
    return jnp.mean(difference.astype(jnp.float32) ** 2, tuple(range(1, difference.ndim)))


def perplexity(share: Array) -> Array:
    """exp of the entropy of chances [..., k], which add up to 1: the number of codes, were all as likely."""
    return jnp.exp(-jnp.sum(share * jnp.log(jnp.maximum(share, 1e-30)), -1))


def vector_quantized(model: nn.Module, variance: float, *, commitment: float = 0.25) -> Task:
    """Equation 3, with the reconstruction's error as a share of the pixels' variance.

        loss = mean (x - x')^2 / variance + mean (sg(z_e) - z_q)^2 + commitment mean (z_e - sg(z_q))^2

    The second term moves the codebook, and is left out where moving averages do. Means are over the
    numbers of an image or a code, and over the batch.

    Args:
        model: called as ``model(image, train=...) -> (reconstruction, z_e, z_q, share [b, k] of the places
            that took each code)``; it has ``decay``, None where the codebook is a parameter.
        variance: of the training set's pixels in 0..1.

    Batch: ``image`` [b, h, w, c] in 0..1; the model sees it about 0, -1/2..1/2. Evaluation: ``loss``,
    ``error`` (the first term) and ``perplexity`` of the codes in a batch.

    Raises:
        UserError: the variance is not above 0.
    """
    if not variance > 0:
        raise UserError(f"pixels of variance {variance}: expected above 0, of images that differ")

    def init(key: Key, batch: Batch):
        return initialize(key, {MODEL: (model, (batch["image"],))})

    def terms(params: Params, extra: Extra, batch: Batch, train: bool):
        image = batch["image"] - _MIDDLE
        given = params[MODEL], extra[MODEL]
        (made, z, code, share), changed = forward(model, *given, image, key=None, train=train)
        error = _mean_square(made - image) / variance
        loss = error + commitment * _mean_square(z - lax.stop_gradient(code))
        if model.decay is None:
            loss += _mean_square(lax.stop_gradient(z) - code)
        counts = weights(batch)
        counted = share if counts is None else share * counts[:, None]
        used = axes.total(jnp.sum(counted.astype(jnp.float32), 0))
        of_batch = perplexity(used / jnp.maximum(jnp.sum(used), 1e-30))
        rows = {"loss": loss, "error": error, "perplexity": jnp.broadcast_to(of_batch, error.shape)}
        return dict(means(rows, batch)), changed

    def loss(params: Params, extra: Extra, batch: Batch, key: Key):
        metrics, changed = terms(params, extra, batch, True)
        return metrics.pop("loss"), Aux(metrics, {**extra, MODEL: changed})

    def evaluate(params: Params, extra: Extra, batch: Batch, key: Key):
        return terms(params, extra, batch, False)[0]

    def predict(variables: Variables, batch: Batch):
        """The images as restored from their codes, [b, h, w, c] in 0..1."""
        given = variables.params[MODEL], variables.extra[MODEL]
        made = forward(model, *given, batch["image"] - _MIDDLE, key=None, train=False)[0][0]
        return jnp.clip(made + _MIDDLE, 0.0, 1.0)

    return Task(init, {MODEL: loss}, evaluate, predict)


def encoded(model: nn.Module) -> Callable[[Variables, Batch], Array]:
    """The function (variables, batch of ``image`` in 0..1) -> codes int32 [b, i, j] of a VQ-VAE."""

    def of(variables: Variables, batch: Batch) -> Array:
        given = {"params": variables.params[MODEL], **variables.extra[MODEL]}
        out: Any = model.apply(given, batch["image"] - _MIDDLE, method="encode")
        return out

    return of


def decoded(model: nn.Module) -> Callable[[Variables, Array], Array]:
    """The function (variables, codes int32 [b, i, j]) -> images in 0..1 of a VQ-VAE."""

    @jax.jit
    def of(variables: Variables, code: Array) -> Array:
        given = {"params": variables.params[MODEL], **variables.extra[MODEL]}
        out: Any = model.apply(given, code, method="decode")
        return jnp.clip(out + _MIDDLE, 0.0, 1.0)

    return of


def prior(net: nn.Module, coder: Task, model: nn.Module, generate: Callable[..., Array]) -> Task:
    """A model of a fixed VQ-VAE's codes, line by line: sections 3.3 and 4.1, with ``net`` as the PixelCNN.

    The player is called "prior". A sample is drawn code by code and decoded: images in 0..1.

    Args:
        net: of the next token, as ``language`` has it, of one token more than there are codes: the last
            stands before the first code. Its ``context`` is the number of an image's codes, a square.
        coder: the VQ-VAE's task, whose player "model" is fixed.
        model: the VQ-VAE.
        generate: ``dljax.analysis.generate.generate``.

    Raises:
        UserError: the net is of another number of tokens, or of a context that is no square.
    """
    encode, decode, size = encoded(model), decoded(model), net.context
    side = round(size**0.5)
    if net.vocabulary != model.codes + 1 or side * side != size:
        raise UserError(
            f"a prior of {net.vocabulary} tokens and a context of {size}: expected {model.codes + 1}, the "
            "codes and a first token, and the square of a map's side"
        )

    def see(variables: Variables, batch: Batch) -> Batch:
        targets = encode(variables, batch).reshape(-1, size)
        first = jnp.full_like(targets[:, :1], model.codes)
        kept = {name: x for name, x in batch.items() if name == "mask"}
        return {**kept, "tokens": jnp.concatenate([first, targets[:, :-1]], 1), "targets": targets}

    def draw(variables: Variables, key: Key, n: int) -> Array:
        first = jnp.full((n, 1), model.codes, jnp.int32)
        return generate(net, variables.params[MODEL], first, key, length=size, context=size)

    def show(variables: Variables, drawn: Array) -> Array:
        return decode(variables, drawn.reshape(-1, side, side))

    # The tokens are not the data's but ours: there is nothing to check of a host batch.
    own = language(net)._replace(sample=draw, check=unchecked)
    return resting_on(called(own, model=PRIOR), coder, see, show)
