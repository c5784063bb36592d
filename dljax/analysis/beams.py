"""Beam search: the likeliest continuations that a language model has, in one compiled program."""

from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from dljax.analysis.continuation import continuation
from dljax.errors import UserError
from dljax.types import PyTree


class Beams(NamedTuple):
    """Continuations, the best first.

    Attributes:
        tokens: int32 [b, beams, length], nothing but the stop token after the first one.
        score: float32 [b, beams]; minus infinity where there are fewer continuations than beams.
    """

    tokens: Int[Array, "b beams length"]
    score: Float[Array, "b beams"]


def length_penalty(length: int | Array, alpha: float | Array) -> Array:
    """((5 + length) / 6) ** alpha. Wu et al. 2016, arXiv:1609.08144, equation 14 without coverage."""
    return ((5.0 + length) / 6.0) ** jnp.asarray(alpha, jnp.float32)


def _best(tokens: Array, score: Array, count: int) -> Beams:
    score, index = jax.lax.top_k(score, count)
    return Beams(jnp.take_along_axis(tokens, index[:, :, None], 1), score)


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
    """The ``beams`` best continuations that were found for each prompt, of ``length`` tokens or to a
    stop token.

    Of unfinished continuations the ``beams`` likeliest are followed. A score is log P / penalty, its
    length counted with the stop token (``length_penalty``). The search ends early where no unfinished
    one can become better than all that have ended.

    Args:
        model, params, prompt, context, padding: of ``generate``.
        length: number of tokens at most.
        stop: token with which a continuation may end; None where all have ``length`` tokens.
        alpha: of the penalty, 0 or more: 0 compares probabilities; the paper has 0.6 to 0.7.

    Raises:
        UserError: an empty prompt, no beam, or more tokens than the context has.
    """
    (b, p), k = prompt.shape, beams
    if p < 1 or k < 1 or length < 1:
        raise UserError(f"{k} beams of {length} tokens after {p}: expected at least one of each")
    if context is not None and p + length > context:
        raise UserError(
            f"{length} tokens after a prompt of {p} exceed the context of {context}: take fewer"
        )
    end = jnp.asarray(-1 if stop is None else stop, prompt.dtype)
    go_on = continuation(model, params, p + length)

    def step(at):
        index, cache, logits, text, total, ended = at
        v = logits.shape[-1]
        chance = jax.nn.log_softmax(logits.astype(jnp.float32)).reshape(b, k, v)
        # Each beam has one stop token, so among 2 k are k that go on.
        best, place = jax.lax.top_k((total[:, :, None] + chance).reshape(b, k * v), min(2, v) * k)
        parent, token = place // v, (place % v).astype(prompt.dtype)
        longer = jnp.take_along_axis(text, parent[:, :, None], 1)
        longer = jax.lax.dynamic_update_slice_in_dim(longer, token[:, :, None], index, axis=2)
        score = jnp.where(token == end, best / length_penalty(index + 1, alpha), -jnp.inf)
        tokens = jnp.concatenate([ended.tokens, longer], 1)
        ended = _best(tokens, jnp.concatenate([ended.score, score], 1), k)
        total, chosen = jax.lax.top_k(jnp.where(token == end, -jnp.inf, best), k)
        text = jnp.take_along_axis(longer, chosen[:, :, None], 1)
        rows = jnp.take_along_axis(parent, chosen, 1) + k * jnp.arange(b)[:, None]
        cache = jax.tree.map(lambda x: x[rows.reshape(-1)] if x.ndim else x, cache)
        token = jnp.take_along_axis(token, chosen, 1).reshape(b * k, 1)
        return index + 1, *go_on(cache, token), text, total, ended

    def going(at):
        index, _, _, _, total, ended = at
        # Probabilities only fall, and the penalty is largest at the full length.
        possible = total[:, 0] / length_penalty(length, alpha)
        return (index < length) & jnp.any(ended.score[:, -1] < possible)

    cache, logits = jax.tree.map(
        lambda x: jnp.repeat(x, k, axis=0) if x.ndim else x, go_on({}, prompt, padding)
    )
    text = jnp.full((b, k, length), end)
    none = jnp.full((b, k), -jnp.inf)
    begin = (0, cache, logits, text, none.at[:, 0].set(0.0), Beams(text, none))
    index, _, _, text, total, ended = jax.lax.while_loop(going, step, begin)
    whole = jnp.where(index == length, total / length_penalty(length, alpha), -jnp.inf)
    tokens = jnp.concatenate([ended.tokens, text], 1)
    return _best(tokens, jnp.concatenate([ended.score, whole], 1), k)
