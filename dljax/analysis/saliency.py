"""Attribution of a network's decision to the pixels of its image.

Every function takes a *score*, images [b, h, w, c] -> a number of each image [b], and knows nothing
else of the network: ``of_class(of_images(task.predict, variables), label)``. All of them can be jitted.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from dljax.analysis import heat
from dljax.analysis.activations import activation_and_gradient, as_maps
from dljax.analysis.predictions import Predicts, predict
from dljax.data.pipeline import EvalSet
from dljax.errors import UserError
from dljax.types import Key, Predict, Variables

ImageScore = Callable[[Array], Array]  # images [b, h, w, c] -> [b]


def of_images(predict: Predict, variables: Variables) -> Callable[[Array], Any]:
    """A task's ``predict`` as a function of images alone."""
    return lambda image: predict(variables, {"image": image})


def of_class(logits: Callable[[Array], Array], label: Int[Array, "b"]) -> ImageScore:
    """The score "logit of the class in ``label``", before any softmax.

    Args:
        logits: images -> [b, classes].
    """
    return lambda image: jnp.take_along_axis(logits(image), label[:, None], axis=1)[:, 0]


def gradient(score: ImageScore, image: Float[Array, "b h w c"]) -> Float[Array, "b h w c"]:
    """The gradient of each image's score for its pixels."""
    return jax.grad(lambda x: jnp.sum(score(x)))(image)


def saliency(score: ImageScore, image: Float[Array, "b h w c"]) -> Float[Array, "b h w"]:
    """The largest absolute gradient among a pixel's channels.

    Simonyan et al. 2013, arXiv:1312.6034, section 3.1.
    """
    return jnp.max(jnp.abs(gradient(score, image)), axis=-1)


def smooth_gradient(
    score: ImageScore,
    image: Float[Array, "b h w c"],
    key: Key,
    *,
    noise: float | Array = 0.15,
    n: int = 50,
) -> Float[Array, "b h w c"]:
    """The mean gradient of ``n`` copies of the image with Gaussian noise: SmoothGrad.

    Smilkov et al. 2017, arXiv:1706.03825, section 3.

    Args:
        noise: standard deviation, as a part of the image's range (largest less smallest pixel).
    """
    over = tuple(range(1, image.ndim))
    spread = jnp.max(image, over, keepdims=True) - jnp.min(image, over, keepdims=True)

    def one(total, key):
        noisy = image + noise * spread * jax.random.normal(key, image.shape, image.dtype)
        return total + gradient(score, noisy), None

    total, _ = lax.scan(one, jnp.zeros_like(image), jax.random.split(key, n))
    return total / n


def integrated_gradients(
    score: ImageScore,
    image: Float[Array, "b h w c"],
    baseline: float | Float[Array, "b h w c"] = 0.0,
    *,
    steps: int = 64,
) -> Float[Array, "b h w c"]:
    """Integrated gradients, which sum to score(image) - score(baseline).

        (x - x0) integral_0^1 grad score(x0 + a (x - x0)) da

    (Sundararajan et al. 2017, arXiv:1703.01365, equation 1), by the midpoint rule. The sum is off by
    the rule's error: as 1 / steps^2 where the score is smooth on the way (a cubic's is 1 / (4 steps^2)
    of it), at most as 1 / steps where it has kinks, as a net of ReLUs has.

    Args:
        baseline: an image of nothing; black by default.
        steps: points on the straight way from it.
    """
    way = image - baseline

    def one(total, at):
        return total + gradient(score, baseline + at * way), None

    points = (jnp.arange(steps, dtype=image.dtype) + 0.5) / steps
    total, _ = lax.scan(one, jnp.zeros_like(image), points)
    return way * total / steps


def grad_cam(
    score: ImageScore, image: Float[Array, "b h w c"], layer: str
) -> Float[Array, "b h w"]:
    """Grad-CAM: a layer's feature maps, weighted by the mean of the score's gradient for each.

        relu(sum_k mean_ij(d score / d A^k_ij) A^k)

    (Selvaraju et al. 2016, arXiv:1610.02391, equations 1 and 2), enlarged bilinearly to the image. A
    layer's maps are those that its module returns, before a nonlinearity that is no module.

    Args:
        layer: path of a module that returns maps [b, i, j, k], often the last convolution, or tokens of a
            square (``activations.as_maps``); of a ViT that is read at its class token not the last block, at
            whose other tokens the gradient is 0.

    Raises:
        UserError: the layer is not called, or returns no maps.
    """
    maps, slope = activation_and_gradient(score, image, layer=layer)
    maps, slope = as_maps(layer, maps), as_maps(layer, slope)
    weight = jnp.mean(slope, axis=(1, 2), keepdims=True)
    cam = jax.nn.relu(jnp.sum(weight * maps, axis=-1))
    return jax.image.resize(cam, image.shape[:3], "bilinear")


