"""Decoding: the tokens that an encoder-decoder model writes for a source, greedily or by beam search.

The searches know of a model no more than its ``step`` (``dljax.analysis.beams.Step``).
"""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from dljax.analysis.beams import Step, search
from dljax.data.sources.pairs import BEGIN, END, PAD
from dljax.types import PyTree, Variables


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
        alpha: of ``beams.length_penalty``.
    """
    given = {"params": variables.params["model"], **variables.extra["model"]}
    encoded, state = model.apply(given, source, length, method="start")
    first = jnp.full(source.shape[:1], BEGIN, source.dtype)

    def step(token: Array, state: PyTree) -> tuple[Float[Array, "n v"], PyTree]:
        encoded, own = state
        logits, own = model.apply(given, token, encoded, own, method="step")
        # Nothing is filled up or begins again in the midst.
        never = jnp.arange(logits.shape[-1]) < END
        return jnp.where(never[None], -jnp.inf, logits.astype(jnp.float32)), (encoded, own)

    if beams == 1:
        return greedy_search(step, (encoded, state), first, length, END)
    logits, state = step(first, (encoded, state))
    end, fill = jnp.asarray(END, first.dtype), jnp.asarray(PAD, first.dtype)
    more = partial(search, length=length, beams=beams, alpha=alpha)
    return more(step, logits, state, stop=end, fill=fill).tokens[:, 0]
