"""Beam search beside all texts there are, and beside a plain one of lists."""

import itertools
from functools import cache, partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from architectures import DECODERS, module_of, over

from dljax import models
from dljax.analysis.beams import beam_search, length_penalty
from dljax.analysis.continuation import left_padded
from dljax.errors import UserError

V, LENGTH, STOP = 4, 4, 2


@cache
def small(home):
    """A model of four tokens, and the function prompt -> log P of the next, in double precision."""
    model = models.build(home, "tiny", vocabulary=V)
    shapes = jax.eval_shape(
        lambda: model.init(jax.random.key(0), jnp.zeros((1, 2), jnp.int32), train=False)
    )["params"]
    rng = np.random.default_rng(3)
    params = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape), jnp.float32), shapes)
    apply = jax.jit(partial(model.apply, {"params": params}, train=False))

    @cache
    def next_token(text):
        logits = np.asarray(apply(jnp.asarray([text], jnp.int32)), np.float64)[0, -1]
        return logits - np.logaddexp.reduce(logits)

    return model, params, next_token


def all_texts(next_token, prompt, alpha):
    """Every text of at most LENGTH tokens, ended by STOP or of full length, by its score."""
    found = {}
    for text in itertools.product(range(V), repeat=LENGTH):
        text = text[: text.index(STOP) + 1] if STOP in text else text
        total = sum(next_token((*prompt, *text[:i]))[token] for i, token in enumerate(text))
        found[text] = total / ((5 + len(text)) / 6) ** alpha
    return sorted(found.items(), key=lambda item: -item[1])


def filled(text):
    return [*text, *[STOP] * (LENGTH - len(text))]


@over([DECODERS[0], DECODERS[-1]])
@pytest.mark.parametrize("alpha", [0.0, 0.8])
def test_enough_beams_find_the_best_of_all_texts(architecture, alpha):
    model, params, next_token = small(module_of(architecture))
    prompts = [(1, 3, 0), (2,)]
    tokens, padding = left_padded([np.array(prompt, np.int32) for prompt in prompts])
    # 3 ** 3 unfinished texts at the most.
    found = beam_search(
        model, params, tokens, length=LENGTH, beams=27, stop=STOP, alpha=alpha, padding=padding
    )
    for i, prompt in enumerate(prompts):
        expected = all_texts(next_token, prompt, alpha)[:27]
        # float32 sums of four logarithms beside double precision
        np.testing.assert_allclose(found.score[i], [score for _, score in expected], atol=2e-5)
        gap = np.diff([score for _, score in expected])
        for text, row, apart in zip(expected, found.tokens[i].tolist(), np.abs(gap), strict=False):
            if apart < 1e-4:
                break  # two texts as good as each other
            assert row == filled(text[0])


def plain(next_token, prompt, beams, alpha):
    """Beam search as lists of (total, text)."""
    alive, done = [(0.0, ())], []
    for _ in range(LENGTH):
        longer = [
            (total + chance, (*text, token))
            for total, text in alive
            for token, chance in enumerate(next_token((*prompt, *text)))
        ]
        longer = sorted(longer, reverse=True)[: 2 * beams]
        done += [(t / ((5 + len(x)) / 6) ** alpha, x) for t, x in longer if x[-1] == STOP]
        alive = [(t, x) for t, x in longer if x[-1] != STOP][:beams]
    done += [(t / ((5 + LENGTH) / 6) ** alpha, x) for t, x in alive]
    return sorted(done, reverse=True)[:beams]


@pytest.mark.parametrize("beams", [1, 2, 3])
def test_few_beams_are_those_of_a_plain_search(beams):
    model, params, next_token = small(module_of(DECODERS[0]))
    for prompt in ((1, 3, 0), (2, 0, 1), (3, 3, 3)):
        tokens = jnp.asarray([prompt], jnp.int32)
        found = beam_search(model, params, tokens, length=LENGTH, beams=beams, stop=STOP, alpha=0.6)
        expected = plain(next_token, prompt, beams, 0.6)
        np.testing.assert_allclose(found.score[0], [score for score, _ in expected], atol=2e-5)
        assert found.tokens[0].tolist() == [filled(text) for _, text in expected]


def test_without_a_stop_token_every_text_is_of_full_length():
    model, params, next_token = small(module_of(DECODERS[0]))
    found = beam_search(model, params, jnp.array([[1, 0]], jnp.int32), length=3, beams=64)
    assert found.tokens.shape == (1, 64, 3)
    assert len({tuple(text) for text in found.tokens[0].tolist()}) == V**3
    # All of them: their probabilities add up to 1.
    np.testing.assert_allclose(np.exp(found.score).sum(), 1.0, atol=1e-5)
    more = beam_search(model, params, jnp.array([[1, 0]], jnp.int32), length=1, beams=6)
    assert np.isfinite(more.score[0, :V]).all() and np.isneginf(more.score[0, V:]).all()


class Wait(nn.Module):
    """First stop with 0.6 or go on with 0.4, and then on and on."""

    @nn.compact
    def __call__(self, tokens, *, train, decode=False, padding=None):
        seen = self.variable("cache", "seen", lambda: jnp.zeros((), jnp.int32))
        at = seen.value + jnp.arange(tokens.shape[1])
        seen.value += tokens.shape[1]
        chance = jnp.where((at == 0)[:, None], jnp.array([0.6, 0.4]), jnp.array([1e-6, 1 - 1e-6]))
        return jnp.broadcast_to(jnp.log(chance)[None], (*tokens.shape, 2))


def test_a_text_that_is_better_by_its_length_alone_is_waited_for():
    """By hand: log 0.6 / 1 = -0.51 for the stop at once, log 0.4 / (15 / 6) = -0.37 for ten tokens."""
    prompt = jnp.ones((1, 1), jnp.int32)
    found = beam_search(Wait(), {}, prompt, length=10, beams=1, stop=0, alpha=1.0)
    assert found.tokens[0, 0].tolist() == [1] * 10
    np.testing.assert_allclose(found.score, [[np.log(0.4) / 2.5]], atol=1e-4)  # less ten times 1e-6


def test_length_penalty_by_hand():
    np.testing.assert_allclose(length_penalty(1, 0.7), 1.0)
    np.testing.assert_allclose(length_penalty(7, 2.0), 4.0, rtol=1e-6)
    np.testing.assert_allclose(length_penalty(9, 0.0), 1.0)


def test_a_search_is_compiled_once_and_refuses_what_does_not_fit():
    model, params, _ = small(module_of(DECODERS[0]))
    search = partial(beam_search, model, params, length=2, beams=2)
    before = beam_search._cache_size()
    for i in range(3):
        search(jnp.full((1, 3), i, jnp.int32), stop=i, alpha=0.1 * i)
    assert beam_search._cache_size() == before + 1
    with pytest.raises(UserError, match="2 tokens after a prompt of 3 exceed the context of 4"):
        search(jnp.zeros((1, 3), jnp.int32), context=4)
    with pytest.raises(UserError, match="an empty prompt"):
        search(jnp.zeros((1, 0), jnp.int32))
