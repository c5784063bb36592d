"""Beam search: the likeliest sequences that a model goes on with, in one compiled program."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from dljax.analysis.continuation import continuation
from dljax.errors import UserError
from dljax.types import PyTree

# (tokens [n], state) -> (logits [n, v] of the tokens after them, state), whose leaves are scalars or have a
# row for each of the n sequences as their first axis.
Step = Callable[[Array, PyTree], tuple[Array, PyTree]]


class Beams(NamedTuple):
    """Sequences, the best first.

    Attributes:
        tokens: int32 [b, beams, length], nothing but what fills up after the stop token.
        score: float32 [b, beams]; minus infinity where there are fewer sequences than beams.
    """

    tokens: Int[Array, "b beams length"]
    score: Float[Array, "b beams"]


def length_penalty(length: int | Array, alpha: float | Array) -> Array:
    """((5 + length) / 6) ** alpha. Wu et al. 2016, arXiv:1609.08144, equation 14 without coverage."""
    return ((5.0 + length) / 6.0) ** jnp.asarray(alpha, jnp.float32)


def _best(tokens: Array, score: Array, count: int) -> Beams:
    score, index = jax.lax.top_k(score, count)
    return Beams(jnp.take_along_axis(tokens, index[:, :, None], 1), score)


def search(
    step: Step,
    logits: Float[Array, "b v"],
    state: PyTree,
    *,
    length: int,
    beams: int,
    stop: int | Array,
    fill: int | Array,
    alpha: float | Array = 0.0,
) -> Beams:
    """The ``beams`` best sequences that are found from a state, of ``length`` tokens or to a stop token.

    Of unfinished sequences the ``beams`` likeliest are followed. A score is log P / penalty, its length
    counted with the stop token (``length_penalty``). The search ends early where no unfinished sequence
    can become better than all that have ended.

    Args:
        logits: of the first tokens.
        state: with which ``step`` goes on after them, of b rows.
        length: number of tokens at most.
        stop: token with which a sequence may end; -1 where all have ``length`` tokens.
        fill: token after the stop token.
        alpha: of the penalty, 0 or more: 0 compares probabilities; the paper has 0.6 to 0.7.

    Raises:
        UserError: no beam, or no token.
    """
    (b, _), k = logits.shape, beams
    if k < 1 or length < 1:
        raise UserError(f"{k} beams of {length} tokens: expected at least one of each")
    kind = jnp.asarray(stop).dtype

    def one(at):
        index, state, logits, text, total, ended = at
        v = logits.shape[-1]
        chance = jax.nn.log_softmax(logits.astype(jnp.float32)).reshape(b, k, v)
        # Each beam has one stop token, so among 2 k are k that go on.
        best, place = jax.lax.top_k((total[:, :, None] + chance).reshape(b, k * v), min(2, v) * k)
        parent, token = place // v, (place % v).astype(kind)
        longer = jnp.take_along_axis(text, parent[:, :, None], 1)
        longer = jax.lax.dynamic_update_slice_in_dim(longer, token[:, :, None], index, axis=2)
        score = jnp.where(token == stop, best / length_penalty(index + 1, alpha), -jnp.inf)
        tokens = jnp.concatenate([ended.tokens, longer], 1)
        ended = _best(tokens, jnp.concatenate([ended.score, score], 1), k)
        total, chosen = jax.lax.top_k(jnp.where(token == stop, -jnp.inf, best), k)
        text = jnp.take_along_axis(longer, chosen[:, :, None], 1)
        rows = jnp.take_along_axis(parent, chosen, 1) + k * jnp.arange(b)[:, None]
        state = jax.tree.map(lambda x: x[rows.reshape(-1)] if x.ndim else x, state)
        token = jnp.take_along_axis(token, chosen, 1).reshape(b * k)
        logits, state = step(token, state)
        return index + 1, state, logits, text, total, ended

    def going(at):
        index, _, _, _, total, ended = at
        # Probabilities only fall, and the penalty is largest at the full length.
        possible = total[:, 0] / length_penalty(length, alpha)
        return (index < length) & jnp.any(ended.score[:, -1] < possible)

    state, logits = jax.tree.map(
        lambda x: jnp.repeat(x, k, axis=0) if x.ndim else x, (state, logits)
    )
    text = jnp.full((b, k, length), fill, kind)
    none = jnp.full((b, k), -jnp.inf)
    begin = (0, state, logits, text, none.at[:, 0].set(0.0), Beams(text, none))
    index, _, _, text, total, ended = jax.lax.while_loop(going, one, begin)
    whole = jnp.where(index == length, total / length_penalty(length, alpha), -jnp.inf)
    tokens = jnp.concatenate([ended.tokens, text], 1)
    return _best(tokens, jnp.concatenate([ended.score, whole], 1), k)


@partial(jax.jit, static_argnames=("model", "length", "beams", "context"))
def beam_search(
    model: nn.Module,
    params: PyTree,
    prompt: Int[Array, "b p"],
    *,
    length: int,
    beams: int,
    stop: int | Array | None = None,
    alpha: float | Array = 0.0,
    context: int | None = None,
    padding: Int[Array, " b"] | None = None,
) -> Beams:
    """The ``beams`` best continuations that a language model has for each prompt (``search``).

    Args:
        model, params, prompt, context, padding: of ``generate``.
        length: number of tokens at most.
        stop: token with which a continuation may end; None where all have ``length`` tokens.
        alpha: of ``search``.

    Raises:
        UserError: an empty prompt, no beam, or more tokens than the context has.
    """
    p = prompt.shape[1]
    if p < 1:
        raise UserError("an empty prompt: give at least one token")
    if context is not None and p + length > context:
        raise UserError(
            f"{length} tokens after a prompt of {p} exceed the context of {context}: take fewer"
        )
    end = jnp.asarray(-1 if stop is None else stop, prompt.dtype)
    go_on = continuation(model, params, p + length)

    def step(token: Array, cache: PyTree) -> tuple[Array, PyTree]:
        cache, logits = go_on(cache, token[:, None])
        return logits, cache

    cache, logits = go_on({}, prompt, padding)
    more = partial(search, length=length, beams=beams, alpha=alpha)
    return more(step, logits, cache, stop=end, fill=end)
