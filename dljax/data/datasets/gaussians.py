"""Points of a plane around a grid of 25 centers, on which a generator's lost modes can be counted.

Standard deviation 0.05 at a spacing of 2, as in Lin et al. 2018 (PacGAN, arXiv:1712.04086, section 4.1) and
Gulrajani et al. 2017 (arXiv:1704.00028, section 6); then all is divided by the points' own deviation, as in
the latter's gan_toy.py.
"""

import numpy as np

from dljax.data.pipeline import Arrays
from dljax.data.sources import embedded

_UNIT = 8.0**0.5  # deviation of -4, -2, 0, 2, 4
CENTERS = np.stack(np.meshgrid(*[np.arange(-4.0, 5.0, 2.0)] * 2), -1).reshape(25, 2) / _UNIT
DEVIATION = 0.05 / _UNIT


def load(*, n: int = 100_000, data: str = "", fake: bool = False) -> tuple[Arrays, Arrays]:
    """(train, test): ``image`` float32 [n, 2] and [n // 10, 2], as many points around each center.

    Args:
        n: number of training points, a multiple of 250.
        data: must be empty: nothing is read from files.
        fake: 1,000 points.

    Raises:
        UserError: a folder in ``data``.
    """
    embedded(data)
    rng = np.random.default_rng(25)

    def drawn(size: int) -> Arrays:
        around = np.tile(CENTERS, (size // 25, 1))
        points = around + DEVIATION * rng.standard_normal(around.shape)
        return Arrays({"image": points.astype(np.float32)})

    n = 1000 if fake else n
    return drawn(n), drawn(n // 10)
