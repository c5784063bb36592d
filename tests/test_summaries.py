"""Summaries: ROUGE by the examples of its paper, and the texts that install with dljax."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from architectures import DECODERS, module_of
from refusal import refused

from dljax import models
from dljax.analysis.rouge import common_subsequence, rouge
from dljax.analysis.translations import Prompter
from dljax.data.datasets import summaries
from dljax.data.sources.pairs import BEGIN, END, PAD, Pairs, Prompted, vocabulary
from dljax.data.sources.text import NO_TARGET
from dljax.types import Variables


def test_rouge_of_the_papers_example():
    """Section 3.1: against "police killed the gunman" the two have the same pairs, and 3/4 and 2/4 in order."""
    truth = "police killed the gunman"
    first = rouge(["police kill the gunman"], [truth])
    second = rouge(["the gunman kill police"], [truth])
    assert first["rougeL"] == pytest.approx(75) and second["rougeL"] == pytest.approx(50)
    assert first["rouge2"] == second["rouge2"] == pytest.approx(100 / 3)
    assert first["rouge1"] == second["rouge1"] == pytest.approx(75)


def test_rouge_by_hand():
    # A word counts as often as both have it: 1 of 3 told and of 2 there; the mean with a perfect one.
    found = rouge(["the the the", "A b."], ["the cat", "a, b"])
    assert found["rouge1"] == pytest.approx(50 * (2 * 1 / (3 + 2) + 1))
    assert rouge(["7 \u00e9"], ["7 \u00e9"])["rouge2"] == 100
    with refused("ROUGE of no texts"):
        rouge([], [])
    assert rouge([""], ["a"]) == {"rouge1": 0.0, "rouge2": 0.0, "rougeL": 0.0}
    assert (
        common_subsequence("abcbdab", "bdcaba") == 4
    )  # Cormen et al., Introduction to Algorithms, 15.4


def test_documentation_is_apart_by_file():
    train, validation = summaries.load("documentation")
    titles = [title for _, title in (*train.texts, *validation.texts)]
    assert len(set(titles)) == len(titles) and len(train) > 3000 and len(validation) > 200
    assert all(12 < len(text.split()) < 50 and "|" in text for text, _ in validation.texts)
    assert any("eigenvalue" in title for title in titles)
    unknown = np.mean(train.gather(np.arange(500))["target"] == train.target.encode("<unk>")[0])
    assert unknown < 0.02


def test_words_and_the_first_sentence():
    assert summaries.words("Return `my_array` (ndim >= 2), é.") == "return my array ( ndim 2 ) , ."
    assert summaries.first_sentence("a b c . d e .") == "a b c"
    assert summaries.first_sentence("a b c d", most=2) == "a b"
    assert summaries.first_sentence("is real | a b . c .") == "a b"


def test_files(tmp_path):
    for split in ("train", "valid"):
        (tmp_path / f"{split}.text").write_text("a b c d e\nb a\n" * 2)
        (tmp_path / f"{split}.summary").write_text("a b\nb\n" * 2)
    found = summaries.load("gigaword", str(tmp_path), longest=4, least=1)
    assert found.train.texts[0] == ("a b c", "a b") and found.train.width == 4
    (tmp_path / "train.summary").write_text("a b a b a b\nb\n" * 2)
    often = summaries.load("gigaword", str(tmp_path), longest=4, least=5)
    assert often.train.texts[0] == ("a b c", "a b a") and "c" not in often.train.source.words
    (tmp_path / "valid.summary").write_text("a b\n")
    with refused("valid.text has 4 lines", "has 1"):
        summaries.load("gigaword", str(tmp_path))
    with refused("no folder 'absent'"):
        summaries.load("gigaword", "absent")


def prompted():
    texts = [("a b", "b"), ("b a b", "a b")]
    words = vocabulary(side for pair in texts for side in pair)
    return Prompted(Pairs(texts, words, words))


def test_a_prompt_has_one_vocabulary():
    words = [vocabulary([text]) for text in ("a", "b")]
    with refused("pairs of two vocabularies"):
        Prompted(Pairs([("a", "b")], *words))


def test_a_prompt_counts_in_no_loss():
    """a, b are tokens 5 and 4; the text, BEGIN, the summary, END."""
    rows = prompted().gather(np.array([0, 1]))
    assert rows["tokens"].tolist() == [
        [5, 4, BEGIN, 4, END, PAD, PAD, PAD],
        [4, 5, 4, BEGIN, 5, 4, END, PAD],
    ]
    no = NO_TARGET
    assert rows["targets"].tolist() == [
        [no, no, 4, END, no, no, no, no],
        [no, no, no, 5, 4, END, no, no],
    ]


def test_prompts_of_different_length_are_continued_alone_and_together():
    pairs = prompted().pairs
    model = models.build(module_of(DECODERS[0]), "tiny", vocabulary=len(pairs.source))
    drawn = model.init(jax.random.key(0), jnp.zeros((1, 4), jnp.int32), train=False)
    given = Variables({"model": drawn["params"]}, {"model": {}})
    write = Prompter.of(model, pairs)
    together = write(given, ["a b", "b a b"])
    assert [write(given, [text])[0] for text in ("a b", "b a b")] == together
    assert all(len(text.split()) <= 6 for text in together)
