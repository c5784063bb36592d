"""VAE: the bound of a network whose value is known in closed form."""

import jax
import jax.numpy as jnp
import numpy as np

from dljax import models
from dljax.models.autoencoders import vae
from dljax.tasks.reconstruction import variational


def test_bound_of_a_network_of_zeros(key):
    """Logits 0 cost log 2 for every pixel whatever its gray, and the posterior is the prior."""
    task = variational(models.build(vae, "tiny"))
    batch = {"image": jax.random.uniform(key, (3, 28, 28, 1))}
    params, extra = jax.jit(task.init)(key, batch)
    zeros = jax.tree.map(jnp.zeros_like, params)
    measured = task.evaluate(zeros, extra, batch, key)
    assert {name: x.count for name, x in measured.items()} == dict.fromkeys(measured, 3)
    np.testing.assert_allclose(measured["loss"].value, 784 * np.log(2), rtol=1e-6)
    assert measured["kl"].value == 0
    again = task.evaluate(params, extra, batch, key)["loss"]
    np.testing.assert_array_equal(again, task.evaluate(params, extra, batch, key)["loss"])
