"""Distances between two sets of examples, e.g. between samples and test images."""

import jax
import jax.numpy as jnp

from dljax.types import Array


@jax.jit
def energy_distance(x: Array, y: Array) -> Array:
    """The energy distance between two samples, in the units of x and y.

        2 E|x - y| - E|x - x'| - E|y - y'|:  0 where the distributions are equal, else above

    (Székely & Rizzo 2013, doi:10.1016/j.jspi.2013.03.018), with Euclidean norms. Nothing is paired
    with itself (a U-statistic), so the estimate is unbiased; between close distributions it may be
    below 0.

    Args:
        x: [n, ...], flattened; n at least 2.
        y: [m, ...], flattened; m at least 2.
    """
    n, m = len(x), len(y)
    # An example's distance to itself, 0 but for rounding, is masked out.
    x_apart = jnp.sum(distances(x, x) * (1.0 - jnp.eye(n))) / (n * (n - 1))
    y_apart = jnp.sum(distances(y, y) * (1.0 - jnp.eye(m))) / (m * (m - 1))
    return 2.0 * jnp.mean(distances(x, y)) - x_apart - y_apart


def distances(x: Array, y: Array) -> Array:
    """|x_i - y_j|, [n, m], by inner products: differences would take n m images of memory."""
    x, y = (a.reshape(len(a), -1).astype(jnp.float32) for a in (x, y))
    inner = jnp.matmul(x, y.T, precision="highest")  # the difference of large squares is small
    squared = jnp.sum(x * x, 1)[:, None] - 2.0 * inner + jnp.sum(y * y, 1)[None, :]
    positive = squared > 0  # rounding may leave less, and at 0 the root has no gradient
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, squared, 1.0)), 0.0)
