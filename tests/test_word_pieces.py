"""Word pieces, rows of them, and stretches of a text."""

import numpy as np
import pytest
from refusal import refused

from dljax.data.datasets import prose
from dljax.data.sources.text import Characters, Text
from dljax.data.sources.word_pieces import SPECIAL, WordPieces
from dljax.errors import UserError

# Of the example in the published program's documentation: unaffable is un ##aff ##able.
PIECES = WordPieces(
    (*SPECIAL, "un", "##aff", "##able", "the", "caf", "##e", "!", "é", "cafe", "a", "東", "京")
)


def words(text: str) -> list[str]:
    return [PIECES.pieces[i] for i in PIECES.encode(text)]


def test_pieces_by_hand():
    assert words("unaffable") == ["un", "##aff", "##able"]
    assert words("The  Café!") == ["the", "cafe", "!"]  # case, accent and spaces go
    assert words("unaffables") == ["[UNK]"]  # a word, not a piece, is unknown
    assert words("a東京") == ["a", "東", "京"]
    assert words("[MASK] the") == ["[MASK]", "the"]
    assert words("") == []
    assert PIECES.decode(PIECES.encode("The unaffable cafe!")) == "the unaffable cafe !"
    cased = WordPieces((*SPECIAL, "The", "Café"), lower=False)
    assert cased.encode("The the Café").tolist() == [5, 1, 6]


def test_rows_by_hand():
    rows = PIECES.rows(["the", "the unaffable a"], 6)
    first, last = PIECES.special.first, PIECES.special.last
    assert rows["tokens"].tolist() == [[first, 8, last, 0, 0, 0], [first, 8, 5, 6, 7, last]]
    assert not rows["types"].any() and rows["tokens"].dtype == np.int32
    # Of a pair, the longer text loses its end first.
    pair = PIECES.rows(["the", "the unaffable a"], 7, ["unaffable a", "a"])
    assert pair["tokens"].tolist() == [[2, 8, 3, 5, 6, 7, 3], [2, 8, 5, 6, 3, 14, 3]]
    assert pair["types"].tolist() == [[0, 0, 0, 1, 1, 1, 1], [0, 0, 0, 0, 0, 1, 1]]


def test_training_is_of_the_text_alone_and_files_keep_it(tmp_path):
    texts = ["low lower lowest", "new newer newest wide wider widest"] * 3
    pieces = WordPieces.train(texts, 40)
    assert pieces == WordPieces.train(texts, 40) and len(pieces) <= 40
    assert pieces.pieces[:5] == SPECIAL
    assert pieces.decode(pieces.encode("newest low")) == "newest low"
    assert len(pieces.encode("low")) == 1  # three times as frequent as a letter alone
    pieces.save(tmp_path / "vocab.txt")
    assert WordPieces.read(tmp_path / "vocab.txt") == pieces == WordPieces.read(tmp_path)
    cased = WordPieces.train(["Low low"] * 3, 40, lower=False)
    cased.save(tmp_path / "vocab.txt")
    assert WordPieces.read(tmp_path) == cased and "Low" in cased.pieces


def test_refusals(tmp_path):
    with refused("without [MASK]"):
        WordPieces(SPECIAL[:4])
    with refused("the letters alone are"):
        WordPieces.train(["the quick brown fox"], 8)
    (tmp_path / "words.txt").write_text("one\ntwo\n")
    with refused("without [PAD], [UNK]"):
        WordPieces.read(tmp_path / "words.txt")
    with pytest.raises(UserError, match="no file 'absent.txt'"):
        prose.load("absent.txt")
    with refused("between [CLS] and [SEP]"):
        prose.Stretches(np.arange(5, dtype=np.int32), PIECES, 2)


def test_stretches_by_hand():
    sequence = np.arange(5, 12, dtype=np.int32)
    apart = prose.Stretches(sequence, PIECES, 5)
    assert len(apart) == 3
    assert apart.gather(np.arange(3))["tokens"].tolist() == [
        [2, 5, 6, 7, 3],
        [2, 8, 9, 10, 3],
        [2, 11, 3, 0, 0],
    ]
    along = prose.Stretches(sequence, PIECES, 5, stride=1)
    assert len(along) == 7
    assert along.gather(np.array([1]))["tokens"].tolist() == [[2, 6, 7, 8, 3]]


def test_prose_of_a_file(tmp_path):
    """Nine tenths for training, cut between words; the vocabulary is of those."""
    file = tmp_path / "text.txt"
    file.write_text("alpha beta\ngamma delta\n" * 20 + "omega\n")
    text = prose.load(str(file), size=60)
    whole = [*text.train, *text.validation]
    told = text.vocabulary.decode(whole).split()
    assert told[:80] == ["alpha", "beta", "gamma", "delta"] * 20
    assert 4 <= len(text.vocabulary.decode(text.validation).split()) <= 12


def test_unigram_entropy_by_hand():
    """Counts 3, 1 and 0, one added to each: 4, 2 and 1 of 7."""
    text = Text(np.array([0, 0, 0, 1]), np.array([0, 2]), Characters("abc"))
    assert prose.unigram(text) == pytest.approx(-(np.log(4 / 7) + np.log(1 / 7)) / 2)
