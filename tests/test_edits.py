"""Scores of written sequences, by hand."""

import math
import sys

import pytest
from refusal import refused

from dljax.analysis.edits import bleu, distance, error_rates, exact


def test_distances_by_hand():
    assert distance("kitten", "sitting") == 3  # s for k, i for e, g behind
    assert distance("", "abc") == distance("abc", "") == 3
    assert distance("abc", "abc") == 0
    assert distance("ab", "ba") == 2
    assert distance(["AH", "B"], ["AH", "D", "B"]) == 1


def test_exact_by_hand():
    assert exact(["1 2", "3", "4 5", ""], ["1 2", "4", "4 5", "6"]) == {"exact": 0.5}


def test_error_rates_by_hand():
    """Edits 0, 1 (of the nearer of two) and 2, over 3 + 2 + 3 phonemes; two words of three are wrong."""
    truth = [["K AE T"], ["D AH", "D AO G Z"], ["B IH D"]]
    found = error_rates(["K AE T", "D AA", "IH G"], truth)
    assert found == {"per": 3 / 8, "wer": 2 / 3}


def test_bleu_by_hand():
    """Papineni et al. 2002: precisions of 1 to 4 words, their geometric mean, the brevity penalty."""
    assert bleu(["a b c d e f"], ["A b c d e f"])["bleu"] == pytest.approx(100)
    # All n-grams are right, one word of six is missing.
    short = 100 * math.exp(1 - 6 / 5)
    assert bleu(["a b c d e"], ["a b c d e f"])["bleu"] == pytest.approx(short)
    # 5/6 words, 3/5 pairs, 2/4 triples, 1/3 quadruples; of equal length.
    mean = 100 * (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25
    assert bleu(["a b c d x f"], ["a b c d e f"])["bleu"] == pytest.approx(mean)
    # Two sentences: counts add before they are divided. Then 9/10, 6/8, 4/6, 2/4.
    mean = 100 * (9 / 10 * 6 / 8 * 4 / 6 * 2 / 4) ** 0.25
    found = bleu(["a b c d x f", "g h i j"], ["a b c d e f", "g h i j"])
    assert found["bleu"] == pytest.approx(mean)


def test_bleu_joins_byte_pairs():
    assert bleu(["trans@@ lation is n@@ o g@@ ame"], ["translation is no game"])["bleu"] == (
        pytest.approx(100)
    )


def test_bleu_without_its_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    with refused("BLEU needs the package sacrebleu: pip install"):
        bleu(["a"], ["a"])
