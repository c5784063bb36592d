"""The KL autoencoder: a draw in training alone, of a variance within bounds; sides that it can halve."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from architectures import tiny

from dljax.errors import UserError
from dljax.models.autoencoders import kl_autoencoder


def test_training_draws_and_use_takes_the_mean(key):
    model, params, _, inputs = tiny(kl_autoencoder)

    @jax.jit
    def outputs(params, image):
        drawn = model.apply({"params": params}, image, train=True, rngs={"noise": key})
        used = model.apply({"params": params}, image, train=False)
        return drawn, used, model.apply({"params": params}, used[1], method="decode")

    drawn, used, decoded = outputs(params, inputs["image"])
    np.testing.assert_array_equal(used[0], decoded)
    np.testing.assert_array_equal(drawn[1], used[1])
    assert (drawn[0] != used[0]).any()
    # A variance that no float32 holds is the largest of the authors' bounds, or the least.
    for bias, bound in ((100.0, 20.0), (-100.0, -30.0)):
        far = {"encoder_out": {**params["encoder_out"], "bias": jnp.full((4,), bias)}}
        _, (_, _, log_var), _ = outputs({**params, **far}, inputs["image"])
        np.testing.assert_array_equal(log_var, np.full((2, 4, 4, 2), bound))


def test_sides_that_cannot_be_halved_are_refused(key):
    model = kl_autoencoder.KLAutoencoder(**kl_autoencoder.VARIANTS["f4"])
    assert model.factor == 4
    with pytest.raises(UserError, match="multiples of 4"):
        jax.eval_shape(lambda: model.init(key, jnp.zeros((1, 8, 10, 1)), train=False))
