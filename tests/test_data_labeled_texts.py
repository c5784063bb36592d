"""Texts with classes, in word pieces."""

from itertools import pairwise

import numpy as np
from refusal import refused

from dljax.data.datasets import following, sentences, topics
from dljax.data.sources.labeled_texts import Labeled, LabeledTexts, in_pieces, in_words


def test_files(tmp_path):
    lines = [f"{i % 6} what is {word} ?" for i, word in enumerate("abcdefghijklmnopqrst")]
    (tmp_path / "TREC.train.all").write_bytes(
        "\n".join([*lines, "5 caf\xe9 \x85"]).encode("latin-1")
    )
    (tmp_path / "TREC.test.all").write_text("3 what is z ?\n")
    found = in_pieces(sentences.load("trec", str(tmp_path)), size=60, length=8)
    assert [len(s) for s in (found.train, found.validation, found.test)] == [19, 2, 1]
    assert found.test.arrays["label"].tolist() == [3] and found.names[3] == "human"
    row = found.test.arrays["tokens"][0]
    assert found.vocabulary.decode(row[1:3]) == "what is" and row.shape == (8,)
    (tmp_path / "TREC.test.all").write_text("6 what\n")
    with refused("TREC.test.all line 1 is '6 what'"):
        sentences.load("trec", str(tmp_path))
    with refused("no file", "stsa.binary.train", "--data FOLDER"):
        sentences.load("sst2")


def test_pairs_follow_or_are_of_other_topics():
    """Every pair of each kind, checked against the text itself."""
    parts = topics.split_by_topic(topics.sentences())
    home = {s: topic for topic, some in enumerate(topics.sentences()) for s in some}
    for split, part in zip(following.load()[:3], parts, strict=True):
        real = {pair for some in part for pair in pairwise(some)}
        assert np.mean(split.labels) == 0.5
        for first, second, label in zip(split.texts, split.second, split.labels, strict=True):
            assert ((first, second) in real) == (label == 1)
            assert (home[first] == home[second]) == (label == 1)


def test_pairs_lie_side_by_side():
    found = Labeled(["a b", "c"], [0, 1], ["d", "b"])
    pieces = in_pieces(LabeledTexts(found, found, found, ("x", "y")), size=60, length=8)
    tokens, types = (pieces.train.arrays[name] for name in ("tokens", "types"))
    special = pieces.vocabulary.special
    words = pieces.vocabulary.encode_all(["a b", "d"])  # both sides were learned from
    row = [special.first, *words[0], special.last, *words[1], special.last]
    assert special.unknown not in row and tokens[0].tolist() == [*row, *[0] * (8 - len(row))]
    assert types[0].tolist() == [0, 0, 0, 0, 1, 1, 0, 0]
    with refused("a split of no texts, or of pairs"):
        in_words(LabeledTexts(found, found, found, ("x", "y")))
    blank = Labeled(["", "a"], [0, 1])
    with refused("a text without words"):
        in_words(LabeledTexts(blank, blank, blank, ("x", "y")))
    with refused("rows of 4 tokens"):
        in_pieces(LabeledTexts(found, found, found, ("x", "y")), size=60, length=4)
