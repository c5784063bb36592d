"""Answers that are spans of a text, scored as SQuAD does. Rajpurkar et al. 2016, arXiv:1606.05250, section 6.1."""

import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dljax.analysis.predictions import predict
from dljax.data.pipeline import EvalSet
from dljax.data.sources.spans import Question, SpanRows
from dljax.types import Key, Task, Variables

_LONGEST = 30  # pieces of an answer, as in BERT's program


def normalized(text: str) -> str:
    """Lower-case words without punctuation and articles, one space between them."""
    text = "".join(c for c in text.lower() if c not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def exact_match(answer: str, truth: str) -> float:
    """1 where both are the same once they are ``normalized``, else 0."""
    return float(normalized(answer) == normalized(truth))


def f1(answer: str, truth: str) -> float:
    """Of the words of both, each as often as it occurs: twice those in common, over their number."""
    told, real = (Counter(normalized(text).split()) for text in (answer, truth))
    if not told or not real:
        return float(told == real)
    return 2 * (told & real).total() / (told.total() + real.total())


def best_spans(
    rows: SpanRows, questions: Sequence[Question], logits: np.ndarray, longest: int = _LONGEST
) -> list[str]:
    """The answer to each question: the span of its text with the largest sum of both scores.

    Args:
        logits: scores of each place of the rows as the first, and as the last of the answer,
            [rows, 2, t].
        longest: number of pieces.
    """
    best: list[tuple[float, str]] = [(-np.inf, "")] * len(questions)
    for number, places, (first, last) in zip(
        rows.question, rows.pieces, logits.astype(np.float64), strict=True
    ):
        there = np.flatnonzero(places[:, 0] >= 0)
        if not there.size:
            continue
        total = first[there][:, None] + last[there][None]
        ahead = np.arange(len(there))[None] - np.arange(len(there))[:, None]
        total[(ahead < 0) | (ahead >= longest)] = -np.inf
        begin, end = np.unravel_index(int(total.argmax()), total.shape)
        if total[begin, end] > best[number][0]:
            text = questions[number].context
            span = text[places[there[begin], 0] : places[there[end], 1]]
            best[number] = (float(total[begin, end]), span)
    return [text for _, text in best]


def _most(score: Callable[[str, str], float], answer: str, truths: Sequence[str]) -> float:
    return max(score(answer, truth) for truth in truths)


@dataclass(frozen=True)
class AnswerScores:
    """Means over a set's questions of ``exact_match`` and ``f1``, each with the truth that fits best: a function
    for ``analysis.predictions.Score``.
    """

    rows: SpanRows
    questions: Sequence[Question]

    def __call__(self, examples: Mapping[str, np.ndarray], outputs: Any) -> dict[str, float]:
        """``exact`` and ``f1`` of the scores [rows, 2, t] of all rows."""
        told = best_spans(self.rows, self.questions, np.asarray(outputs))
        pairs = [(own, q.answers) for own, q in zip(told, self.questions, strict=True)]
        return {
            "exact": float(np.mean([_most(exact_match, *pair) for pair in pairs])),
            "f1": float(np.mean([_most(f1, *pair) for pair in pairs])),
        }


@dataclass(frozen=True)
class Answered:
    """A look: questions, the true answers and a model's.

    Attributes:
        n: number of questions, from the first on.
    """

    task: Task
    rows: SpanRows
    questions: Sequence[Question]
    n: int = 12

    def __call__(self, variables: Variables, key: Key) -> str:
        some = self.questions[: self.n]
        rows = self.rows.of_first(len(some))
        _, logits = predict(self.task, variables, EvalSet(rows.arrays))
        told = best_spans(rows, some, np.asarray(logits))
        lines, last = [], ""
        for own, (context, question, answers, _) in zip(told, some, strict=True):
            if context != last:
                lines += ["", context]
            mark = "=" if _most(exact_match, own, answers) else " "
            lines.append(f"  {question}\n    true  {answers[0]}\n    {mark}     {own}")
            last = context
        return "\n".join(lines).strip() + "\n"
