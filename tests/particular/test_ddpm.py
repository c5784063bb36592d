"""DDPM's network: zero output before training, and samples determined by the first noise."""

import jax
import jax.numpy as jnp
import numpy as np
from architectures import tiny

from dljax import models
from dljax.models.diffusion import ddpm
from dljax.tasks.diffusion import diffusion
from dljax.tasks.samplers import ddim, sampler


def test_ddim_depends_on_the_first_noise_alone(key):
    model, params = tiny(ddpm)[:2]

    def predict(params, x, time):
        return model.apply({"params": params}, x, time, train=False)

    draw = ddim(predict, (2, 8, 8, 1), steps=5)
    np.testing.assert_array_equal(draw(params, key), draw(params, key))
    assert draw(params, key).shape == (2, 8, 8, 1) and np.abs(draw(params, key)).max() <= 1
    fresh = sampler(predict, (2, 8, 8, 1), steps=5, eta=1.0)
    assert (fresh(params, key) != draw(params, key)).any()


def test_untrained_network_predicts_nothing(key):
    """Its last layer starts at zero, so the loss is the noise's own square: 1."""
    task = diffusion(models.build(ddpm, "tiny"))
    batch = {"image": jnp.zeros((64, 8, 8, 1))}
    params, extra = jax.jit(task.init)(key, batch)
    loss = jax.jit(task.evaluate)(params, extra, batch, key)["loss"]
    assert loss.count == 64
    np.testing.assert_allclose(loss.value, 1.0, atol=4 * np.sqrt(2 / (64 * 64)))
