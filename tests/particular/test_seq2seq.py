"""Sequence to sequence: what it writes token by token, what it sees of a source, where it attends."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from parity.cases import SOURCES, sources, targets
from refusal import refused

from dljax import models
from dljax.analysis.decode import decode
from dljax.analysis.translations import attention
from dljax.models.recurrent import seq2seq
from dljax.types import Variables

KINDS = ("tiny", "tiny-plain", "tiny-multiplicative")
SOURCE, TARGET = jnp.asarray(sources()), jnp.asarray(targets())


@pytest.fixture(params=KINDS, scope="module")
def net(request):
    """(model, its variables far from their start, their logits for a source and a target)."""
    model = models.build(seq2seq, request.param)
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), SOURCE, TARGET, train=False))
    rng = np.random.default_rng(1)
    variables = jax.tree.map(lambda x: jnp.float32(rng.uniform(-0.9, 0.9, x.shape)), shapes)
    return model, variables, jax.jit(partial(model.apply, variables, train=False))


def test_token_by_token_is_the_whole(net):
    model, variables, logits = net
    start = jax.jit(lambda s: model.apply(variables, s, 5, method="start"))
    encoded, state = start(SOURCE)
    step = jax.jit(lambda *given: model.apply(variables, *given, method="step"))
    for t in range(5):
        found, state = step(TARGET[:, t], encoded, state)
        # The same sums over another number of times.
        np.testing.assert_allclose(found, logits(SOURCE, TARGET)[:, t], rtol=1e-5, atol=1e-6)


def test_padding_is_not_seen(net):
    """A short source alone, and in a row that is filled up; a row between two others."""
    logits, row = net[2], 1
    alone = logits(SOURCE[row : row + 1, : SOURCES[row]], TARGET[row : row + 1])
    np.testing.assert_allclose(alone[0], logits(SOURCE, TARGET)[row], rtol=1e-5, atol=1e-6)


def test_a_token_is_not_seen_before_its_time(net):
    logits = net[2]
    for t in range(5):
        changed = TARGET.at[:, t].set(TARGET[:, t] % 10 + 1)
        moved = np.asarray(logits(SOURCE, changed) != logits(SOURCE, TARGET)).any((0, 2))
        assert not moved[:t].any() and moved[t:].all()


def test_every_token_of_the_source_is_seen(net):
    logits = net[2]
    for s in range(6):
        changed = SOURCE.at[0, s].set(SOURCE[0, s] % 12 + 1)
        moved = np.asarray(logits(changed, TARGET) != logits(SOURCE, TARGET)).any(-1)
        assert moved[0].all() and not moved[1:].any()


def test_attention_is_of_tokens_alone(net):
    model, variables, _ = net
    given = Variables({"model": variables["params"]}, {"model": {}})
    if not model.attends:
        with refused("this model attends to nothing"):
            attention(model, given, sources(), targets())
        return
    weights = attention(model, given, sources(), targets())
    assert weights.shape == (3, 5, 6)
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-6)
    for row, n in enumerate(SOURCES):
        assert not weights[row, :, n:].any() and (weights[row, :, :n] > 0).all()


def test_decoding_is_what_the_model_says(net):
    """Each greedy token is the likeliest of the whole model's, padding and the beginning apart; and what
    a beam of three writes is no less likely than that.
    """
    model, variables, logits = net
    given = Variables({"model": variables["params"]}, {"model": {}})
    greedy, beam = (
        np.asarray(decode(model, given, SOURCE, length=5, beams=k, alpha=0.0)) for k in (1, 3)
    )

    def log_p(tokens):
        """Of every token there is, after those before it."""
        before = np.concatenate([np.ones((3, 1), np.int32), tokens[:, :-1]], 1)
        return np.asarray(jax.nn.log_softmax(logits(SOURCE, before).at[..., :2].set(-1e30)))

    likeliest, ended = log_p(greedy).argmax(-1), np.zeros(3, bool)
    for t in range(5):
        np.testing.assert_array_equal(greedy[:, t], np.where(ended, 0, likeliest[:, t]))
        ended |= greedy[:, t] == 2

    def total(tokens):
        each = np.take_along_axis(log_p(tokens), tokens[..., None], -1)[..., 0]
        return (each * (tokens > 0)).sum(1)

    both = (beam == 2).any(1) & ended
    assert (total(beam)[both] >= total(greedy)[both] - 1e-5).all()
