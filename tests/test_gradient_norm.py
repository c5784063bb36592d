"""The norm of a gradient is optax's."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dljax.learner.gradient_norm import global_norm


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize(
    "shapes", [[()], [(7,)], [(5, 5, 6, 16), (16,), (400, 120), ()], [], [(600, 600), (9,)]]
)
def test_norm_is_optax_norm(shapes, dtype):
    rng = np.random.default_rng(0)
    tree = [jnp.asarray(rng.normal(size=shape), dtype) for shape in shapes]
    wide = [np.asarray(x, np.float64).ravel() for x in tree]
    ours = jax.jit(global_norm)(tree)
    assert (ours.shape, ours.dtype) == ((), jnp.float32)
    # Up to 360,000 squares in float32, added in rows or windows: 1e-6 is several times what is lost.
    np.testing.assert_allclose(ours, np.linalg.norm(np.concatenate([[0.0], *wide])), rtol=1e-6)
    if dtype == jnp.float32:
        np.testing.assert_allclose(ours, optax.tree.norm(tree), rtol=1e-6)
