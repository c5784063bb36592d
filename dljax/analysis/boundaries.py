"""Boundaries of a segmentation: how well they meet the true ones. Csurka et al. 2013, What is a good
evaluation measure for semantic segmentation?, BMVC, section 3.2.
"""

import numpy as np
from scipy import ndimage


def boundary(label) -> np.ndarray:
    """Pixels bool [h, w] that have a neighbor of another class below or to the right, or are that neighbor.

    Args:
        label: [h, w] integers.
    """
    label = np.asarray(label)
    out = np.zeros(label.shape, bool)
    down, right = label[1:] != label[:-1], label[:, 1:] != label[:, :-1]
    out[1:] |= down
    out[:-1] |= down
    out[:, 1:] |= right
    out[:, :-1] |= right
    return out


def boundary_f1(guess, label, tolerance: float = 2.0) -> float:
    """Harmonic mean of precision and recall of boundary pixels, in 0..1.

    A pixel of one boundary is met where one of the other lies within ``tolerance`` pixels (Euclidean
    distance; nothing is warped onto the other). Neither image with a boundary: 1; one of them: 0.

    Args:
        guess, label: [h, w] integers.
    """
    ours, theirs = boundary(guess), boundary(label)
    if not ours.any() or not theirs.any():
        return float(ours.any() == theirs.any())
    near = [ndimage.distance_transform_edt(~x) <= tolerance for x in (theirs, ours)]
    precision, recall = near[0][ours].mean(), near[1][theirs].mean()
    return float(2 * precision * recall / max(precision + recall, 1e-12))
