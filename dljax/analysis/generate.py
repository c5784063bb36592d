"""Sampling from a language model, token by token, in one compiled program."""

from dataclasses import dataclass
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from dljax.data.sources.text import Characters, Words
from dljax.errors import UserError
from dljax.types import Key, PyTree, Variables


def pick(
    logits: Float[Array, "b v"], key: Key, temperature: float | Array, top_k: int
) -> Int[Array, "b"]:
    """Draw a token per row from ``softmax(logits / temperature)``.

    Args:
        temperature: 0 takes the likeliest token.
        top_k: draw from so many of the likeliest tokens; 0 draws from all.
    """
    logits = logits.astype(jnp.float32)
    if 0 < top_k < logits.shape[-1]:
        least = jax.lax.top_k(logits, top_k)[0][:, -1:]
        logits = jnp.where(logits < least, -jnp.inf, logits)
    drawn = jax.random.categorical(key, logits / jnp.maximum(temperature, 1e-6), axis=-1)
    return jnp.where(temperature > 0, drawn, jnp.argmax(logits, -1))


@partial(jax.jit, static_argnames=("model", "length", "top_k", "context"))
def generate(
    model: nn.Module,
    params: PyTree,
    prompt: Int[Array, "b p"],
    key: Key,
    *,
    length: int,
    temperature: float | Array = 1.0,
    top_k: int = 0,
    context: int | None = None,
) -> Int[Array, "b length"]:
    """``length`` tokens that follow ``prompt``.

    The prompt passes through the model at once, then each token alone; the model keeps the past in
    its collection "cache". When the cache of a bounded ``context`` is full, it is filled again from
    the newer half of the tokens, so the text may be of any length.

    Args:
        model: called as ``model(tokens, train=False, decode=True)``, giving logits [b, t, v].
        params: its parameters.
        prompt: at least one token.
        key: of the draws.
        length: number of tokens.
        temperature: 0 takes the likeliest token.
        top_k: 0 draws from all tokens.
        context: number of tokens that the cache holds; None where it is unbounded.

    Raises:
        UserError: an empty prompt.
    """
    if prompt.shape[1] < 1:
        raise UserError("an empty prompt: give at least one character")

    def stretch(tokens, key, count):
        """``count`` tokens after ``tokens``, with a new cache."""

        def apply(cache, tokens):
            logits, changed = model.apply(
                {"params": params, **cache}, tokens, train=False, decode=True, mutable=["cache"]
            )
            return changed, logits[:, -1]

        def step(carry, key):
            cache, logits = carry
            token = pick(logits, key, temperature, top_k).astype(tokens.dtype)
            return apply(cache, token[:, None]), token

        start = apply({}, tokens)
        _, out = jax.lax.scan(step, start, jax.random.split(key, count))
        return jnp.swapaxes(out, 0, 1)

    if context is None:
        return stretch(prompt, key, length)
    half = max(1, context // 2)
    prompt = prompt[:, -half:]
    first = stretch(prompt, jax.random.fold_in(key, 0), min(length, context - prompt.shape[1]))
    missing = length - first.shape[1]
    if missing <= 0:
        return first
    size = context - half

    def more(recent, index):
        out = stretch(recent, jax.random.fold_in(key, index), size)
        return jnp.concatenate([recent, out], 1)[:, -half:], out

    recent = jnp.concatenate([prompt, first], 1)[:, -half:]
    _, rest = jax.lax.scan(more, recent, jnp.arange(1, -(-missing // size) + 1))
    rest = jnp.swapaxes(rest, 0, 1).reshape(prompt.shape[0], -1)
    return jnp.concatenate([first, rest], 1)[:, :length]


@dataclass(frozen=True)
class Text:
    """A look: a prompt and the text with which a language model continues it.

    Attributes:
        vocabulary: turns the prompt into tokens, and tokens into text.
        temperature, length, top_k, context: of ``generate``.

    Raises:
        UserError: the prompt is empty.
    """

    model: nn.Module
    vocabulary: Characters | Words
    prompt: str
    temperature: float
    length: int = 500
    top_k: int = 0
    context: int | None = None

    def __post_init__(self):
        if not self._tokens().size:
            raise UserError("--prompt is empty: give at least one character")

    def _tokens(self) -> np.ndarray:
        return self.vocabulary.encode(self.prompt)[None]

    def __call__(self, variables: Variables, key: Key) -> str:
        out = generate(
            self.model,
            variables.params["model"],
            jnp.asarray(self._tokens()),
            key,
            length=self.length,
            temperature=self.temperature,
            top_k=self.top_k,
            context=self.context,
        )
        joint = "" if isinstance(self.vocabulary, Characters) else " "
        return self.prompt + joint + self.vocabulary.decode(np.asarray(out[0])) + "\n"
