"""Sampling from a language model, token by token, in one compiled program."""

from dataclasses import dataclass
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from dljax.analysis.beams import beam_search
from dljax.analysis.continuation import continuation
from dljax.data.sources.text import Vocabulary
from dljax.errors import UserError
from dljax.types import Key, PyTree, Variables


def pick(
    logits: Float[Array, "b v"],
    key: Key,
    temperature: float | Array,
    top_k: int = 0,
    top_p: float | Array | None = None,
) -> Int[Array, "b"]:
    """Draw a token per row from ``softmax(logits / temperature)``.

    Args:
        temperature: 0 takes the likeliest token.
        top_k: draw from so many of the likeliest tokens; 0 draws from all.
        top_p: draw from the fewest of the likeliest tokens whose probabilities, among those that
            ``top_k`` leaves, add up to this (Holtzman et al. 2019, arXiv:1904.09751, section 3.1; tokens
            as likely as the last of them belong to them); None draws from all.
    """
    logits = logits.astype(jnp.float32)
    if 0 < top_k < logits.shape[-1]:
        least = jax.lax.top_k(logits, top_k)[0][:, -1:]
        logits = jnp.where(logits < least, -jnp.inf, logits)
    scaled = logits / jnp.maximum(temperature, 1e-6)
    if top_p is not None:
        ordered = -jnp.sort(-scaled, axis=-1)
        chance = jax.nn.softmax(ordered, axis=-1)
        before = jnp.cumsum(chance, axis=-1) - chance
        # The first is always among them, also where top_p is 0.
        kept = (before < top_p) | (jnp.arange(chance.shape[-1]) == 0)[None, :]
        least = jnp.min(jnp.where(kept, ordered, jnp.inf), axis=-1, keepdims=True)
        scaled = jnp.where(scaled < least, -jnp.inf, scaled)
    drawn = jax.random.categorical(key, scaled, axis=-1)
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
    top_p: float | Array | None = None,
    stop: int | Array | None = None,
    context: int | None = None,
    padding: Int[Array, " b"] | None = None,
) -> Int[Array, "b length"]:
    """``length`` tokens that follow ``prompt``.

    The prompt passes through the model at once, then each token alone. When the cache of a bounded
    ``context`` is full, it is filled again from the newer half of the tokens, so the text may be of any
    length.

    Args:
        model: as in ``continuation``.
        params: its parameters.
        prompt: at least one token; of it the newer half of the context is taken, where prompt and
            text together exceed it.
        key: of the draws.
        length: number of tokens.
        temperature, top_k, top_p: of ``pick``. Another temperature, ``top_p`` or ``stop`` is no other
            program.
        stop: token after which a row has nothing but this token; the program ends with the last row.
        context: number of tokens that the model takes; None where it is unbounded.
        padding: number of places without a token at the beginning of each row (``left_padded``).

    Raises:
        UserError: an empty prompt, no token to draw, or a context of less than two.
    """
    if prompt.shape[1] < 1:
        raise UserError("an empty prompt: give at least one character")
    if length < 1:
        raise UserError(f"{length} tokens: expected at least one")
    if context is not None and context < 2:
        raise UserError(f"a context of {context}: expected at least 2 tokens")
    end = jnp.asarray(-1 if stop is None else stop, prompt.dtype)
    size = prompt.shape[1] + length
    half = size
    if context is not None and size > context:
        size, half = context, max(1, context // 2)
    go_on = continuation(model, params, size)

    def stretch(tokens, padding, done, key, count):
        """``count`` tokens after ``tokens``, with a new cache; and the rows that have ended."""
        keys = jax.random.split(key, count)

        def going(at):
            index, _, _, done, _ = at
            return (index < count) & ~jnp.all(done)

        def step(at):
            index, cache, logits, done, out = at
            token = pick(logits, keys[index], temperature, top_k, top_p).astype(out.dtype)
            token = jnp.where(done, end, token)
            out = jax.lax.dynamic_update_slice_in_dim(out, token[:, None], index, axis=1)
            return index + 1, *go_on(cache, token[:, None]), done | (token == end), out

        out = jnp.full((tokens.shape[0], count), end)
        *_, done, out = jax.lax.while_loop(going, step, (0, *go_on({}, tokens, padding), done, out))
        return out, done

    done = jnp.zeros(prompt.shape[0], bool)
    if padding is not None:
        padding = jnp.maximum(padding - max(0, prompt.shape[1] - half), 0)
    prompt = prompt[:, -half:]
    count = min(length, size - prompt.shape[1])
    first, done = stretch(prompt, padding, done, jax.random.fold_in(key, 0), count)
    missing = length - count
    if missing <= 0:
        return first

    def more(before, index):
        recent, done = before
        out, done = stretch(recent, None, done, jax.random.fold_in(key, index), size - half)
        return (jnp.concatenate([recent, out], 1)[:, -half:], done), out

    # No padding is left: the first stretch had at least ``half`` tokens.
    recent = jnp.concatenate([prompt, first], 1)[:, -half:]
    turns = jnp.arange(1, -(-missing // (size - half)) + 1)
    _, rest = jax.lax.scan(more, (recent, done), turns)
    rest = jnp.swapaxes(rest, 0, 1).reshape(prompt.shape[0], -1)
    return jnp.concatenate([first, rest], 1)[:, :length]


@dataclass(frozen=True)
class Text:
    """A look: a prompt and the text with which a language model continues it.

    Attributes:
        vocabulary: turns the prompt into tokens, and tokens into text.
        temperature, length, top_k, top_p, stop, context: of ``generate``.
        beams: show the best of so many of ``beam_search`` instead; nothing is drawn then, and with a
            bounded context the text has half of it at most.
        alpha: of ``beam_search``.

    Raises:
        UserError: the prompt is empty.
    """

    model: nn.Module
    vocabulary: Vocabulary
    prompt: str
    temperature: float
    length: int = 500
    top_k: int = 0
    context: int | None = None
    top_p: float | None = None
    stop: int | None = None
    beams: int = 0
    alpha: float = 0.0

    def __post_init__(self):
        if not self._tokens().size:
            raise UserError("--prompt is empty: give at least one character")

    def _tokens(self) -> np.ndarray:
        return self.vocabulary.encode(self.prompt)[None]

    def __call__(self, variables: Variables, key: Key) -> str:
        params, prompt = variables.params["model"], jnp.asarray(self._tokens())
        if self.beams:
            length = self.length
            if self.context is not None:
                length = min(length, max(1, self.context // 2))
                prompt = prompt[:, -(self.context - length) :]
            found = beam_search(
                self.model,
                params,
                prompt,
                length=length,
                beams=self.beams,
                stop=self.stop,
                alpha=self.alpha,
                context=self.context,
            )
            out = found.tokens[:, 0]
        else:
            out = generate(
                self.model,
                params,
                prompt,
                key,
                length=self.length,
                temperature=self.temperature,
                top_k=self.top_k,
                top_p=self.top_p,
                stop=self.stop,
                context=self.context,
            )
        tokens = ended(np.asarray(out[0]), self.stop)
        whole = self.vocabulary.decode([*self._tokens()[0], *tokens])
        if not whole.startswith(self.prompt):  # the vocabulary is without some of its words
            whole = f"{self.prompt} {self.vocabulary.decode(tokens)}"
        return whole + "\n"


def ended(tokens: np.ndarray, stop: int | None) -> np.ndarray:
    """The tokens before the first stop token."""
    if stop is None or stop not in tokens:
        return tokens
    return tokens[: np.flatnonzero(tokens == stop)[0]]
