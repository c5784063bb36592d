"""Modes that a generator of points has found, and the part of its points that lie in one.

Srivastava et al. 2017 (VEEGAN, arXiv:1705.07761, section 4.1); Lin et al. 2018 (PacGAN, arXiv:1712.04086,
section 4.1). The two belong together: points that lie anywhere touch every mode.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dljax.analysis import charts
from dljax.types import Key, Sample, Variables


def modes(points, centers, deviation: float) -> dict[str, float]:
    """ "modes" and "quality" of points [n, d].

    A point is of high quality within three deviations of its nearest center, and a mode is found
    where a point of high quality is nearest to it. "quality" is the part of such points, and "kl"
    the divergence in nats of their parts by mode from equal ones; of no such points log(m).

    Args:
        centers: [m, d], of modes of equal weight.
    """
    points, centers = np.asarray(points, np.float64), np.asarray(centers, np.float64)
    away = np.linalg.norm(points[:, None] - centers[None], axis=-1)
    good = away.min(1) <= 3 * deviation
    count = np.bincount(away.argmin(1)[good], minlength=len(centers))
    part = count[count > 0] / max(count.sum(), 1)
    kl = float(np.log(len(centers)) + (part * np.log(part)).sum())
    return {"modes": float((count > 0).sum()), "quality": float(good.mean()), "kl": kl}


@dataclass(frozen=True)
class Modes:
    """A look: ``modes`` of samples.

    Attributes:
        sample: of a task; points [n, d].
        centers: [m, d].
        deviation: of each mode, along each axis.
        n: number of samples; 2,500 in both papers.
    """

    sample: Sample
    centers: np.ndarray
    deviation: float
    n: int = 2500

    def __call__(self, variables: Variables, key: Key) -> Mapping[str, float]:
        return modes(self.sample(variables, key, self.n), self.centers, self.deviation)


@dataclass(frozen=True)
class Cloud:
    """A look: samples in the plane, and the centers of the modes as circles of three deviations.

    Attributes:
        as of ``Modes``.
    """

    sample: Sample
    centers: np.ndarray
    deviation: float
    n: int = 2500

    def __call__(self, variables: Variables, key: Key) -> np.ndarray:
        points = self.sample(variables, key, self.n)
        return charts.plane(points, self.centers, 3 * self.deviation)
