"""Transforms of gathered examples: (examples, one seed per row) -> examples."""

from collections.abc import Mapping

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


def unit(examples: Examples, seeds: np.ndarray) -> Examples:
    """uint8 images to float32 in 0..1."""
    image = np.multiply(examples["image"], np.float32(1 / 255), dtype=np.float32)
    return {**examples, "image": image}


def signed(examples: Examples, seeds: np.ndarray) -> Examples:
    """uint8 images to float32 in -1..1."""
    image = np.multiply(examples["image"], np.float32(2 / 255), dtype=np.float32) - np.float32(1)
    return {**examples, "image": image}


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
