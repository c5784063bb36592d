"""Greedy and beam decoding, against sums over all sequences there are."""

import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dljax.analysis.beams import search
from dljax.analysis.decode import decode, greedy_search
from dljax.types import Variables

V, LENGTH, END = 4, 4, 2
# Log probabilities of the token after each, for three rows: [row, before, after].
TABLES = jax.nn.log_softmax(2 * jax.random.normal(jax.random.key(5), (3, V, V)))


def step(token, state):
    """The table's row, and a count of tokens that must be the sequence's own."""
    tables, before = state
    return tables[jnp.arange(len(token)), token], (tables, before + token)


def start(n=3):
    return TABLES[:n], jnp.zeros(n, jnp.int32)


def beam_search(step, state, first, **options):
    """``search`` after the token ``first``, which is given."""
    logits, state = step(first, state)
    return search(step, logits, state, length=LENGTH, stop=jnp.int32(END), fill=0, **options)


def every(table):
    """(tokens, log probability) of all sequences up to and with the end, or of LENGTH tokens without it."""
    others = [t for t in range(V) if t != END]
    ends = [(*x, END) for n in range(LENGTH) for x in itertools.product(others, repeat=n)]
    for tokens in [*ends, *itertools.product(others, repeat=LENGTH)]:
        yield tokens, sum(table[a, b] for a, b in itertools.pairwise((1, *tokens)))


def filled(tokens):
    return list(tokens) + [0] * (LENGTH - len(tokens))


@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.0])
def test_a_wide_beam_finds_the_best_of_all(alpha):
    """As wide as there are sequences, nothing is cut off: the three best are those of the whole list."""
    first = jnp.ones(3, jnp.int32)
    found = beam_search(step, start(), first, beams=V**LENGTH, alpha=alpha)
    for row, table in enumerate(np.asarray(TABLES, np.float64)):
        scored = {tuple(filled(t)): p / ((5 + len(t)) / 6) ** alpha for t, p in every(table)}
        best = sorted(scored.values(), reverse=True)[:3]
        # Sums of at most four float32 logarithms.
        np.testing.assert_allclose(found.score[row, :3], best, rtol=1e-5)
        # By their own scores, as two may be as good as each other.
        told = [tuple(tokens) for tokens in found.tokens[row, :3].tolist()]
        assert len(set(told)) == 3
        np.testing.assert_allclose([scored[tokens] for tokens in told], best, rtol=1e-5)


def test_one_beam_of_a_model_that_is_sure_is_greedy():
    """Each token has one successor of probability near 1: 1, 3, 0 and the end, another in each row."""
    order = [(1, 3, 0, END), (1, 0, END), (1, END)]
    tables = np.zeros((3, V, V), np.float32)
    for table, tokens in zip(tables, order, strict=True):
        for pair in itertools.pairwise(tokens):
            table[pair] = 20.0
    given = (jnp.asarray(tables), jnp.zeros(3, jnp.int32)), jnp.ones(3, jnp.int32)
    expected = [filled(tokens[1:]) for tokens in order]
    assert greedy_search(step, *given, LENGTH, END).tolist() == expected
    assert beam_search(step, *given, beams=1).tokens[:, 0].tolist() == expected


def test_a_beam_may_see_what_greed_misses():
    """After 3, which is likelier at first (0.6), all goes apart; 0 then leads to the end for sure."""
    table = np.full((V, V), -30.0, np.float32)
    table[1, [0, 3]] = np.log([0.4, 0.6])
    table[0, END] = 0.0
    table[3] = np.log(0.25)
    given = (jnp.asarray(table)[None], jnp.zeros(1, jnp.int32)), jnp.ones(1, jnp.int32)
    greedy = greedy_search(step, *given, LENGTH, END)[0]
    found = beam_search(step, *given, beams=2)
    assert greedy[0] == 3
    assert found.tokens[0, 0].tolist() == [0, END, 0, 0]
    np.testing.assert_allclose(found.score[0, 0], np.log(0.4), rtol=1e-6)


def test_what_has_not_ended_counts_where_nothing_has():
    table = np.full((V, V), -30.0, np.float32)
    table[:, 3] = 0.0
    table[:, END] = -np.inf
    given = (jnp.asarray(table)[None], jnp.zeros(1, jnp.int32)), jnp.ones(1, jnp.int32)
    found = beam_search(step, *given, beams=2, alpha=1.0)
    assert found.tokens[0, 0].tolist() == [3] * LENGTH
    # Each row of the table sums up to nearly e^0: log_softmax leaves next to nothing.
    np.testing.assert_allclose(found.score[0, 0], 0.0, atol=1e-6)


class Stutters(nn.Module):
    """Would fill up or begin again with 0.99, of the first two tokens, and with 0.8 of the others."""

    def start(self, source, length):
        return source, jnp.zeros(len(source), jnp.int32)

    def step(self, token, encoded, state):
        chance = jnp.array([0.495, 0.495, 0.004, 0.006])
        sure = jnp.array([0.4, 0.4, 0.2, 0.0])
        return jnp.log(jnp.where(state[:, None] > 1, sure[None], chance[None])), state + 1


def test_nothing_is_filled_up_or_begun_in_the_midst():
    given = Variables({"model": {}}, {"model": {}})
    source = jnp.ones((2, 3), jnp.int32)
    # Of what is left 0.4 ends and 0.6 goes on, twice; then it ends.
    for beams, expected in ((1, [3, 3, END, 0, 0, 0]), (2, [END, 0, 0, 0, 0, 0])):
        found = decode(Stutters(), given, source, length=6, beams=beams, alpha=0.0)
        assert found.tolist() == [expected] * 2  # greedily 0.36, and 0.4 at once


def test_the_state_goes_with_its_beam():
    """The sum of the tokens before, kept in the state, decides alone what comes next."""

    def counting(token, state):
        total = state + token
        # From 1: 0 or 3 alike; then what the sum says: 1 + 3 -> 3, 1 + 0 -> the end.
        begin = jnp.log(jnp.array([0.5, 1e-9, 1e-9, 0.5]))
        end = jnp.log(jnp.array([1e-9, 1e-9, 1.0, 1e-9]))
        on = jnp.log(jnp.array([1e-9, 1e-9, 0.1, 0.9]))
        at = jnp.where(
            (token == 1)[:, None], begin[None], jnp.where((total == 1)[:, None], end, on)
        )
        return at, total

    found = beam_search(counting, jnp.zeros(2, jnp.int32), jnp.ones(2, jnp.int32), beams=3)
    for row in (0, 1):
        assert found.tokens[row, 0].tolist() == [0, END, 0, 0]
        assert found.tokens[row, 1].tolist() == [3, 3, 3, 3]  # has not ended, and counts too
        assert found.tokens[row, 2].tolist() == [3, END, 0, 0]
    np.testing.assert_allclose(found.score[0], np.log([0.5, 0.5 * 0.9**3, 0.05]), rtol=1e-5)
