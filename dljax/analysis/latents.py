"""Looks at a latent space: the images that its points stand for, and whether its axes are the data's factors."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import jax
import jax.numpy as jnp
import numpy as np
import optax

from dljax.analysis.pictures import grid
from dljax.analysis.predictions import predict
from dljax.data.pipeline import EvalSet
from dljax.types import Array, Key, Predict, Variables

Decode = Callable[[Variables, Array], Array]  # (variables, z [b, z]) -> images in 0..1


@dataclass(frozen=True)
class Encoder:
    """Owner of a function (variables, batch) -> z [b, z], as ``predictions.predict`` expects it."""

    predict: Predict


@dataclass(frozen=True)
class Manifold:
    """A look: images of a plane of latents, z_0 to the right and z_1 upward, at equal steps of the normal
    distribution's quantiles. Kingma & Welling 2014, arXiv:1312.6114, Fig. 4.

    Attributes:
        decode: of a task's model with two latents.
        n: images along each side.
    """

    decode: Decode
    n: int = 16

    def __call__(self, variables: Variables, key: Key) -> np.ndarray:
        at = [NormalDist().inv_cdf((i + 0.5) / self.n) for i in range(self.n)]
        z = [(right, up) for up in reversed(at) for right in at]
        return grid(self.decode(variables, jnp.asarray(z, jnp.float32)), self.n, gap=0)


@dataclass(frozen=True)
class Traversals:
    """A look: a row for each latent, in which it goes from -``far`` to ``far`` while the others stay at the mean
    code of a set's first image.

    Attributes:
        encode: (variables, batch) -> z [b, z].
        decode: (variables, z) -> images in 0..1.
        data: of the image.
        columns: steps on the way.
        far: end of the way, in deviations of the prior.
        enlarge: pixels per pixel, along each side.
    """

    encode: Predict
    decode: Decode
    data: EvalSet
    columns: int = 9
    far: float = 2.5
    enlarge: int = 1

    def __call__(self, variables: Variables, key: Key) -> np.ndarray:
        code = predict(Encoder(self.encode), variables, self.data, 1).outputs[0]
        size = len(code)
        z = np.tile(code, (size, self.columns, 1))
        z[np.arange(size), :, np.arange(size)] = np.linspace(-self.far, self.far, self.columns)
        made = self.decode(variables, jnp.asarray(z.reshape(-1, size)))
        return grid(made, self.columns, enlarge=self.enlarge)


def straight(a: Array, b: Array, part: Array) -> Array:
    """(1 - part) a + part b."""
    return (1 - part) * a + part * b


def spherical(a: Array, b: Array, part: Array) -> Array:
    """sin((1 - part) w) / sin(w) a + sin(part w) / sin(w) b, w being the angle between them.

    White 2016, Sampling Generative Networks, arXiv:1609.04468, section 2. Normal draws of many numbers are
    nearly all about as long, and the middle of a straight way is too short to be one. The way is straight
    where the two point along one line.

    Args:
        a, b: [..., z].
        part: [..., 1].
    """
    lengths = jnp.linalg.norm(a, axis=-1) * jnp.linalg.norm(b, axis=-1)
    cosine = jnp.sum(a * b, -1) / jnp.maximum(lengths, 1e-12)
    angle = jnp.arccos(jnp.clip(cosine, -1.0, 1.0))[..., None]
    sine = jnp.sin(angle)
    line = sine < 1e-3
    safe = jnp.where(line, 1.0, sine)
    way = (jnp.sin((1 - part) * angle) * a + jnp.sin(part * angle) * b) / safe
    return jnp.where(line, straight(a, b, part), way)


@dataclass(frozen=True)
class Interpolations:
    """A look: pairs of rows between two normal draws, the upper one straight and the lower one along a sphere.

    Attributes:
        decode: (variables, z) -> images in 0..1.
        latents: length of z.
        n: pairs.
        columns: images on the way, both ends among them.
        enlarge: pixels per pixel, along each side.
    """

    decode: Decode
    latents: int
    n: int = 4
    columns: int = 10
    enlarge: int = 2

    def __call__(self, variables: Variables, key: Key) -> np.ndarray:
        a, b = jax.random.normal(key, (2, self.n, 1, self.latents))
        part = jnp.linspace(0.0, 1.0, self.columns)[None, :, None]
        rows = jnp.stack([way(a, b, part) for way in (straight, spherical)], 1)
        made = self.decode(variables, rows.reshape(-1, self.latents))
        return grid(made, self.columns, enlarge=self.enlarge)


@dataclass(frozen=True)
class Disentanglement:
    """A look: "accuracy" with which a linear classifier tells the one factor that pairs of images share from the
    mean distance of their codes along each axis. Higgins et al. 2017, section 3. Chance is one in the number of factors.

    Attributes:
        encode: (variables, batch) -> z [b, z].
        data: one image for every combination of factors, in the order of ``np.ravel_multi_index``.
        levels: number of levels of each factor.
        n: points to learn from, and as many others to measure.
        pairs: of images to a point, the paper's L.
    """

    encode: Predict
    data: EvalSet
    levels: Sequence[int]
    n: int = 1000
    pairs: int = 64

    def __call__(self, variables: Variables, key: Key) -> Mapping[str, float]:
        z = predict(Encoder(self.encode), variables, self.data).outputs
        seed = np.asarray(jax.random.bits(key, (2,)))
        points, factor = shared(z, self.levels, 2 * self.n, self.pairs, np.random.default_rng(seed))
        learned, held_out = slice(0, self.n), slice(self.n, None)
        guess = _linear(points[learned], factor[learned], len(self.levels))(points[held_out])
        return {"accuracy": float(np.mean(guess == factor[held_out]))}


def shared(
    z: np.ndarray, levels: Sequence[int], n: int, pairs: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(mean distances along each axis [n, z], factor that the pairs of a point share int [n]).

    Args:
        z: codes of all combinations of factors, [product of levels, z].
    """
    factor = rng.integers(0, len(levels), n)
    first, second = (rng.integers(0, levels, (n, pairs, len(levels))) for _ in "ab")
    at = np.arange(n)
    second[at, :, factor] = first[at, :, factor]
    codes = (
        z[np.ravel_multi_index(tuple(np.moveaxis(f, -1, 0)), tuple(levels))]
        for f in (first, second)
    )
    return np.abs(np.subtract(*codes)).mean(1), factor


def _linear(x: np.ndarray, y: np.ndarray, classes: int) -> Callable[[np.ndarray], np.ndarray]:
    """Logistic regression on standardized features, as a function to the likeliest class."""
    middle, scale = x.mean(0), x.std(0) + 1e-8
    given, wanted = jnp.asarray((x - middle) / scale), jnp.asarray(y)
    tx = optax.adam(optax.cosine_decay_schedule(0.3, 500))

    def loss(weights):
        logits = given @ weights[:-1] + weights[-1:]
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, wanted))

    def step(at, _):
        weights, opt = at
        updates, opt = tx.update(jax.grad(loss)(weights), opt)
        return (optax.apply_updates(weights, updates), opt), None

    begin = jnp.zeros((x.shape[1] + 1, classes))
    (weights, _), _ = jax.jit(lambda w: jax.lax.scan(step, (w, tx.init(w)), None, 500))(begin)
    fixed = np.asarray(weights)
    return lambda new: ((new - middle) / scale @ fixed[:-1] + fixed[-1:]).argmax(-1)
