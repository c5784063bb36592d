"""Texts as vectors. Reimers & Gurevych 2019, Sentence-BERT, arXiv:1908.10084, section 3."""

from collections.abc import Sequence
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from dljax.data.sources.word_pieces import WordPieces
from dljax.types import PyTree

_STEP = 16  # rows are as long as the next multiple, so that few programs are compiled


def pooled(
    hidden: jax.Array, seen: jax.Array, pool: Literal["mean", "first"], normalize: bool
) -> jax.Array:
    """A vector for each row, float32 [b, d].

    Args:
        hidden: [b, t, d].
        seen: bool [b, t], False where a token is padding.
        pool: the mean over the tokens that are seen, or the first token's.
        normalize: to length 1.
    """
    hidden = hidden.astype(jnp.float32)
    if pool == "first":
        out = hidden[:, 0]
    else:
        counts = seen.astype(jnp.float32)
        out = jnp.einsum("btd,bt->bd", hidden, counts) / jnp.sum(counts, 1, keepdims=True)
    return out / jnp.linalg.norm(out, axis=1, keepdims=True) if normalize else out


def sentence_vectors(
    model: nn.Module,
    params: PyTree,
    vocabulary: WordPieces,
    texts: Sequence[str],
    *,
    length: int,
    pool: Literal["mean", "first"] = "mean",
    normalize: bool = True,
    batch: int = 32,
) -> np.ndarray:
    """A vector for each text, float32 [n, d], from the outputs of a model's last layer.

    Texts of similar lengths share a batch.

    Args:
        model: with a method ``encode(tokens, train=...)`` that returns ``hidden`` [b, t, d] and ``seen``
            bool [b, t].
        params: its parameters.
        length: tokens of a text at the most; the rest of a longer one is cut off.
        pool, normalize: as in ``pooled``.
        batch: rows of a batch.
    """

    @jax.jit
    def vectors(params, tokens):
        out: Any = model.apply({"params": params}, tokens, train=False, method="encode")
        return pooled(out.hidden, out.seen, pool, normalize)

    lengths = np.array([len(x) + 2 for x in vocabulary.encode_all(texts)], np.int64)
    order = np.argsort(lengths, kind="stable")
    found: list[np.ndarray] = []
    for start in range(0, len(texts), batch):
        some = order[start : start + batch]
        longest = min(length, -(-int(lengths[some].max()) // _STEP) * _STEP)
        rows = [*some, *np.repeat(some[-1:], batch - len(some))]  # one shape, one program
        tokens = vocabulary.rows([texts[i] for i in rows], longest)["tokens"]
        found.append(np.asarray(vectors(params, tokens))[: len(some)])
    out = np.concatenate(found)
    return out[np.argsort(order)]
