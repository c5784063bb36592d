"""BiLSTM classifier: mirrored sentences, and what fills them up."""

import jax.numpy as jnp
import numpy as np
from architectures import tiny

from dljax import models
from dljax.models.recurrent import bilstm


def test_how_far_a_sentence_is_filled_up_changes_nothing():
    model, params = tiny(bilstm, 0.3)[:2]
    short = jnp.array([[3, 5, 2], [1, 0, 0]])
    out = model.apply({"params": params}, short, train=False)
    longer = model.apply({"params": params}, jnp.pad(short, ((0, 0), (0, 9))), train=False)
    np.testing.assert_allclose(longer, out, rtol=1e-5, atol=1e-6)  # the same sums in other blocks


def test_a_mirrored_sentence_has_the_mirrored_networks_logits():
    """One layer: the directions' weights exchanged, and the head's two halves."""
    model = models.build(bilstm, "tiny", layers=1)
    params = tiny(bilstm, 0.3).params
    params = {name: params[name] for name in ("embed", "lstm0", "head")}
    tokens = jnp.array([[3, 5, 2, 9], [4, 4, 8, 1]])
    turned = {
        **params,
        "lstm0": {
            "forwards": params["lstm0"]["backwards"],
            "backwards": params["lstm0"]["forwards"],
        },
        "head": {**params["head"], "kernel": jnp.roll(params["head"]["kernel"], 3, 0)},
    }
    out = model.apply({"params": params}, tokens, train=False)
    mirrored = model.apply({"params": turned}, tokens[:, ::-1], train=False)
    np.testing.assert_allclose(mirrored, out, rtol=1e-5, atol=1e-6)
