"""Gaps in a text, filled by a masked language model."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import flax.linen as nn
import jax
import numpy as np

from dljax.data.sources.word_pieces import SPECIAL, WordPieces
from dljax.errors import UserError
from dljax.types import Key, Variables


@dataclass(frozen=True)
class Fill:
    """A look: the likeliest pieces for each [MASK] of a text, with their probabilities.

    Attributes:
        model: gives logits [b, t, v] for tokens [b, t], or a tuple whose first they are.
        texts: each with one [MASK] or more.
        top: pieces shown.

    Raises:
        UserError: a text has no [MASK].
    """

    model: nn.Module
    vocabulary: WordPieces
    texts: Sequence[str]
    top: int = 5

    def __post_init__(self):
        for text in self.texts:
            if SPECIAL[4] not in text:
                raise UserError(f"--prompt {text!r}: expected a text with [MASK] to be filled in")

    def __call__(self, variables: Variables, key: Key) -> str:
        special = self.vocabulary.special
        apply = jax.jit(partial(self.model.apply, train=False))
        out = []
        for text in self.texts:
            tokens = np.array(
                [special.first, *self.vocabulary.encode(text), special.last], np.int32
            )
            given = apply({"params": variables.params["model"]}, tokens[None])
            logits = given[0] if isinstance(given, tuple) else given
            chance = np.asarray(jax.nn.softmax(logits[0].astype(np.float32), -1))
            out.append(text)
            for at in np.flatnonzero(tokens == special.mask):
                best = np.argsort(-chance[at], kind="stable")[: self.top]
                shown = (f"{self.vocabulary.pieces[i]} {chance[at, i]:.0%}" for i in best)
                out.append("    " + ", ".join(shown))
        return "\n".join(out) + "\n"
