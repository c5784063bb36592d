"""Adversarial examples: images moved within a small ball so that a loss rises, and training on them.

An attack is a function (loss, image, epsilon, key) -> image. Its loss is a function of the images
[b, ...], per image or in all; it may be any function whose gradient for one image does not depend on
the others.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Float

from dljax import axes
from dljax.errors import UserError
from dljax.learner import named
from dljax.types import Array, Key, Mean, Task

ImageLoss = Callable[[Array], Array]
Attack = Callable[[ImageLoss, Array, float | Array, Key], Array]


class Ball(NamedTuple):
    """The offsets of norm 1 or less, of each row of [b, ...] by itself.

    Attributes:
        steepest: gradient -> the offset of norm 1 along which the loss rises fastest; 0 where the
            gradient is 0.
        nearest: (offset, epsilon) -> the nearest offset of norm ``epsilon`` or less.
        draw: (key, shape) -> uniform draws.
    """

    steepest: Callable[[Array], Array]
    nearest: Callable[[Array, float | Array], Array]
    draw: Callable[[Key, tuple[int, ...]], Array]


def _length(x: Array) -> Array:
    """Euclidean norm of each row, with axes of 1 for the others."""
    return jnp.sqrt(jnp.sum(x * x, axis=tuple(range(1, x.ndim)), keepdims=True))


def _draw_l2(key: Key, shape: tuple[int, ...]) -> Array:
    way, far = jax.random.split(key)
    direction = axes.normal(way, shape)
    one = (shape[0], *[1] * (len(shape) - 1))
    radius = axes.rows(partial(jax.random.uniform, far), one) ** (1 / (direction[0].size))
    return radius * direction / _length(direction)


LINF = Ball(
    jnp.sign,
    lambda offset, epsilon: jnp.clip(offset, -epsilon, epsilon),
    lambda key, shape: axes.rows(partial(jax.random.uniform, key, minval=-1.0), shape),
)
L2 = Ball(
    lambda gradient: gradient / jnp.maximum(_length(gradient), 1e-30),
    lambda offset, epsilon: offset * jnp.minimum(1, epsilon / jnp.maximum(_length(offset), 1e-30)),
    _draw_l2,
)


def _slope(loss: ImageLoss, image: Array) -> Array:
    return jax.grad(lambda x: jnp.sum(loss(x)))(image)


def fgsm(ball: Ball = LINF, *, low: float | Array = 0.0, high: float | Array = 1.0) -> Attack:
    """The attack of one step, as far as the ball allows: the fast gradient sign method.

    Goodfellow et al. 2014, arXiv:1412.6572, section 4. It is the worst image in the ball where the
    loss is linear.

    Args:
        ball: ``LINF``, or ``L2`` for a step along the gradient.
        low, high: bounds of pixels, numbers or one of each channel [1, 1, 1, c].
    """

    def attack(loss, image, epsilon, key):
        del key  # nothing is drawn
        moved = image + epsilon * ball.steepest(_slope(loss, image))
        return jnp.clip(moved, low, high)

    return attack


def pgd(
    ball: Ball = LINF,
    *,
    steps: int = 10,
    step: float = 2.5,
    start: float = 1.0,
    low: float | Array = 0.0,
    high: float | Array = 1.0,
) -> Attack:
    """The attack of many small steps, each followed by projection: projected gradient descent.

    Madry et al. 2017, arXiv:1706.06083, section 2.1. Clipping to the pixels' bounds brings an image
    only nearer, so it stays in the ball.

    Args:
        ball: ``LINF`` or ``L2``.
        steps: gradients taken.
        step: length of a step in units of ``epsilon / steps``; above 2 all of the ball is in reach.
        start: radius of the ball in which the first image is drawn, in units of ``epsilon``; 0 starts
            at the image.
        low, high: bounds of pixels, numbers or one of each channel [1, 1, 1, c].

    Raises:
        UserError: no steps.
    """
    if steps < 1:
        raise UserError(f"an attack of {steps} steps: expected 1 or more")

    def attack(loss, image, epsilon, key):
        def within(moved):
            return jnp.clip(image + ball.nearest(moved - image, epsilon), low, high)

        def move(moved, _):
            far = step * epsilon / steps
            return within(moved + far * ball.steepest(_slope(loss, moved))), None

        drawn = (start * ball.draw(key, image.shape)).astype(image.dtype)
        # XLA's CPU convolutions lose their threads inside a loop (jax#12868), so unroll there.
        unroll = steps if jax.default_backend() == "cpu" and steps <= 10 else 1
        moved, _ = lax.scan(move, within(image + epsilon * drawn), length=steps, unroll=unroll)
        return moved

    return attack


def trained_against(task: Task, attack: Attack, epsilon: float) -> Task:
    """The task whose losses are those of attacked images: adversarial training.

    Madry et al. 2017, arXiv:1706.06083, equation 2.1: min over parameters of the max over offsets. The
    attack raises the very loss that is minimized, dropout's draws and batch statistics included; no
    gradient reaches the parameters through the offset, and only the attacked images move statistics.
    Evaluation stays that of clean images.

    Args:
        task: its batches have ``image`` [b, ...].
        attack: of ``fgsm`` or ``pgd``.
        epsilon: radius of the ball, in the units of the pixels.

    Raises:
        UserError: a batch without ``image`` (raised when a loss is).
    """

    def attacked(loss):
        def of(params, extra, batch, key):
            if "image" not in batch:
                raise UserError(f"an attack moves batch['image'], found {', '.join(batch)}")
            fixed = lax.stop_gradient((params, extra))

            def raised(image: Float[Array, "b ..."]):
                value, _ = loss(*fixed, {**batch, "image": image}, key)
                return value.total if isinstance(value, Mean) else value

            image = attack(raised, batch["image"], epsilon, named(key, "attack"))
            return loss(params, extra, {**batch, "image": lax.stop_gradient(image)}, key)

        return of

    return task._replace(losses={name: attacked(loss) for name, loss in task.losses.items()})
