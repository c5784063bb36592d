"""Feature visualization by optimization: the image that excites a part of a network most. Olah et al. 2017,
Feature Visualization, doi:10.23915/distill.00007.

    images = optimized(goal, key, size=128, steps=256)

where ``goal(images)`` is what each image is to make large: a channel's mean, a neuron, a logit.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from dljax.types import Key

# [b, h, w, c] in 0..1 -> [b]
Goal = Callable[[Array], Array]

# Square root of the covariance of ImageNet's colors, in the coordinates of its own axes, as in lucid
# (github.com/tensorflow/lucid, color.py), and divided by its longest column.
_ROOT = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]], np.float32)
_COLORS = _ROOT / np.linalg.norm(_ROOT, axis=0).max()


def channel(activation: Float[Array, "b *place c"], index: int) -> Float[Array, " b"]:
    """The mean of a channel over all places."""
    return jnp.mean(activation[..., index], axis=tuple(range(1, activation.ndim - 1)))


def channels(activation: Float[Array, "b *place c"], index: Int[Array, " b"]) -> Float[Array, " b"]:
    """The mean over all places of a channel of its own for each image."""
    means = jnp.mean(activation, axis=tuple(range(1, activation.ndim - 1)))
    return jnp.take_along_axis(means, index[:, None], axis=1)[:, 0]


def neuron(activation: Float[Array, "b h w c"], index: int) -> Float[Array, " b"]:
    """A channel at the place in the middle."""
    h, w = activation.shape[1:3]
    return activation[:, h // 2, w // 2, index]


def deep_dream(activation: Float[Array, "b *rest"]) -> Float[Array, " b"]:
    """The mean square of a whole layer (Mordvintsev et al. 2015)."""
    return jnp.mean(activation**2, axis=tuple(range(1, activation.ndim)))


def direction(
    activation: Float[Array, "b h w c"], wanted: Float[Array, "b c"]
) -> Float[Array, " b"]:
    """The mean over places of <a, v> cos(a, v)^4, by which an activation atlas draws its cells.

    Carter et al. 2019, doi:10.23915/distill.00015, "Feature Visualization".
    """
    dot = jnp.einsum("bhwc,bc->bhw", activation, wanted)
    lengths = jnp.linalg.norm(activation, axis=-1) * jnp.linalg.norm(wanted, axis=-1)[:, None, None]
    cosine = jnp.maximum(dot / jnp.maximum(lengths, 1e-6), 0.1)
    return jnp.mean(dot * cosine**4, axis=(1, 2))


def _frequencies(size: int) -> np.ndarray:
    """Cycles per pixel of each value of a real Fourier transform, [size, size // 2 + 1]."""
    return np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])


def to_image(
    spectrum: Float[Array, "b p q c 2"], size: int, *, colors: bool = True
) -> Float[Array, "b h w c"]:
    """Images in 0..1 of a spectrum, in whose coordinates a step changes all frequencies alike.

    Each frequency is divided by itself (natural images' energy falls so), and the channels are those of
    uncorrelated colors; an ascent in them is preconditioned, its optima are the same.

    Args:
        spectrum: real and imaginary parts.
        size: side in pixels.
        colors: mix three channels as ImageNet's colors are correlated.
    """
    scale = 1 / np.maximum(_frequencies(size), 1 / size)
    values = jax.lax.complex(spectrum[..., 0], spectrum[..., 1]) * scale[None, :, :, None]
    pixels = jnp.fft.irfft2(values, (size, size), axes=(1, 2)) * np.float32(size / 4)
    if colors and pixels.shape[-1] == 3:
        pixels = pixels @ _COLORS.T
    return jax.nn.sigmoid(pixels)


def transformed(
    image: Float[Array, "b h w c"],
    key: Key,
    *,
    jitter: int = 8,
    scale: float = 0.1,
    degrees: float = 10.0,
) -> Float[Array, "b h w c"]:
    """Images of the same size, moved, scaled and turned at random about their middle, alike for all.

    Bilinear; what comes from outside is the nearest pixel inside.

    Args:
        jitter: pixels of shift at most, along each side.
        scale: 1 +- it is the range of scales.
        degrees: of rotation at most.
    """
    h, w = image.shape[1:3]
    draws = jax.random.uniform(key, (4,), minval=-1.0, maxval=1.0)
    angle, factor = draws[0] * np.deg2rad(degrees), 1 / (1 + scale * draws[1])
    rows, columns = jnp.meshgrid(
        jnp.arange(h) - (h - 1) / 2, jnp.arange(w) - (w - 1) / 2, indexing="ij"
    )
    sin, cos = jnp.sin(angle) * factor, jnp.cos(angle) * factor
    at = [
        cos * rows + sin * columns + (h - 1) / 2 + jitter * draws[2],
        cos * columns - sin * rows + (w - 1) / 2 + jitter * draws[3],
    ]

    def one(plane: Array) -> Array:
        return jax.scipy.ndimage.map_coordinates(plane, at, order=1, mode="nearest")

    return jax.vmap(jax.vmap(one, -1, -1))(image)


def optimized(
    goal: Goal,
    key: Key,
    *,
    size: int = 128,
    batch: int = 1,
    channels: int = 3,
    steps: int = 256,
    lr: float = 0.05,
    robust: bool = True,
    jitter: int = 8,
) -> np.ndarray:
    """Images [batch, size, size, channels] in 0..1 that make a goal large, by Adam.

    Args:
        goal: of the images, which are independent of each other.
        key: of the first images and of the transformations.
        robust: optimize the mean over random shifts, scales and turns (``transformed``), without which
            the optimum is noise that no photo holds.
        jitter: pixels of shift at most, along each side.
    """
    begin, moves = jax.random.split(key)
    shape = (batch, size, size // 2 + 1, channels, 2)
    spectrum = 0.01 * jax.random.normal(begin, shape)
    tx = optax.adam(lr)

    @jax.jit
    def step(spectrum: Array, opt: Any, key: Key) -> tuple[Array, Any]:
        def loss(spectrum: Array) -> Array:
            image = to_image(spectrum, size)
            return -jnp.sum(goal(transformed(image, key, jitter=jitter) if robust else image))

        updates, opt = tx.update(jax.grad(loss)(spectrum), opt)
        return optax.apply_updates(spectrum, updates), opt

    opt = tx.init(spectrum)
    for i in range(steps):
        spectrum, opt = step(spectrum, opt, jax.random.fold_in(moves, i))
    return np.asarray(to_image(spectrum, size))


def optimized_inputs(
    goal: Goal, key: Key, shape: tuple[int, int, int], *, batch: int = 1, steps: int = 256
) -> np.ndarray:
    """Images [batch, h, w, c] in 0..1 of a network's own size that make a goal large (``optimized``).

    Shifts are at most a fourteenth of the longer side, and 8 pixels.

    Args:
        goal: of images [batch, h, w, c].
        shape: (h, w, c).
    """
    h, w, c = shape
    side = max(h, w)
    images = optimized(
        lambda image: goal(image[:, :h, :w]),
        key,
        size=side,
        batch=batch,
        channels=c,
        steps=steps,
        jitter=min(8, max(1, side // 14)),
    )
    return images[:, :h, :w]
