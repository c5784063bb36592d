"""Texts of transformers and here on the same weights: with padding, greedy, by beams; and its nuclei."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from parity.cases import AFTER, LLAMA, NUCLEI, PADDING, scores, tokens
from test_parity import ROWS, empty, recipe

from dljax.analysis.beams import beam_search
from dljax.analysis.generate import generate, pick
from dljax.weights import to_variables

GOLDEN = np.load(Path(__file__).parent / "parity" / "golden" / "decoders.npz")
pytestmark = pytest.mark.usefixtures("fast_forms")


@pytest.fixture(scope="module")
def llama():
    row = ROWS["transformers' Llama"]
    model, zeros = empty(row)
    entries = row.entries(model)
    return model, to_variables(entries, recipe(entries, zeros))["params"]


def test_hidden_states_with_padding(llama):
    """After each block, and the logits, to 1e-4 of the largest: float32 through three blocks."""
    model, params = llama
    logits, state = jax.jit(
        lambda params: model.apply(
            {"params": params},
            jnp.asarray(tokens()),
            train=False,
            padding=jnp.asarray(PADDING),
            capture_intermediates=True,
            mutable=["intermediates"],
        )
    )(params)
    found = state["intermediates"]
    x = found["embed"]["__call__"][0]
    states = [x]
    for i in range(LLAMA["layers"]):
        parts = (found[f"block{i}"][name]["__call__"][0] for name in ("attention", "mlp"))
        x = sum(parts, x)
        states.append(x)
    states[-1] = found["norm"]["__call__"][0]
    for row, first in enumerate(PADDING):
        for ours, theirs in zip(states, GOLDEN["hidden"], strict=True):
            most = 1e-5 * np.abs(theirs).max()
            np.testing.assert_allclose(ours[row, first:], theirs[row, first:], atol=most, rtol=1e-4)
        expected = GOLDEN["padded"][row, first:]
        most = 1e-5 * np.abs(expected).max()
        np.testing.assert_allclose(logits[row, first:], expected, atol=most, rtol=1e-4)


def test_greedy_texts(llama, key):
    model, params = llama
    found = generate(
        model,
        params,
        jnp.asarray(tokens()),
        key,
        length=AFTER,
        temperature=0.0,
        context=model.context,
        padding=jnp.asarray(PADDING),
    )
    np.testing.assert_array_equal(found, GOLDEN["greedy"])


def test_beams(llama):
    """Without a penalty, where GNMT's and transformers' are the same."""
    model, params = llama
    found = beam_search(
        model,
        params,
        jnp.asarray(tokens()),
        length=AFTER,
        beams=3,
        context=model.context,
        padding=jnp.asarray(PADDING),
    )
    np.testing.assert_array_equal(found.tokens.reshape(6, AFTER), GOLDEN["beams"])
    np.testing.assert_allclose(found.score.reshape(6), GOLDEN["beam_scores"], rtol=1e-4)


@pytest.mark.parametrize("i", range(len(NUCLEI)))
def test_nuclei(i, key):
    """The tokens that can be drawn are those that transformers leaves."""
    top_k, top_p = NUCLEI[i]
    for logits, kept in zip(scores(), GOLDEN[f"nucleus{i}"], strict=True):
        many = jnp.asarray(logits)[None].repeat(3000, 0)
        drawn = set(np.asarray(pick(many, key, 1.0, top_k, top_p)).tolist())
        allowed = set(np.flatnonzero(kept).tolist())
        assert drawn <= allowed
        # Those of 1 in 300 and more are drawn, but for a chance of e**-10 each.
        chance = np.exp(logits) * kept
        assert set(np.flatnonzero(chance / chance.sum() > 1 / 300).tolist()) <= drawn
