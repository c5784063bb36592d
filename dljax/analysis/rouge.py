"""ROUGE: what a summary has of the true one. Lin 2004, https://aclanthology.org/W04-1013, sections 2 and 3."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from dljax.errors import UserError

_WORD = re.compile(r"[^\W_]+")


def _f1(common: int, told: int, real: int) -> float:
    return 2 * common / (told + real) if told + real else 0.0


def ngrams(words: Sequence[str], n: int) -> Counter:
    """The sequences of ``n`` words, each as often as it occurs."""
    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))


def common_subsequence(a: Sequence[str], b: Sequence[str]) -> int:
    """The length of the longest sequence that both have, in order, not necessarily side by side."""
    row = [0] * (len(b) + 1)
    for x in a:
        corner = 0
        for j, y in enumerate(b, 1):
            corner, row[j] = row[j], corner + 1 if x == y else max(row[j], row[j - 1])
    return row[-1]


def rouge(written: Sequence[str], truth: Sequence[str]) -> Mapping[str, float]:
    """``rouge1``, ``rouge2`` and ``rougeL``, 0 to 100: means over texts of the F1 of common words, of pairs of
    words, and of the longest common subsequence, in lower case, without punctuation and stemming.

    Raises:
        UserError: there are no texts.
    """
    scores = []
    for pair in zip(written, truth, strict=True):
        own, real = (_WORD.findall(text.lower()) for text in pair)
        row = []
        for n in (1, 2):
            told, there = ngrams(own, n), ngrams(real, n)
            row.append(_f1((told & there).total(), told.total(), there.total()))
        scores.append([*row, _f1(common_subsequence(own, real), len(own), len(real))])
    if not scores:
        raise UserError("ROUGE of no texts: expected at least one")
    means = (100 * sum(column) / len(scores) for column in zip(*scores, strict=True))
    return dict(zip(("rouge1", "rouge2", "rougeL"), means, strict=True))
