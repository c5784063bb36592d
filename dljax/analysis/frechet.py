"""The Fréchet distance between two sets of features. Dowson & Landau 1982, doi:10.1016/0047-259X(82)90077-X;
of images by Heusel et al. 2017, arXiv:1706.08500, section 3.
"""

import numpy as np

from dljax.errors import UserError


def _root(matrix: np.ndarray) -> np.ndarray:
    """The symmetric square root of a covariance; eigenvalues that rounding left below 0 are 0."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


def between_gaussians(mean, covariance, other_mean, other_covariance) -> float:
    """|m - m'|^2 + tr(C + C' - 2 (C C')^(1/2)), in float64.

    Args:
        mean, other_mean: [d].
        covariance, other_covariance: [d, d].
    """
    m, c, n, d = (
        np.asarray(x, np.float64) for x in (mean, covariance, other_mean, other_covariance)
    )
    # The trace of (C C')^(1/2) is that of (C^(1/2) C' C^(1/2))^(1/2), which is symmetric.
    root = _root(c)
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ d @ root), 0)).sum()
    return float(((m - n) ** 2).sum() + np.trace(c) + np.trace(d) - 2 * cross)


def frechet_distance(x, y) -> float:
    """The distance between Gaussians of the means and covariances of features [n, d] and [m, d].

    Between samples of one distribution it is above 0, the more so the fewer they are: only distances at
    the same n and m compare.

    Raises:
        UserError: a set of fewer than two, or of other features.
    """
    x, y = (np.asarray(a, np.float64) for a in (x, y))
    if min(len(x), len(y)) < 2 or x.shape[1:] != y.shape[1:] or x.ndim != 2:
        raise UserError(
            f"a Fréchet distance of features {list(x.shape)} and {list(y.shape)}: expected [n, d] and "
            "[m, d], n and m 2 or more"
        )
    x_cov, y_cov = (np.atleast_2d(np.cov(a.T)) for a in (x, y))
    return between_gaussians(x.mean(0), x_cov, y.mean(0), y_cov)
