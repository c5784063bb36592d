"""Texts: windows, vocabularies and files."""

import numpy as np
import pytest

from dljax.data import EvalSet, Pipeline
from dljax.data.datasets import ptb, shakespeare, topics
from dljax.data.sources.text import NO_TARGET, Characters, Windows, Words
from dljax.errors import UserError


def test_training_windows_start_anywhere():
    source = Windows(np.arange(100, dtype=np.int32), 10)
    assert len(source) == 90
    batch = source.gather(np.array([0, 89]))
    np.testing.assert_array_equal(batch["tokens"][1], np.arange(89, 99))
    np.testing.assert_array_equal(batch["targets"][1], np.arange(90, 100))
    seen = Pipeline(source, 9, seed=3)
    starts = np.concatenate([seen.batch(step)["tokens"][:, 0] for step in range(10)])
    assert sorted(starts.tolist()) == list(range(90))


@pytest.mark.parametrize("n", [30, 31, 32, 39])
def test_evaluation_windows_count_every_target_once(n):
    sequence = np.arange(n, dtype=np.int32)
    batches = list(EvalSet(Windows.apart(sequence, 10)).batches(3))
    assert all(len(batch["tokens"]) == 3 for batch in batches)
    counted = [
        target
        for batch in batches
        for row, mask in zip(batch["targets"], batch["mask"], strict=True)
        if mask > 0
        for target in row[row != NO_TARGET]
    ]
    assert counted == list(range(1, n))
    assert sum(batch["mask"].sum() for batch in batches) == -(-(n - 1) // 10)  # windows


def test_vocabularies():
    letters = Characters.of("hello")
    assert letters.alphabet == "ehlo" and letters.decode(letters.encode("hello")) == "hello"
    with pytest.raises(UserError, match="'x' is not among"):
        letters.encode("x")
    assert Characters("b?a", unknown="?").encode("abz").tolist() == [2, 0, 1]
    words = Words.of("the cat the <eos>".split())
    assert words.words[0] == "the" and words.decode(words.encode("the dog")) == "the <unk>"


def test_the_help_topics_are_text():
    text = topics.load()
    assert len(text.train) > 300_000 and len(text.vocabulary) == 96
    assert (text.train == text.vocabulary.alphabet.index("?")).mean() < 0.005
    assert "statement" in text.vocabulary.decode(text.train[:2000])


def test_text_files(tmp_path):
    file = tmp_path / "own.txt"
    file.write_text("\u03b1\u03b2 " * 50, "utf-8")
    own = shakespeare.load(str(file))
    assert len(own.vocabulary) == 3 and (len(own.train), len(own.validation)) == (135, 15)
    (tmp_path / "input.txt").write_text("To be, or not to be" * 20)
    assert len(shakespeare.load(str(tmp_path)).vocabulary) == 65
    with pytest.raises(UserError, match="no text file"):
        shakespeare.load(str(tmp_path / "absent.txt"))
    with pytest.raises(UserError, match="no window of 64"):
        Windows(own.validation, 64)
    for split in ("train", "valid", "test"):
        (tmp_path / f"ptb.{split}.txt").write_text(" the cat <unk> \n the dog \n")
    corpus = ptb.load(str(tmp_path))
    assert corpus.vocabulary.decode(corpus.test) == "the cat <unk> <eos> the dog <eos>"
    with pytest.raises(UserError, match="--data FOLDER"):
        ptb.load("")