def occlusion(
    score: ImageScore,
    image: Float[Array, "b h w c"],
    size: int,
    *,
    stride: int = 1,
    fill: float | Array = 0.5,
) -> Float[Array, "b h w"]:
    """The mean fall of the score when a square that covers the pixel is painted over.

    Zeiler & Fergus 2013, arXiv:1311.2901, section 4.2.

    Args:
        size: side of the square in pixels.
        stride: pixels between squares, at most ``size``; the last ones end at the border.
        fill: the paint, a number or one of each channel [1, 1, 1, c]; gray by default.

    Raises:
        UserError: a square larger than the image, or squares that leave pixels out.
    """
    height, width = image.shape[1:3]
    if not 1 <= size <= min(height, width):
        raise UserError(
            f"a square of {size} pixels on an image of {height} x {width}: take another"
        )
    if not 1 <= stride <= size:
        raise UserError(f"stride {stride} of squares of {size} pixels: expected 1 to {size}")

    def starts(length: int) -> np.ndarray:
        return np.unique(np.append(np.arange(0, length - size, stride), length - size))

    def covered(start: Array, length: int) -> Array:
        at = jnp.arange(length)
        return (at >= start) & (at < start + size)

    clean = score(image)

    def one(total, corner):
        square = covered(corner[0], height)[:, None] & covered(corner[1], width)[None, :]
        fall = clean - score(jnp.where(square[None, :, :, None], fill, image))
        return total + fall[:, None, None] * square[None], None

    tops, lefts = starts(height), starts(width)
    corners = np.stack(np.meshgrid(tops, lefts, indexing="ij"), -1).reshape(-1, 2)
    total, _ = lax.scan(one, jnp.zeros(image.shape[:3], image.dtype), jnp.asarray(corners))
    count = [
        ((s <= np.arange(n)[:, None]) & (np.arange(n)[:, None] < s + size)).sum(1)
        for s, n in ((tops, height), (lefts, width))
    ]
    return total / jnp.asarray(np.outer(*count), image.dtype)[None]


def erased(
    image: Float[np.ndarray, "b h w c"],
    maps: Float[np.ndarray, "b h w"],
    part: float = 0.1,
    fill: float = 0.0,
) -> Float[np.ndarray, "b h w c"]:
    """Images in which the pixels of the largest attribution are painted over.

    What is left of the class's probability tells how far an attribution is right (the deletion metric of
    Petsiuk et al. 2018, arXiv:1806.07421, section 4.3, at one point of its curve).

    Args:
        part: of the pixels, rounded up.
        fill: the paint.
    """
    flat = np.asarray(maps).reshape(len(maps), -1)
    count = math.ceil(part * flat.shape[1])
    most = np.argsort(-flat, axis=1, kind="stable")[:, :count]
    out = np.array(image).reshape(*flat.shape, -1)
    np.put_along_axis(out, most[..., None], fill, axis=1)
    return out.reshape(np.shape(image))


@lru_cache(maxsize=16)
def _compiled(predict: Predict, layer: str, size: int):
    def attributed(variables, image, label, baseline, key):
        score = of_class(of_images(predict, variables), label)
        found = {
            "gradient": saliency(score, image),
            "SmoothGrad": jnp.sum(smooth_gradient(score, image, key), -1),
            "integrated": jnp.sum(integrated_gradients(score, image, baseline), -1),
        }
        if layer:
            found["Grad-CAM"] = grad_cam(score, image, layer)
        stride = max(1, size // 3)
        return found | {"occlusion": occlusion(score, image, size, stride=stride, fill=baseline)}

    return jax.jit(attributed)


@dataclass(frozen=True)
class Explanations:
    """A look: a classifier's decisions on a set's first images, attributed to pixels in five ways.

    Each row is an image and the gradient (absolute), SmoothGrad, integrated gradients, Grad-CAM and
    occlusion for the class that the model chose. Red speaks for it, blue against it; each map has its
    own scale.

    Attributes:
        data: ``image`` [n, h, w, c] in 0..1 and ``label``.
        layer: path of a convolution, often the last, for Grad-CAM; "" leaves it out.
        names: of the classes; their numbers by default.
        n: number of images.
        square: side of the occluding square; by default a quarter of the image.
        baseline: pixel value of nothing, for integrated gradients and under the square; black by
            default.
    """

    task: Predicts
    data: EvalSet
    layer: str
    names: Sequence[str] = ()
    n: int = 6
    square: int = 0
    baseline: float = 0.0

    def found(self, variables: Variables, key: Key) -> "Explained":
        """The maps before they are drawn."""
        examples, logits = predict(self.task, variables, self.data, self.n)
        image, guess = jnp.asarray(examples["image"]), logits.argmax(-1)
        compiled = _compiled(
            self.task.predict, self.layer, self.square or max(1, min(image.shape[1:3]) // 4)
        )
        maps = compiled(variables, image, jnp.asarray(guess), jnp.float32(self.baseline), key)
        order = ("gradient", "SmoothGrad", "integrated", "Grad-CAM", "occlusion")
        shown = {name: np.asarray(maps[name]) for name in order if name in maps}
        label = examples.get("label", guess)
        return Explained(examples["image"], label, guess, np.asarray(logits), shown)

    def __call__(self, variables: Variables, key: Key) -> np.ndarray:
        found = self.found(variables, key)
        captions = heat.answers(found.label, found.guess, self.names)
        return heat.table(found.image, found.maps, captions)


class Explained(NamedTuple):
    """Decisions and what they are attributed to.

    Attributes:
        image: float32 [n, h, w, c].
        label: int [n]; the guess where the set has none.
        guess: int [n].
        logits: float32 [n, classes].
        maps: method -> float32 [n, h, w].
    """

    image: np.ndarray
    label: np.ndarray
    guess: np.ndarray
    logits: np.ndarray
    maps: Mapping[str, np.ndarray]
