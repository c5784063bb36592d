"""Looks for models that write a text for a text: scores of what they write, texts to read, and where they attend."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from dljax.analysis.charts import alignment
from dljax.analysis.continuation import left_padded
from dljax.analysis.decode import decode
from dljax.analysis.generate import ended, generate
from dljax.data.sources.pairs import BEGIN, END, PAD, Pairs
from dljax.data.sources.text import Words
from dljax.errors import UserError
from dljax.types import Key, Variables

_ROWS = 128
Writes = Callable[[Variables, Sequence[str]], list[str]]


def _by_rows(function: Callable[[Sequence[str]], list[str]], texts: Sequence[str]) -> list[str]:
    """``function`` of all texts, a few at once; always of as many, so that its program is compiled once."""
    out: list[str] = []
    rows = max(1, min(_ROWS, len(texts)))
    for start in range(0, len(texts), rows):
        some = list(texts[start : start + rows])
        out += function(some + [""] * (rows - len(some)))[: len(some)]
    return out


@dataclass(frozen=True)
class Translator:
    """A model with its vocabularies, as a function of texts.

    Attributes:
        source, target: vocabularies.
        width: tokens of a source at most, with its end; longer ones are cut.
        length: tokens written at most.
        beams, alpha: of ``decode``.
    """

    model: nn.Module
    source: Words
    target: Words
    width: int
    length: int
    beams: int = 1
    alpha: float = 0.6

    @classmethod
    def of(cls, model: nn.Module, pairs: Pairs, **options: Any) -> "Translator":
        """A translator for pairs like these; what it writes may be half as long again."""
        length = pairs.width + pairs.width // 2
        return cls(model, pairs.source, pairs.target, pairs.width, length, **options)

    def __call__(self, variables: Variables, texts: Sequence[str]) -> list[str]:
        """The text that the model writes for each, tokens apart by spaces."""

        def written(some: Sequence[str]) -> list[str]:
            source = np.full((len(some), self.width), PAD, np.int32)
            for row, text in zip(source, some, strict=True):
                tokens = self.source.encode(text)[: self.width - 1]
                row[: len(tokens)], row[len(tokens)] = tokens, END
            options = {"length": self.length, "beams": self.beams, "alpha": self.alpha}
            tokens = decode(self.model, variables, jnp.asarray(source), **options)
            return [self.text(row) for row in np.asarray(tokens)]

        return _by_rows(written, texts)

    def text(self, tokens: np.ndarray) -> str:
        """Tokens as text, up to the end."""
        ends = np.flatnonzero((tokens == END) | (tokens == PAD))
        return self.target.decode(tokens[: ends[0]] if len(ends) else tokens)


@dataclass(frozen=True)
class Prompter:
    """A language model with its vocabulary, as a function of texts that it goes on from after BEGIN.

    Attributes:
        width: tokens of a text at most, with BEGIN; longer ones lose their end.
        length: tokens written at most, greedily.
    """

    model: nn.Module
    vocabulary: Words
    width: int
    length: int

    @classmethod
    def of(cls, model: nn.Module, pairs: Pairs) -> "Prompter":
        """One for pairs like these (``Prompted``)."""
        return cls(model, pairs.source, pairs.width, pairs.width)

    def __call__(self, variables: Variables, texts: Sequence[str]) -> list[str]:
        """The text that the model writes for each, tokens apart by spaces."""

        def written(some: Sequence[str]) -> list[str]:
            begun = [
                np.append(self.vocabulary.encode(text)[: self.width - 1], np.int32(BEGIN))
                for text in some
            ]
            tokens, padding = left_padded(begun, self.width)
            options = {"length": self.length, "temperature": 0.0, "stop": END, "padding": padding}
            params, key = variables.params["model"], jax.random.key(0)
            out = generate(self.model, params, tokens, key, **options)
            return [self.vocabulary.decode(ended(row, END)) for row in np.asarray(out)]

        return _by_rows(written, texts)


@dataclass(frozen=True)
class Scored:
    """A look: numbers of what a model writes for the first ``n`` sources of a set.

    Attributes:
        translator: a ``Translator``, or another function of (variables, texts).
        function: (written, truth) -> name -> number.
        truth: of each source; by default the texts of the pairs.
    """

    translator: Writes
    pairs: Pairs
    function: Callable[[list[str], list], Mapping[str, float]]
    n: int | None = None
    truth: Sequence | None = None

    def __call__(self, variables: Variables, key: Key) -> Mapping[str, float]:
        texts = list(self.pairs.texts[: self.n])
        truth = list(self.truth or [target for _, target in texts])[: len(texts)]
        return self.function(self.translator(variables, [source for source, _ in texts]), truth)


@dataclass(frozen=True)
class Written:
    """A look: the first ``n`` sources of a set, their true targets, and the text that a model writes; or of
    ``prompt``, if there is one.
    """

    translator: Writes
    pairs: Pairs
    n: int = 10
    prompt: str = ""

    def __call__(self, variables: Variables, key: Key) -> str:
        if self.prompt:
            return self.translator(variables, [self.prompt])[0] + "\n"
        texts = list(self.pairs.texts[: self.n])
        written = self.translator(variables, [source for source, _ in texts])
        return "\n".join(
            f"{source}\n  true  {target}\n  {'=' if own == target else ' '}     {own}\n"
            for (source, target), own in zip(texts, written, strict=True)
        )


@dataclass(frozen=True)
class Attended:
    """A look: the weights with which a model attends to the tokens of a source while it writes, for ``n``
    sources of a set. The tokens are the model's own, written greedily.

    Attributes:
        first: number of the first source.
    """

    translator: Translator
    pairs: Pairs
    n: int = 4
    first: int = 0

    def __call__(self, variables: Variables, key: Key) -> np.ndarray:
        texts = [source for source, _ in self.pairs.texts[self.first : self.first + self.n]]
        own = self.translator
        maps = []
        for text, written in zip(texts, own(variables, texts), strict=True):
            source = np.append(own.source.encode(text), END)
            target = np.concatenate([[BEGIN], own.target.encode(written)]).astype(np.int32)
            weights = attention(own.model, variables, source[None], target[None])[0]
            rows = [*written.split(), "<eos>"]
            maps.append((weights, rows, [*text.split(), "<eos>"]))
        return alignment(maps)


def attention(
    model: nn.Module, variables: Variables, source: np.ndarray, target: np.ndarray
) -> np.ndarray:
    """The weights [b, t, s] with which a model's decoder attends to the source before it writes the token
    after each of ``target``; the mean over heads, in the last layer.

    Raises:
        UserError: it attends to nothing.
    """
    given = {"params": variables.params["model"], **variables.extra["model"]}
    _, kept = model.apply(
        given, jnp.asarray(source), jnp.asarray(target), train=False, mutable=["intermediates"]
    )
    found = [
        leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(kept.get("intermediates", {}))
        if any(getattr(part, "key", None) == "attention" for part in path)
    ]
    if not found:
        raise UserError("this model attends to nothing: take one with attention")
    return np.asarray(found[-1])
