"""LRCN: what the mean over frames of probabilities is, and local response normalization by hand."""

import jax
import jax.numpy as jnp
import numpy as np
from architectures import sizes, tiny

from dljax.models.hybrids import lrcn


def test_the_paper_s_layers():
    """CaffeNet's convolutions and first dense layer, whose sum is AlexNet of two groups' less its end."""
    assert sizes(lrcn, "activity") == {
        "conv1": 34_944,
        "conv2": 307_456,
        "conv3": 885_120,
        "conv4": 663_936,
        "conv5": 442_624,
        "fc6": 37_752_832,
        "lstm": 4_457_472,
        "head": 25_957,
    }


def test_the_output_is_a_distribution_and_sees_the_order_of_frames():
    model, params, _, inputs = tiny(lrcn, 0.3)
    out = model.apply({"params": params}, **inputs, train=False)
    np.testing.assert_allclose(jnp.exp(out).sum(-1), 1.0, rtol=1e-5)
    back = model.apply({"params": params}, inputs["video"][:, ::-1], train=False)
    assert np.abs(back - out).max() > 1e-5


def test_one_frame_again_and_again_has_its_own_features():
    """Without memory between frames (recurrent weights and forget gate shut), frames are classified apart and
    their probabilities averaged."""
    model, params, _, inputs = tiny(lrcn, 0.3)
    lstm = params["lstm"]
    shut = jnp.zeros(20).at[5:10].set(-1e4)  # the gates of f, of five units
    apart = {**params, "lstm": {**lstm, "w_h": 0 * lstm["w_h"], "bias": lstm["bias"] + shut}}
    out = model.apply({"params": apart}, **inputs, train=False)
    frames = [
        jnp.exp(model.apply({"params": apart}, inputs["video"][:, t : t + 1], train=False))
        for t in range(3)
    ]
    np.testing.assert_allclose(jnp.exp(out), sum(frames) / 3, rtol=1e-5)


def test_local_response():
    x = jnp.zeros((1, 1, 1, 7)).at[0, 0, 0, 2].set(100.0).at[0, 0, 0, 6].set(10.0)
    out = np.asarray(lrcn.local_response(x))[0, 0, 0]
    near = 1 + 2e-5 * 100.0**2  # the tenth lies four channels away
    np.testing.assert_allclose(out[2], 100 / near**0.75, rtol=1e-6)
    np.testing.assert_allclose(out[6], 10 / (1 + 2e-5 * 100) ** 0.75, rtol=1e-6)
    assert (out[[0, 1, 3, 4, 5]] == 0).all()
    assert jax.eval_shape(lrcn.local_response, x.astype(jnp.bfloat16)).dtype == jnp.bfloat16
