"""Mixtures of two examples, with labels in proportion: mixup and CutMix.

The second example is drawn from the whole source by the first one's seed, as mixup's paper defines
it, and not from the same batch, as most code does to save the reading of it. So each row remains a
function of its own seed: it is the same however the batch's rows are divided among processes, which do
not hold each other's images, and after a resume with another number of them. The price is that two
examples are read, decoded and augmented for each row.

    augmented = transforms.chain(images.pad_crop_flip(), images.standardize())
    Pipeline(train, 128, transform=mixing.mixup(train, 10, augmented, alpha=1.0))

Labels become float32 [b, classes], which ``tasks.classification`` takes as they are. For one of the
two in each image: ``transforms.one_of("mixture", mixup(...), cutmix(...))``.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Float32, Shaped, UInt64

from dljax.data.pipeline import Examples, Source, Transform, derived, unchanged, uniform
from dljax.errors import UserError

# (first, second images, share of the first, seeds) -> images, true share of the first
Mix = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def beta(seeds: UInt64[np.ndarray, "b"], name: str, alpha: float) -> Float[np.ndarray, "b"]:
    """Draw from Beta(alpha, alpha) for each of these seeds, float64, by inversion of ``uniform``."""
    from scipy.special import betaincinv  # jax installs it

    return betaincinv(alpha, alpha, uniform(seeds, name))


def soft_labels(label: Shaped[np.ndarray, "b *c"], classes: int) -> Float32[np.ndarray, "b v"]:
    """Integer labels [b] as distributions [b, classes]; those that are distributions stay.

    Raises:
        UserError: a label that is no class, or of another shape or type.
    """
    if label.dtype.kind == "f" and label.shape[1:] == (classes,):
        return label.astype(np.float32)
    if label.dtype.kind not in "iu" or label.ndim != 1:
        raise UserError(
            f"labels are {label.dtype} {list(label.shape)}: to be mixed they must be integers [b] or "
            f"distributions [b, {classes}]"
        )
    if label.size and not 0 <= label.min() <= label.max() < classes:
        raise UserError(
            f"labels are {label.min()} to {label.max()} where there are {classes} classes: expected "
            f"0 to {classes - 1}"
        )
    return (label[:, None] == np.arange(classes)).astype(np.float32)


def _mixing(
    name: str,
    source: Source,
    classes: int,
    transform: Transform,
    alpha: float,
    probability: float,
    mix: Mix,
) -> Transform:
    """The transform of a way to mix images by a share from Beta(alpha, alpha)."""
    if not alpha > 0:
        raise UserError(f"alpha {alpha} of {name}: expected above 0; leave {name} out for none")
    if not 0 <= probability <= 1:
        raise UserError(f"probability {probability} of {name}: expected 0 to 1")
    if len(source) < 1:
        raise UserError(f"the source of {name} is empty: nothing to mix with")

    def apply(examples: Examples, seeds: np.ndarray) -> Examples:
        at = (uniform(seeds, f"{name} partner") * len(source)).astype(np.int64)
        first = transform(examples, seeds)
        second = transform(source.gather(at), derived(seeds, f"{name} transform"))
        for part in (first, second):
            if not {"image", "label"} <= part.keys():
                raise UserError(f"{name} expects image and label, found {', '.join(part)}")
        one, other = first["image"], second["image"]
        if (one.dtype, one.shape) != (other.dtype, other.shape):
            raise UserError(
                f"{name} of images {one.dtype} {list(one.shape)} and {other.dtype} "
                f"{list(other.shape)}: give it the transform that makes them alike"
            )
        share = np.where(
            uniform(seeds, f"{name} or not") < probability, beta(seeds, name, alpha), 1.0
        )
        image, share = mix(one, other, share, seeds)
        of_first = share.astype(np.float32)[:, None]
        label = of_first * soft_labels(first["label"], classes)
        label = label + (1 - of_first) * soft_labels(second["label"], classes)
        return {**first, "image": image, "label": label}

    return apply


def mixup(
    source: Source,
    classes: int,
    transform: Transform = unchanged,
    *,
    alpha: float = 0.2,
    probability: float = 1.0,
) -> Transform:
    """Blend each image and its label with those of another example, l : 1 - l, l ~ Beta(alpha, alpha).

    Zhang et al. 2017, arXiv:1710.09412, equation 1 and section 3; l is drawn for each row (their
    code draws one for a batch). Images keep their type; integers are rounded.

    Args:
        source: where the second example comes from, with replacement: the training set.
        classes: number of classes.
        transform: of both examples, before they are mixed, each with seeds of its own.
        alpha: 0.1 to 0.4 on ImageNet, 1 on CIFAR-10 in the paper.
        probability: of a row to be mixed.

    Raises:
        UserError: an alpha of 0, an empty source, labels that are no classes, or images of two shapes.
    """

    def mix(one, other, share, seeds):
        out, whole = np.empty_like(one), one.dtype.kind in "iu"
        for i, of_one in enumerate(share.astype(np.float32)):  # one image at a time stays in cache
            mixed = of_one * one[i] + (1 - of_one) * other[i]
            out[i] = np.rint(mixed) if whole else mixed
        return out, share

    return _mixing("mixup", source, classes, transform, alpha, probability, mix)


def cutmix(
    source: Source,
    classes: int,
    transform: Transform = unchanged,
    *,
    alpha: float = 1.0,
    probability: float = 1.0,
) -> Transform:
    """Put a rectangle of another image into each, and mix the labels by the rectangle's true area.

    Yun et al. 2019, arXiv:1905.04899, section 3.1: of sides sqrt(1 - l) of the image's, with
    l ~ Beta(alpha, alpha), its center anywhere; a part outside the image is cut off. l and the place
    are drawn for each row (their code draws one for a batch). A rectangle smaller than a pixel mixes
    nothing.

    Args:
        source: where the second example comes from, with replacement: the training set.
        classes: number of classes.
        transform: of both examples, before they are mixed, each with seeds of its own.
        alpha: 1 in the paper.
        probability: of a row to be mixed: 1 on ImageNet, 0.5 on CIFAR in the paper's code.

    Raises:
        UserError: an alpha of 0, an empty source, labels that are no classes, or images of two shapes.
    """

    def mix(one, other, share, seeds):
        def span(side: int, name: str) -> tuple[np.ndarray, np.ndarray]:
            length = (side * np.sqrt(1 - share)).astype(int)
            start = (side * uniform(seeds, f"cutmix {name}")).astype(int) - length // 2
            return np.clip(start, 0, side), np.clip(start + length, 0, side)

        h, w = one.shape[1:3]
        (top, bottom), (left, right) = span(h, "y"), span(w, "x")
        out = one.copy()
        for i in range(len(out)):
            box = i, slice(top[i], bottom[i]), slice(left[i], right[i])
            out[box] = other[box]
        return out, 1 - (bottom - top) * (right - left) / (h * w)

    return _mixing("cutmix", source, classes, transform, alpha, probability, mix)
