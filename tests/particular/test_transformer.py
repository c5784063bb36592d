"""The Transformer: token by token, padding, positions, its schedule, and torch's hidden states."""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from architectures import tiny
from parity.cases import SOURCES, TRANSFORMER, sources, targets
from parity.recipe import weights

from dljax import models
from dljax.analysis.decode import decode
from dljax.analysis.translations import attention
from dljax.models.transformers import transformer
from dljax.types import Variables
from dljax.weights import from_variables, to_variables
from dljax.weights.transformer import entries

GOLDEN = Path(__file__).parents[1] / "parity" / "golden" / "translation.npz"


SOURCE, TARGET = jnp.asarray(sources()), jnp.asarray(targets())


@pytest.fixture(scope="module")
def net():
    """(model, its variables far from their start, their logits for a source and a target)."""
    model, params = tiny(transformer, 0.3)[:2]
    variables = {"params": params}
    return model, variables, jax.jit(partial(model.apply, variables, train=False))


def test_the_encoder_alone_is_that_of_the_whole(net):
    """It needs no variable of the decoder, and what fills a row up is not read."""
    model, variables, _ = net
    encode = jax.jit(partial(model.apply, train=False, method="encode"))
    names = {k for k in variables["params"] if not k.startswith("decoder")}
    own = {"params": {name: variables["params"][name] for name in names}}
    x, mask = encode(own, SOURCE)
    np.testing.assert_array_equal(mask, SOURCE > 0)
    encoded, _ = jax.jit(lambda s: model.apply(variables, s, 1, method="start"))(SOURCE)
    read = variables["params"]["decoder_0"]["cross_attn"]
    d = x.shape[-1]
    key = x @ read["kernel"][:, d : 2 * d] + read["bias"][None, None, d : 2 * d]
    np.testing.assert_allclose(encoded.memories[0][0].reshape(key.shape), key, atol=1e-5)
    shorter, _ = encode(own, SOURCE[1:, : SOURCES[1]])
    np.testing.assert_allclose(x[1, : SOURCES[1]], shorter[0], atol=1e-5)


def test_token_by_token_is_the_whole(net):
    model, variables, logits = net
    encoded, state = jax.jit(lambda s: model.apply(variables, s, 7, method="start"))(SOURCE)
    step = jax.jit(lambda *given: model.apply(variables, *given, method="step"))
    for t in range(5):
        found, state = step(TARGET[:, t], encoded, state)
        # The same sums over another number of places.
        np.testing.assert_allclose(found, logits(SOURCE, TARGET)[:, t], rtol=1e-5, atol=1e-5)


def test_padding_is_not_seen(net):
    logits, row = net[2], 1
    alone = logits(SOURCE[row : row + 1, : SOURCES[row]], TARGET[row : row + 1])
    np.testing.assert_allclose(alone[0], logits(SOURCE, TARGET)[row], rtol=1e-5, atol=1e-5)


def test_nothing_comes_from_the_future(net):
    logits = net[2]
    for t in range(5):
        changed = TARGET.at[:, t].set(TARGET[:, t] % 10 + 1)
        moved = np.asarray(logits(SOURCE, changed) != logits(SOURCE, TARGET)).any((0, 2))
        assert not moved[:t].any() and moved[t:].all()


def test_attention_is_of_tokens_alone(net):
    model, variables, _ = net
    given = Variables({"model": variables["params"]}, {"model": {}})
    weights = attention(model, given, sources(), targets())
    assert weights.shape == (3, 5, 6)
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-6)
    for row, n in enumerate(SOURCES):
        assert not weights[row, :, n:].any() and (weights[row, :, :n] > 0).all()


def test_decoding_is_what_the_model_says(net):
    model, variables, logits = net
    given = Variables({"model": variables["params"]}, {"model": {}})
    found = np.asarray(decode(model, given, SOURCE, length=5))
    before = np.concatenate([np.ones((3, 1), np.int32), found[:, :-1]], 1)
    likeliest = np.argmax(logits(SOURCE, before).at[..., :2].set(-1e30), -1)
    ended = np.zeros(3, bool)
    for t in range(5):
        np.testing.assert_array_equal(found[:, t], np.where(ended, 0, likeliest[:, t]))
        ended |= found[:, t] == 2


def test_positions_by_hand():
    """Section 3.5, of four features: sin p, cos p, sin p/100, cos p/100."""
    p = np.arange(3)
    expected = np.stack([np.sin(p), np.cos(p), np.sin(p / 100), np.cos(p / 100)], 1)
    np.testing.assert_allclose(transformer.positions(3, 4), expected, atol=1e-7)


def test_the_rate_rises_and_falls():
    """At its peak (512 * 4000)^-1/2; a quarter on the way up at 1000; half at four times the warm-up."""
    peak = (512 * 4000) ** -0.5
    rates = [transformer.learning_rate(n - 1, 512, 4000) for n in (1, 1000, 4000, 16_000)]
    np.testing.assert_allclose(rates, [peak / 4000, peak / 4, peak, peak / 2], rtol=1e-6)


def test_hidden_states_are_torchs():
    """Every layer's output, where there is a token."""
    model = models.build(transformer, "tiny", **TRANSFORMER)
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), SOURCE, TARGET, train=False))
    names = entries(model)
    there = from_variables(names, jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes))
    variables = to_variables(names, weights({name: x.shape for name, x in there.items()}))
    _, kept = model.apply(
        jax.tree.map(jnp.asarray, variables),
        SOURCE,
        TARGET,
        train=False,
        capture_intermediates=lambda module, method: method == "__call__",
    )
    golden = np.load(GOLDEN)
    real = sources() > 0
    for i in range(TRANSFORMER["layers"]):
        for side in ("encoder", "decoder"):
            (found,) = kept["intermediates"][f"{side}_{i}"]["__call__"]
            expected = golden[f"{side}_{i}"]
            if side == "encoder":
                found, expected = np.asarray(found)[real], expected[real]
            # float32 sums of at most 24 terms through nine sublayers, normalized to a size of 1.
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
