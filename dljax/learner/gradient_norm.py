"""The norm of a gradient, in a form that is cheap on CPU."""

import jax
import jax.numpy as jnp
import optax

from dljax.types import Array, PyTree, Scalar

_SMALL = 2**18  # elements


def global_norm(tree: PyTree) -> Scalar:
    """The L2 norm of all leaves together, float32: the value of ``optax.tree.norm``.

    For a small net on CPU a matrix product adds up the columns of squares. A plain sum would make XLA
    share the squares with Adam's second moment, in windows of 32: LeNet's step was 3 % slower so. For
    a larger net the form of the sum makes no difference, but an optimizer that clips by the global
    norm shares the plain sum: a char GPT's step was 2 % faster with it.
    """
    leaves = jax.tree.leaves(tree)
    if jax.default_backend() != "cpu" or sum(x.size for x in leaves) > _SMALL:
        return optax.tree.norm(jax.tree.map(lambda x: x.astype(jnp.float32), tree))
    return jnp.sqrt(sum(map(_sum_of_squares, leaves), jnp.zeros(())))


def _sum_of_squares(x: Array) -> Scalar:
    rows = x.reshape(-1, *x.shape[-1:]).astype(jnp.float32)
    return jnp.sum(jnp.ones(len(rows)) @ jnp.square(rows))
