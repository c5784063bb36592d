"""The convolutional VAE: its two halves."""

import jax
import jax.numpy as jnp
import numpy as np
from architectures import sizes

from dljax import models
from dljax.models.autoencoders import conv_vae


def test_halves_have_the_published_counts():
    assert sizes(conv_vae, "2") == {"encoder": 69_076, "decoder": 65_089}


def test_noise_is_of_training_alone(key):
    """With a log variance of 0 and a mean of 0, the decoder is given eps in training, else 0."""
    model = models.build(conv_vae, "tiny")
    image = jax.random.uniform(key, (2, 8, 8, 1))
    params = model.init({"params": key, "noise": key}, image, train=False)["params"]
    for head in ("mean", "log_var"):
        params["encoder"][head] = jax.tree.map(jnp.zeros_like, params["encoder"][head])
    given = {"params": params}
    made, mean, log_var = model.apply(given, image, train=False)
    assert not mean.any() and not log_var.any()
    np.testing.assert_array_equal(made, model.apply(given, mean, method="decode"))
    drawn = model.apply(given, image, train=True, rngs={"noise": key})[0]
    assert float(jnp.abs(drawn - made).max()) > 1e-3
