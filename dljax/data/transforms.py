"""Transforms of gathered examples: (examples, one seed per row) -> examples."""

from collections.abc import Mapping, Sequence

import numpy as np

from dljax.data.pipeline import Examples, Source, Transform, derived, unchanged, uniform
from dljax.errors import UserError


def chain(*transforms: Transform) -> Transform:
    """One transform after the other."""

    def apply(examples: Examples, seeds: np.ndarray) -> Examples:
        for transform in transforms:
            examples = transform(examples, seeds)
        return examples

    return apply


def one_of(name: str, *transforms: Transform, weights: Sequence[float] = ()) -> Transform:
    """One of the transforms for each row, drawn by its seed.

    Args:
        name: of the draw: two of one name, one after the other, draw the same.
        transforms: each gives arrays of the same names, types and shapes; ``unchanged`` is one.
        weights: their chances, in proportion; all the same by default.

    Raises:
        UserError: weights that are no chances of these transforms; arrays that cannot be joined.
    """
    chances = np.asarray(weights or [1.0] * len(transforms))
    if len(chances) != len(transforms) or not (chances >= 0).all() or not chances.sum() > 0:
        raise UserError(
            f"weights {list(weights)} of {len(transforms)} transforms: expected a number of 0 or "
            "more for each, not all of them 0"
        )
    bounds = np.cumsum(chances)[:-1] / chances.sum()

    def apply(examples: Examples, seeds: np.ndarray) -> Examples:
        which = np.searchsorted(bounds, uniform(seeds, name), side="right")
        places = [np.flatnonzero(which == i) for i in range(len(transforms))]
        parts = [
            (rows, transform({key: x[rows] for key, x in examples.items()}, seeds[rows]))
            for rows, transform in zip(places, transforms, strict=True)
            if len(rows)
        ]
        kinds = [{key: (x.dtype, x.shape[1:]) for key, x in part.items()} for _, part in parts]
        if any(kind != kinds[0] for kind in kinds):
            shown = " and ".join(
                ", ".join(f"{key} {dtype} {list(shape)}" for key, (dtype, shape) in kind.items())
                for kind in kinds
            )
            raise UserError(f"{name} would join rows of {shown}: expected transforms to one type")
        out = {}
        for key, (dtype, shape) in kinds[0].items():
            out[key] = np.empty((len(seeds), *shape), dtype)
            for rows, part in parts:
                out[key][rows] = part[key]
        return out

    return apply


def unit(examples: Examples, seeds: np.ndarray) -> Examples:
    """uint8 images to float32 in 0..1."""
    image = np.multiply(examples["image"], np.float32(1 / 255), dtype=np.float32)
    return {**examples, "image": image}


def signed(examples: Examples, seeds: np.ndarray) -> Examples:
    """uint8 images, and a ``target`` that is one, to float32 in -1..1."""
    target = examples.get("target")
    names = ["image"] if target is None or target.dtype != np.uint8 else ["image", "target"]
    scaled = {
        name: np.multiply(examples[name], np.float32(2 / 255), dtype=np.float32) - np.float32(1)
        for name in names
    }
    return {**examples, **scaled}


def levels(count: int) -> Transform:
    """The transform of uint8 images to float32 in -1..1, on the nearest of ``count`` values evenly spaced."""

    def apply(examples: Examples, seeds: np.ndarray) -> Examples:
        step = np.round(examples["image"] * np.float32((count - 1) / 255))
        return {**examples, "image": (step * np.float32(2 / (count - 1)) - 1).astype(np.float32)}

    return apply


def unpaired(
    other: Source, names: Mapping[str, str], transform: Transform = unchanged
) -> Transform:
    """Add to each example one of another source, drawn by its seed, with replacement.

    So CycleGAN learns from horses beside zebras (Zhu et al. 2017, arXiv:1703.10593):

        Pipeline(horses, 1, transform=transforms.unpaired(zebras, {"image": "zebra"}))

    Args:
        other: where the second examples come from.
        names: of its arrays, each -> its name in the batch. The rest are left out.
        transform: of the second examples, with seeds of its own.

    Raises:
        UserError: an array that ``other`` lacks, or a name that the batch already has.
    """
    if len(other) < 1:
        raise UserError("the second dataset is empty: nothing to draw from")

    def apply(examples: Examples, seeds: np.ndarray) -> Examples:
        drawn = other.gather((uniform(seeds, "unpaired") * len(other)).astype(np.int64))
        drawn = transform(drawn, derived(seeds, "unpaired transform"))
        for name, new in names.items():
            if name not in drawn:
                raise UserError(f"the second dataset has no {name!r}: it has {', '.join(drawn)}")
            if new in examples:
                raise UserError(f"both datasets give {new!r}: give the second's another name")
        return {**examples, **{new: drawn[name] for name, new in names.items()}}

    return apply
