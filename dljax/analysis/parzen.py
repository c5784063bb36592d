"""The likelihood of examples under a Parzen window of samples. Breuleux et al. 2011,
doi:10.1162/NECO_a_00311; of a generator by Goodfellow et al. 2014, arXiv:1406.2661, section 5.

It says little of quality in many dimensions (Theis et al. 2016, arXiv:1511.01844, section 3.2): a check beside
other scores.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dljax.data.pipeline import EvalSet
from dljax.types import Key, Sample, Variables

_ROWS = 200
SIGMAS = tuple(np.logspace(-1, 0, 10).tolist())


def log_likelihood(x, samples, sigma: float | Sequence[float]) -> np.ndarray:
    """log mean_j N(x_i; s_j, sigma^2 I) in nats, float64 [n]; [k, n] for several sigmas.

    Args:
        x: [n, ...], flattened.
        samples: [m, ...], flattened.
    """
    x, s = (np.asarray(a, np.float64).reshape(len(a), -1) for a in (x, samples))
    width = np.atleast_1d(np.asarray(sigma, np.float64))[:, None]
    lengths, out = (s * s).sum(1), []
    for start in range(0, len(x), _ROWS):
        rows = x[start : start + _ROWS]
        squared = (rows * rows).sum(1)[:, None] - 2 * rows @ s.T + lengths
        least = squared.min(1)
        rest = np.stack(
            [
                np.log(np.exp(-(squared - least[:, None]) / (2 * w * w)).mean(1))
                for w in width.ravel()
            ]
        )
        out.append(rest - least / (2 * width**2))
    found = np.concatenate(out, 1) - x.shape[1] * np.log(width * np.sqrt(2 * np.pi))
    return found if np.ndim(sigma) else found[0]


@dataclass(frozen=True)
class Parzen:
    """A look: "nats", the mean log-likelihood of examples under a window of samples, whose width, "sigma", is
    the best of 10 from 0.1 to 1 for other examples.

    Attributes:
        sample: of a task; images in 0..1.
        validation, test: ``image`` in ``low``..1.
        n: number of samples; 10,000 in the paper.
        limit: number of examples of each set.
        low: pixel value of black in the sets.
    """

    sample: Sample
    validation: EvalSet
    test: EvalSet
    n: int = 10_000
    limit: int = 1000
    low: float = 0.0

    def __call__(self, variables: Variables, key: Key) -> Mapping[str, float]:
        made = np.asarray(self.sample(variables, key, self.n))
        others, new = (
            (np.asarray(next(data.batches(self.limit))["image"]) - self.low) / (1 - self.low)
            for data in (self.validation, self.test)
        )
        best = SIGMAS[int(log_likelihood(others, made, SIGMAS).mean(1).argmax())]
        return {"nats": float(log_likelihood(new, made, best).mean()), "sigma": best}
