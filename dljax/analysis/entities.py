"""Entities in tagged texts, scored as conlleval does. Tjong Kim Sang & De Meulder 2003, doi:10.3115/1119176.1119195."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from dljax.analysis.predictions import predict
from dljax.data.pipeline import EvalSet
from dljax.data.sources.word_pieces import WordPieces
from dljax.types import Key, Task, Variables


class Entity(NamedTuple):
    """An entity of a text: its kind, its first word and the word after its last."""

    kind: str
    begin: int
    end: int


def entities(tags: Sequence[str]) -> set[Entity]:
    """The entities of a text's tags, "B-kind", "I-kind" and "O".

    One begins at a B, and at an I that follows none of its kind; it goes on with each I of its kind.
    """
    found, begin, kind = set(), 0, ""
    for at, tag in enumerate([*tags, "O"]):
        mark, _, now = tag.partition("-")
        if kind and (mark != "I" or now != kind):
            found.add(Entity(kind, begin, at))
            kind = ""
        if mark != "O" and not kind:
            begin, kind = at, now
    return found


def scores(truth: Iterable[Sequence[str]], guess: Iterable[Sequence[str]]) -> dict[str, float]:
    """precision, recall and f1 over the entities of all texts; one is right if kind, begin and end are.

    A share of nothing is 0.
    """
    right = told = there = 0
    for one, other in zip(truth, guess, strict=True):
        real, found = entities(one), entities(other)
        right, told, there = right + len(real & found), told + len(found), there + len(real)
    precision, recall = right / max(told, 1), right / max(there, 1)
    f1 = 2 * right / max(told + there, 1)
    return {"precision": precision, "recall": recall, "f1": f1}


@dataclass(frozen=True)
class EntityScores:
    """Scores of a set's predictions: a function for ``analysis.predictions.Score``.

    Attributes:
        names: of the tags, in the order of their numbers.
    """

    names: Sequence[str]

    def __call__(self, examples: Mapping[str, np.ndarray], outputs: Any) -> dict[str, float]:
        """``scores`` of ``label`` [n, t], in which -1 is no word, and logits [n, t, tags]."""
        words = examples["label"] >= 0

        def told(tags: np.ndarray) -> list[list[str]]:
            rows = zip(tags, words, strict=True)
            return [[self.names[tag] for tag in row[at]] for row, at in rows]

        return scores(told(examples["label"]), told(np.argmax(outputs, -1)))


@dataclass(frozen=True)
class Marked:
    """A look: texts with the entities that a model finds in [brackets], and those that it should in {braces}.

    Attributes:
        data: ``tokens`` and ``label``, -1 where a piece begins no word.
        vocabulary: of the pieces.
        names: of the tags.
        n: number of texts, from the first on.
    """

    task: Task
    data: EvalSet
    vocabulary: WordPieces
    names: Sequence[str]
    n: int = 12

    def __call__(self, variables: Variables, key: Key) -> str:
        examples, logits = predict(self.task, variables, self.data, self.n)
        lines = []
        for tokens, label, guess in zip(
            examples["tokens"], examples["label"], np.argmax(logits, -1), strict=True
        ):
            begins = np.flatnonzero(label >= 0)
            ends = [*begins[1:], np.flatnonzero(tokens == self.vocabulary.special.last)[-1]]
            pairs = zip(begins, ends, strict=True)
            words = [self.vocabulary.decode(tokens[begin:end]) for begin, end in pairs]
            for tags, marks in ((label, "{}"), (guess, "[]")):
                for _, begin, end in entities([self.names[tag] for tag in tags[begins]]):
                    words[begin] = marks[0] + words[begin]
                    words[end - 1] += marks[1]
            lines.append(" ".join(words))
        return "\n".join(lines) + "\n"
