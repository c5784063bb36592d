"""The same weights in diffusers and here give the same noise (``tests/parity/diffusion.py``)."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from parity.recipe import weights

from dljax import models
from dljax.models.diffusion import ddpm
from dljax.weights.ddpm import entries
from dljax.weights.mapping import to_params, to_state

GOLDEN = Path(__file__).parent / "parity/golden/ddpm.npz"
SHAPE = {"widths": (8, 16, 16), "layers": 2, "attention": (1,)}


def test_ddpm_is_diffusers():
    model = models.build(ddpm, "cifar10", groups=4, **SHAPE)
    image = np.random.default_rng(0).normal(size=(2, 3, 16, 16)).astype(np.float32)
    image, time = jnp.asarray(image.transpose(0, 2, 3, 1)), jnp.array([3, 871])
    here = jax.eval_shape(lambda: model.init(jax.random.key(0), image, time, train=False)["params"])
    table = entries(**SHAPE)
    empty = jax.tree.map(lambda x: np.empty(x.shape, np.float32), here)
    shapes = {name: array.shape for name, array in to_state(table, empty).items()}
    assert len(shapes) == len(jax.tree.leaves(here))  # every parameter is in the map
    params = to_params(table, weights(shapes))
    assert jax.tree.map(np.shape, params) == jax.tree.map(np.shape, here)
    out = jax.jit(lambda p: model.apply({"params": p}, image, time, train=False))(params)
    golden = np.load(GOLDEN)["output"].transpose(0, 2, 3, 1)
    # float32 through some 40 layers and norms: 1e-4 of the largest, where a wrong link is of order 1.
    np.testing.assert_allclose(out, golden, atol=1e-4 * np.abs(golden).max(), rtol=0)
