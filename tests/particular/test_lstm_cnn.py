"""LSTM-CNN: each channel has its own table, and neither reads what fills a sentence up."""

import jax.numpy as jnp
import numpy as np
from architectures import tiny

from dljax.models.hybrids import lstm_cnn


def test_how_far_a_sentence_is_filled_up_changes_nothing():
    model, params = tiny(lstm_cnn, 0.3)[:2]
    short = jnp.array([[3, 5, 2], [1, 0, 0]])
    variables = {"params": params}
    out = model.apply(variables, short, train=False)
    longer = model.apply(variables, jnp.pad(short, ((0, 0), (0, 20))), train=False)
    np.testing.assert_allclose(longer, out, rtol=1e-5, atol=1e-6)  # the same sums in other blocks


def test_the_order_of_far_words_is_the_lstms_to_tell():
    """With the LSTM's share of the hidden layer at zero, the two far halves may be exchanged."""
    model, params = tiny(lstm_cnn, 0.3)[:2]
    one, other = [1, 2, 3], [4, 5, 6]
    between = [7] * 3  # as long as the highest window

    def logits(words, params):
        return model.apply({"params": params}, jnp.array([words]), train=False)

    kernel = params["hidden"]["kernel"].at[:5].set(0.0)
    deaf = {**params, "hidden": {**params["hidden"], "kernel": kernel}}
    pair = [7, 7, *one, *between, *other, 7, 7], [7, 7, *other, *between, *one, 7, 7]
    np.testing.assert_allclose(logits(pair[0], deaf), logits(pair[1], deaf), rtol=1e-5)
    assert np.abs(logits(pair[0], params) - logits(pair[1], params)).max() > 1e-4
