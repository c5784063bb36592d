"""Recurrent forecaster: the last time's output is what is made into the future."""

import jax.numpy as jnp
import numpy as np
from architectures import tiny

from dljax.models.recurrent import series


def test_the_future_is_linear_in_the_last_output():
    """With a shut output gate nothing is known of the past, and the bias is the forecast."""
    model, params, _, inputs = tiny(series, 0.3)
    last = params["layer1"]
    bias = last["bias"].at[15:].set(-1e4)  # o of five units
    shut = {**params, "layer1": {**last, "bias": bias}}
    out = model.apply({"params": shut}, **inputs, train=False)
    np.testing.assert_allclose(out, jnp.broadcast_to(params["head"]["bias"], (2, 3)), atol=1e-6)
    assert np.ptp(model.apply({"params": params}, **inputs, train=False), 0).max() > 1e-3
