"""Decoding: the tokens that an encoder-decoder model writes for a source, greedily or by beam search.

The two searches know of a model no more than its ``step``: (tokens [n], state) -> (logits [n, v], state),
where every leaf of the state has a row for each of the n sequences as its first axis.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from dljax.analysis.beams import length_penalty
from dljax.types import PyTree, Variables

PAD, BEGIN, END = 0, 1, 2  # of dljax.data.sources.pairs
Step = Callable[[Array, PyTree], tuple[Array, PyTree]]
_NEVER = -1e30  # of a sequence that is none, below any log probability


def greedy_search(
    step: Step, state: PyTree, first: Int[Array, "n"], length: int, end: int
) -> Int[Array, "n length"]:
    """The likeliest token after each, up to and with ``end``; PAD after it."""

    def one(given, _):
        token, done, state = given
        logits, state = step(token, state)
        token = jnp.where(done, PAD, jnp.argmax(logits, -1).astype(first.dtype))
        return (token, done | (token == end), state), token

    _, tokens = jax.lax.scan(one, (first, first == end, state), None, length)
    return tokens.swapaxes(0, 1)


class Beams(NamedTuple):
    """The best sequences of each row, the best first.

    Attributes:
        tokens: int [n, beams, length]; PAD after the end.
        scores: float32 [n, beams]; log probability over ``length_penalty``.
    """

    tokens: Array
    scores: Array


def beam_search(
    step: Step,
    state: PyTree,
    first: Int[Array, "n"],
    length: int,
    end: int,
    *,
    beams: int,
    alpha: float = 0.0,
) -> Beams:
    """Beam search. Sequences that have ended are kept apart, by their penalized scores, so that they take
    no place from those that go on.

    Args:
        state: of n rows.
        length: number of tokens at most, ``end`` among them; what has not ended by then counts only
            where nothing has.
        beams: number of sequences of a row that go on.
        alpha: of ``length_penalty``, over the number of tokens with ``end``; 0 for none.
    """
    n = first.shape[0]
    state = jax.tree.map(lambda x: jnp.repeat(x, beams, 0), state)
    # At the beginning all beams of a row are one: the others are given no chance.
    scores = jnp.tile(jnp.where(jnp.arange(beams) == 0, 0.0, _NEVER)[None], (n, 1))
    tokens = jnp.full((n, beams, length), PAD, first.dtype)
    token = jnp.repeat(first, beams)
    ended = Beams(tokens, jnp.full((n, beams), _NEVER))

    def one(given, at):
        state, token, tokens, scores, ended = given
        logits, state = step(token, state)
        v = logits.shape[-1]
        each = jax.nn.log_softmax(logits.astype(jnp.float32)).reshape(n, beams, v)
        total = jnp.maximum(scores[..., None] + each, _NEVER).reshape(n, beams * v)
        # Of twice as many candidates at most half end, one for each beam.
        best, index = jax.lax.top_k(total, min(2 * beams, beams * v))
        source, new = index // v, (index % v).astype(token.dtype)
        grown = jnp.take_along_axis(tokens, source[..., None], 1).at[:, :, at].set(new)
        ends = new == end
        closed = jnp.where(ends & (best > _NEVER), best / length_penalty(at + 1, alpha), _NEVER)
        pool = jnp.concatenate([ended.scores, closed], 1)
        kept, which = jax.lax.top_k(pool, beams)
        both = jnp.concatenate([ended.tokens, grown], 1)
        ended = Beams(jnp.take_along_axis(both, which[..., None], 1), kept)
        scores, which = jax.lax.top_k(jnp.where(ends, _NEVER, best), beams)
        tokens = jnp.take_along_axis(grown, which[..., None], 1)
        token = jnp.take_along_axis(new, which, 1).reshape(-1)
        rows = jnp.arange(n)[:, None] * beams + jnp.take_along_axis(source, which, 1)
        state = jax.tree.map(lambda x: x[rows.reshape(-1)], state)
        return (state, token, tokens, scores, ended), None

    given = (state, token, tokens, scores, ended)
    (_, _, tokens, scores, ended), _ = jax.lax.scan(one, given, jnp.arange(length))
    none = (ended.scores[:, :1] <= _NEVER) & jnp.ones((1, beams), bool)
    open_scores = scores / length_penalty(length, alpha)
    return Beams(
        jnp.where(none[..., None], tokens, ended.tokens),
        jnp.where(none, open_scores, ended.scores),
    )


@partial(jax.jit, static_argnames=("model", "length", "beams", "alpha"))
def decode(
    model: nn.Module,
    variables: Variables,
    source: Int[Array, "b s"],
    *,
    length: int,
    beams: int = 1,
    alpha: float = 0.6,
) -> Int[Array, "b length"]:
    """The tokens that ``model`` writes for each source: greedily for one beam, else the best of a beam
    search. One program for all sources of a shape.

    Args:
        model: has ``start(source, length) -> (encoded, state)`` and ``step(token [b], encoded, state) ->
            (logits [b, v], state)``, every leaf with a row for each source; sequences begin with token 1
            and end with token 2.
        length: number of tokens at most.
        alpha: of ``length_penalty``.
    """
    given = {"params": variables.params["model"], **variables.extra["model"]}
    encoded, state = model.apply(given, source, length, method="start")
    first = jnp.full(source.shape[:1], BEGIN, source.dtype)

    def step(token: Array, state: PyTree) -> tuple[Float[Array, "n v"], PyTree]:
        encoded, own = state
        logits, own = model.apply(given, token, encoded, own, method="step")
        # Nothing is filled up or begins again in the midst.
        never = jnp.arange(logits.shape[-1]) < END
        return jnp.where(never[None], _NEVER, logits.astype(jnp.float32)), (encoded, own)

    if beams == 1:
        return greedy_search(step, (encoded, state), first, length, END)
    found = beam_search(step, (encoded, state), first, length, END, beams=beams, alpha=alpha)
    return found.tokens[:, 0]
