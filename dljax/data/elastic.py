"""Elastic deformation. Ronneberger et al. 2015, arXiv:1505.04597, section 3.1: random displacements on a
coarse grid, interpolated to every pixel.
"""

from functools import lru_cache

import numpy as np
from scipy import ndimage, special

from dljax.data.pipeline import Examples, Transform, uniform


@lru_cache(maxsize=16)
def _weights(points: int, size: int) -> np.ndarray:
    """float64 [size, points]: of each grid point at every pixel, by cubic splines through the points."""
    return ndimage.zoom(np.eye(points), (size / points, 1), order=min(3, points - 1))


def elastic(deviation: float = 10.0, points: int = 3) -> Transform:
    """Move each image's pixels, and those of a label for every pixel, by a smooth random field.

    Args:
        deviation: standard deviation of the displacements at the grid's points, in pixels; the paper's 10
            are for slices of 512 x 512.
        points: of the grid, along each side, at least 2.

    Images are interpolated linearly, labels take the nearest pixel's; beyond the border is the mirrored image.
    """

    def apply(examples: Examples, seeds: np.ndarray) -> Examples:
        image, label = examples["image"], examples.get("label")
        b, h, w, c = image.shape
        draws = [uniform(seeds, f"elastic{i}") for i in range(2 * points**2)]
        # The middle of each of 2^53 equal parts, so that 0 is not drawn, whose normal would be infinite.
        normal = special.ndtri(np.stack(draws, 1) + 2.0**-54).reshape(b, 2, points, points)
        by = np.einsum(
            "hp,bdpq,wq->bdhw", _weights(points, h), deviation * normal, _weights(points, w)
        )
        at = by + np.mgrid[:h, :w]
        out = np.empty_like(image)
        for i, j in np.ndindex(b, c):
            ndimage.map_coordinates(
                image[i, ..., j], at[i], out[i, ..., j], order=1, mode="reflect"
            )
        if label is None or label.ndim < 3:
            return {**examples, "image": out}
        moved = [
            ndimage.map_coordinates(x, to, order=0, mode="reflect")
            for x, to in zip(label, at, strict=True)
        ]
        return {**examples, "image": out, "label": np.stack(moved)}

    return apply
