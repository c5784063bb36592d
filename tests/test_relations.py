"""Marked entities and the score of their relations."""

import numpy as np
import pytest
from refusal import refused

from dljax.analysis.relations import RelationScores, macro_f1
from dljax.data.datasets import relations
from dljax.data.sources.word_pieces import SPECIAL, WordPieces

RECORD = '1\t"The <e1>cat</e1> eats a <e2>mouse</e2>."\nCause-Effect(e2,e1)\nComment: none\n\n'


def test_macro_f1_by_hand():
    truth = ["A(e1,e2)", "A(e1,e2)", "A(e2,e1)", "B(e1,e2)", "B(e1,e2)", "Other", "Other"]
    guess = ["A(e1,e2)", "A(e2,e1)", "A(e2,e1)", "B(e1,e2)", "Other", "B(e1,e2)", "Other"]
    # A: 2 of 3 told are right, of 3. B: 1 of 2 told, of 2. Other does not count, but as a fault of B's.
    assert macro_f1(truth, guess) == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert macro_f1(truth, truth) == 1.0 and macro_f1(["Other"], ["Other"]) == 0.0
    names = ("A(e1,e2)", "A(e2,e1)", "B(e1,e2)", "Other")
    numbers = np.array([names.index(name) for name in truth])
    logits = np.eye(4)[[names.index(name) for name in guess]]
    found = RelationScores(names)({"label": numbers}, logits)
    assert found == {"macro_f1": pytest.approx(7 / 12)}


def test_a_file_and_rows_by_hand(tmp_path):
    file = tmp_path / "some.txt"
    file.write_text(RECORD + RECORD.replace("cat", "dog"))
    texts = relations.read(file)
    assert texts[0] == relations.Marked(
        ("The ", "cat", " eats a ", "mouse", "."), "Cause-Effect(e2,e1)"
    )
    words = ("the", "cat", "eats", "a", "mouse", ".")
    pieces = WordPieces((*SPECIAL, *relations.MARKERS, *words))
    rows = relations.marked_rows(texts[:1], ("Other", "Cause-Effect(e2,e1)"), pieces)
    assert rows.arrays["tokens"].tolist() == [[2, 9, 5, 10, 6, 11, 12, 7, 13, 8, 14, 3]]
    assert rows.arrays["label"].tolist() == [1]
    with refused("'Cause-Effect(e2,e1)' is none of Other"):
        relations.marked_rows(texts, ("Other",), pieces)
    file.write_text(RECORD.replace("<e2>", ""))
    with refused("sentence 1, is", "expected a number, a tab"):
        relations.read(file)
    with refused("no file", "TRAIN_FILE.TXT"):
        relations.load("absent")


def test_numbers_in_words():
    train, test = relations.comparisons(300, 60)
    assert len(train) == 300 and len(test) == 60
    values = {relations._word(n): n for n in [*range(1, 10), *range(20, 100)]}
    assert len(values) == 89 and values["forty two"] == 42 and values["seven"] == 7
    pairs = []
    for text in [*train, *test]:
        first, second = values[text.parts[1]], values[text.parts[3]]
        pairs.append((first, second))
        expected = "Less(e1,e2)" if first < second else "Less(e2,e1)"
        assert text.relation == ("Equal" if first == second else expected)
    assert not set(pairs[:300]) & set(pairs[300:])
    assert 30 < sum(text.relation == "Equal" for text in train) < 90
