"""Entities of tagged texts, and their scores."""

import numpy as np
import pytest
from refusal import refused

from dljax.analysis.entities import Entity, EntityScores, entities, scores
from dljax.data.datasets import entities as sets
from dljax.data.sources.tagged import NO_TAG, Tagged, read_tagged, tag_names, tagged_rows
from dljax.data.sources.word_pieces import SPECIAL, WordPieces


def test_entities_by_hand():
    tags = ["B-PER", "I-PER", "O", "I-LOC", "B-LOC", "I-PER", "I-PER", "B-PER"]
    assert entities(tags) == {
        Entity("PER", 0, 2),
        Entity("LOC", 3, 4),  # an I after O begins one
        Entity("LOC", 4, 5),  # and a B always
        Entity("PER", 5, 7),  # and an I of another kind
        Entity("PER", 7, 8),
    }
    assert entities([]) == entities(["O", "O"]) == set()


def test_scores_of_the_worked_example():
    """The example of seqeval's documentation, of which conlleval says the same: 1 of 2 found, 1 of 2 right."""
    truth = ["O O O B-MISC I-MISC I-MISC O".split(), "B-PER I-PER O".split()]
    guess = ["O O B-MISC I-MISC I-MISC I-MISC O".split(), "B-PER I-PER O".split()]
    assert scores(truth, guess) == {"precision": 0.5, "recall": 0.5, "f1": 0.5}
    # Three told, one right, of two: 1/3, 1/2 and 2 / 5.
    guess[0] = "B-MISC O B-MISC I-MISC I-MISC I-MISC O".split()
    assert scores(truth, guess) == {
        "precision": pytest.approx(1 / 3),
        "recall": 0.5,
        "f1": pytest.approx(0.4),
    }
    nothing = [["O"] * 7, ["O"] * 3]
    assert scores(truth, nothing) == {"precision": 0.0, "recall": 0.0, "f1": 0.0}


def test_rows_by_hand_and_their_scores():
    pieces = WordPieces((*SPECIAL, "un", "##aff", "##able", "the", "man"))
    text = Tagged(["The", "unaffable", "\u0301", "man"], ["O", "B-x", "I-x", "I-x"])
    names = ("O", "B-x", "I-x")
    rows = tagged_rows([text, Tagged(["man"], ["O"])], names, pieces)
    assert rows.arrays["tokens"].tolist() == [[2, 8, 5, 6, 7, 1, 9, 3], [2, 9, 3, 0, 0, 0, 0, 0]]
    no = NO_TAG
    assert rows.arrays["label"].tolist() == [[no, 0, 1, no, no, 2, 2, no], [no, 0] + [no] * 6]
    short = tagged_rows([text], names, pieces, 6)  # a word is in it whole or not
    assert short.arrays["tokens"].tolist() == [[2, 8, 5, 6, 7, 3]]
    logits = np.zeros((2, 8, 3))
    logits[0, 2, 1] = logits[0, 5, 2] = logits[0, 3, 1] = 1  # what stands at no word does not count
    found = EntityScores(names)(rows.arrays, logits)
    assert found == {"precision": 0.0, "recall": 0.0, "f1": 0.0}
    logits[0, 6, 2] = 1
    assert EntityScores(names)(rows.arrays, logits)["f1"] == 1.0
    with refused("'B-y' is none of O, B-x, I-x"):
        tagged_rows([Tagged(["a"], ["B-y"])], names, pieces)


def test_files(tmp_path):
    for split in ("train", "devel", "test"):
        (tmp_path / f"{split}.tsv").write_text("big\tO\ncold\tB-ill\n\nfine\tO\n")
    (first, second) = read_tagged(tmp_path / "train.tsv")
    assert first == Tagged(["big", "cold"], ["O", "B-ill"]) and second.words == ["fine"]
    found = sets.load(str(tmp_path), size=40)
    assert found.names == ("O", "B-ill") and len(found.test) == 2
    (tmp_path / "test.tsv").write_text("big\n")
    with refused("test.tsv line 1 is 'big'"):
        sets.load(str(tmp_path))
    with refused("no file", "train.tsv"):
        sets.load("absent")


def test_names_in_help():
    """What stands in quotation marks is a name; no text is in two splits."""
    train, validation, test = sets._named_in_help()
    assert len(train) > 1000 and len(validation) > 200 and len(test) > 300
    texts = [tuple(text.words) for text in (*train, *validation, *test)]
    assert len(set(texts)) == len(texts)
    named = [w for text in train for w, tag in zip(*text, strict=True) if tag == "B-name"]
    assert named.count("None") > 10 and named.count("the") < 10
    assert tag_names(train) == ("O", "B-name", "I-name")
