"""Byte-level byte pairs: training, files, and any bytes there and back."""

import json
import sys

import numpy as np
import pytest
from refusal import refused

from dljax.data.datasets import corpus
from dljax.data.sources.byte_pairs import END_OF_TEXT, BytePairs, letters_of_bytes

TEXT = "low low low low low lower lower newest newest newest newest newest newest widest widest"


@pytest.fixture(scope="module")
def trained() -> BytePairs:
    return BytePairs.train([TEXT], 270)


@pytest.fixture
def published(tmp_path):
    """A folder as GPT-2's: the bytes, two merges, the end of a text."""
    letters = sorted(letters_of_bytes())
    tokens = [*letters, "lo", "low", "\u0120low", END_OF_TEXT]
    (tmp_path / "encoder.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}))
    (tmp_path / "vocab.bpe").write_text("#version: 0.2\nl o\nlo w\n\u0120 low\n", "utf-8")
    return tmp_path


def test_the_most_frequent_pairs_are_merged_first(trained):
    """Sennrich's words: "es" and "est" are in nine of them, "lo" and "low" in seven."""
    found = json.loads(trained.json)["model"]["merges"]
    merges = ["".join(pair) for pair in found]
    assert merges[:2] == ["es", "est"] and {"lo", "low"} <= set(merges)
    assert len(trained) == 270 and len(merges) == 270 - 257
    assert [trained.decode([i]) for i in trained.encode("lowest")] == ["low", "est"]


def test_all_bytes_come_back(trained, published):
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, n).astype(np.uint8).tobytes() for n in (0, 1, 7, 1000)]
    texts = ["low lower", "\u4f60\u597d \U0001f600\n\n  x\t", f"a{END_OF_TEXT}b", "\ufffd\x00"]
    for vocabulary in (trained, BytePairs.gpt2(published)):
        for data in [*noise, bytes(range(256)), *(text.encode() for text in texts)]:
            tokens = vocabulary.encode_bytes(data)
            assert tokens.dtype == np.int32
            assert vocabulary.decode_bytes(tokens) == data
        for text in texts:
            assert vocabulary.decode(vocabulary.encode(text)) == text
            assert vocabulary.end not in vocabulary.encode(text)
        lone = "a\ud800b"  # half of a pair: three bytes that are no UTF-8
        assert vocabulary.decode(vocabulary.encode(lone)) == "a\ufffd\ufffd\ufffdb"


def test_letters_of_bytes():
    letters = letters_of_bytes()
    assert len(set(letters)) == 256
    # Of GPT-2's file: a space and a line break.
    assert letters[ord(" ")] == "\u0120" and letters[ord("\n")] == "\u010a" and letters[65] == "A"


def test_saved_and_loaded(trained, tmp_path):
    trained.save(tmp_path / "t.json")
    assert BytePairs.load(tmp_path / "t.json") == trained
    (tmp_path / "other.json").write_text("{}")
    with refused("other.json is no vocabulary of tokenizers"):
        BytePairs.load(tmp_path / "other.json")
    with refused("absent.json cannot be read"):
        BytePairs.load(tmp_path / "absent.json")
    with refused("absent", "cannot be written"):
        trained.save(tmp_path / "absent" / "t.json")
    with refused("a vocabulary of 256 tokens: expected 257 at least"):
        BytePairs.train([TEXT], 256)
    with refused("token 5000 is none of the vocabulary's 270"):
        trained.decode([5000])


def test_the_published_files(published):
    vocabulary = BytePairs.gpt2(published)
    assert len(vocabulary) == 260 and vocabulary.end == 259
    assert vocabulary.encode("low low").tolist() == [257, 258]
    (published / "encoder.json").rename(published / "vocab.json")
    with refused("holds no encoder.json and vocab.bpe"):
        BytePairs.gpt2(published)
    (published / "vocab.bpe").rename(published / "merges.txt")
    assert BytePairs.gpt2(published).encode("low low").tolist() == [257, 258]
    (published / "merges.txt").write_text("#version: 0.2\nq z\n")
    with refused("merges.txt", "fetch them again"):
        BytePairs.gpt2(published)


def test_without_the_library_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with refused("needs the tokenizers library: pip install tokenizers"):
        BytePairs.train([TEXT], 300)


def test_a_corpus_of_documents(tmp_path):
    """Each document ends with its token; the text is cut before it is encoded."""
    (tmp_path / "text.txt").write_text(f"low low{END_OF_TEXT}lower lower" * 20, "utf-8")
    text = corpus.load(str(tmp_path), "262")
    assert len(text.vocabulary) == 262
    assert (text.train == text.vocabulary.end).sum() > 15
    first = text.train[: np.flatnonzero(text.train == text.vocabulary.end)[0]]
    assert text.vocabulary.decode(first) == "low low"
    letters = corpus.load(str(tmp_path / "text.txt"))
    assert letters.vocabulary.decode(letters.train[:20]) == f"low low{END_OF_TEXT}"
    fake = corpus.load(size=300, fake=True)
    assert len(fake.vocabulary) == 300 and fake.train.max() < 300
    with refused("no text file ''"):
        corpus.load()
    with refused("no tokenizer 'absent.json'"):
        corpus.load(str(tmp_path), "absent.json")
