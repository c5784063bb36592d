"""Labeled sentences: files, vocabularies, and scipy's own."""

import flax.linen as nn
import jax
import pytest

from dljax.analysis.sentences import Mistakes
from dljax.data import EvalSet, text_sets
from dljax.data.datasets import docstrings, sentences
from dljax.data.sources.labeled_texts import FILL, in_words, shown
from dljax.errors import UserError
from dljax.tasks.classification import classification
from dljax.tasks.supervised import texts
from dljax.types import Variables

TRAIN = "1 a fine film\n0 Bad , bad film ,\n1 caf\u00e9 a\n"


@pytest.fixture
def sst2(tmp_path):
    for split, text in (("train", TRAIN), ("dev", "0 bad\n"), ("test", "1 a new film\n")):
        (tmp_path / f"stsa.binary.{split}").write_text(text, "utf-8")
    return str(tmp_path)


def test_sentences_are_filled_up_with_a_token_of_no_word(sst2):
    found = in_words(sentences.load("sst2", sst2))
    # In order of frequency, then of the alphabet; "fine" and the other word occur once.
    assert found.vocabulary.words == (FILL, ",", "a", "bad", "film", "<unk>")
    tokens = found.train.arrays["tokens"]
    assert tokens.shape == (3, 5) and found.train.arrays["label"].tolist() == [1, 0, 1]
    assert (tokens > 0).sum(1).tolist() == [3, 5, 2]
    assert shown(tokens[1], found.vocabulary) == "bad , bad film ,"
    # A word that the training split has not.
    assert shown(found.test.arrays["tokens"][0], found.vocabulary) == "a <unk> film"


def test_trec_is_latin_1_and_a_tenth_is_held_out(tmp_path):
    lines = "".join(f"{i % 6} what is word{i} ?\n" for i in range(30))
    (tmp_path / "TREC.train.all").write_bytes(lines.encode() + b"4 where is Caf\xe9 \x85 x ?\n")
    (tmp_path / "TREC.test.all").write_text("3 who is word1 ?\n")
    found = in_words(text_sets.load("trec", str(tmp_path)))
    assert [len(part) for part in found[:3]] == [28, 3, 1]
    assert shown(found.validation.arrays["tokens"][0], found.vocabulary) == "what is <unk> ?"
    assert found.names[4] == "location"


def test_lines_are_refused_in_words(sst2, tmp_path):
    with pytest.raises(UserError, match="stsa.binary.train.* --data FOLDER"):
        sentences.load("sst2")
    (tmp_path / "stsa.binary.dev").write_text("2 bad\n")
    with pytest.raises(UserError, match="dev line 1 is '2 bad': expected a class, 0 to 1"):
        sentences.load("sst2", sst2)
    (tmp_path / "stsa.binary.dev").write_text("1\n")
    with pytest.raises(UserError, match="and a text"):
        sentences.load("sst2", sst2)


def test_scipys_sentences_are_apart():
    """No sentence is in two splits, nor twice in one; and they are English about the subject."""
    found = in_words(docstrings.load())
    own, _, _ = docstrings._sentences()
    assert len(set(own)) == len(own) == sum(map(len, found[:3])) > 3000
    assert len(found.test) > 200 and len(found.validation) > 200
    assert set(found.train.arrays["label"]) == set(found.test.arrays["label"]) == set(range(7))
    assert any("eigenvalue" in text for text in own)


class Bag(nn.Module):
    """The number of words "bad", as the logit of class 1."""

    vocabulary: int = 9

    @nn.compact
    def __call__(self, tokens, *, train: bool):
        ones = (tokens == 3).sum(-1).astype("float32")
        return jax.numpy.stack([0.5 + 0 * ones, ones], -1)


def test_the_surest_mistakes_come_first(sst2):
    found = in_words(sentences.load("sst2", sst2))
    task = classification(Bag(), inputs=texts)
    look = Mistakes(task, EvalSet(found.train), found.vocabulary, found.train.names)
    lines = look(Variables({"model": {}}, {"model": {}}), jax.random.key(0)).splitlines()
    # "bad , bad film" has two of them and is taken for positive; the other two are negative at 62 %.
    assert lines[0] == "0 of 3 right; of the others, the surest:"
    assert lines[1] == "negative as positive (82 %): bad , bad film ,"
    assert lines[2] == "positive as negative (62 %): a <unk> film"


def test_a_vocabulary_that_is_too_small_is_refused(sst2):
    found = in_words(sentences.load("sst2", sst2))
    task = classification(Bag(5), inputs=texts)
    batch = next(EvalSet(found.train).batches(3))
    with pytest.raises(UserError, match="none of the model's 5"):
        task.check(Variables({"model": {}}, {"model": {}}), batch)
