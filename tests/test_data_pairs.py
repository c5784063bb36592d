"""Pairs of texts: arrays, vocabularies, buckets, files and the sets that are made."""

import gzip
from dataclasses import replace

import numpy as np
import pytest
from refusal import refused

from dljax import Pipeline
from dljax.data.datasets import addition, cmudict, multi30k, numbers, wmt14
from dljax.data.sources.pairs import Bucketed, Pairs, padding, read_pairs, vocabulary
from dljax.runtime.feed import Feed
from dljax.runtime.mesh import make_mesh
from dljax.runtime.profile import Mesh, Profile

WORDS = vocabulary(["a b a"]), vocabulary(["x", "y x z", "z"], least=2)


def test_pairs_by_hand():
    """Tokens in order of frequency behind the four marks; y is too rare."""
    assert WORDS[0].words == ("<pad>", "<bos>", "<eos>", "<unk>", "a", "b")
    assert WORDS[1].words[4:] == ("x", "z")
    pairs = Pairs([("a b", "x"), ("b", "z y x")], *WORDS)
    found = pairs.gather(np.array([1, 0]))
    assert found["source"].tolist() == [[5, 2, 0, 0], [4, 5, 2, 0]]
    assert found["target"].tolist() == [[1, 5, 3, 4, 2], [1, 4, 2, 0, 0]]
    assert pairs.lengths.tolist() == [3, 4]
    assert found["source"].dtype == np.int32


def test_a_pair_that_is_too_long_is_told():
    with refused("a pair of 4 tokens does not fit 3"):
        Pairs([("a", "x y z")], *WORDS, 3)


def of_lengths(lengths, longest=0):
    texts = [(" ".join("a" * (n - 1)), " ".join("x" * (n // 2))) for n in lengths]
    return Pairs(texts, *WORDS, longest)


LENGTHS = np.random.default_rng(1).integers(2, 21, 103)
BUCKETS = Bucketed(of_lengths(LENGTHS, 24), 8, seed=3, widths=(6, 12))


def test_buckets_hold_each_pair_at_most_once_an_epoch():
    """12 batches of 8: all but 7 pairs, other ones in the next epoch."""
    epochs = [[BUCKETS.indices(e * 12 + i) for i in range(12)] for e in (0, 1)]
    seen = [set(np.concatenate(batches).tolist()) for batches in epochs]
    assert [len(s) for s in seen] == [96, 96]
    assert seen[0] != seen[1]
    first = [[sorted(LENGTHS[b]) for b in batches] for batches in epochs]
    assert first[0] != first[1], "another order"


def test_a_bucket_is_cut_to_its_width():
    widths = set()
    for step in range(12):
        batch, longest = BUCKETS.batch(step), LENGTHS[BUCKETS.indices(step)].max()
        width = 6 if longest <= 6 else 12 if longest <= 12 else 24
        assert batch["source"].shape == (8, width) and batch["target"].shape == (8, width + 1)
        assert (batch["source"] == 2).sum() == 8, "no end is cut off"
        widths.add(width)
    assert widths == {6, 12, 24}


def test_buckets_are_a_function_of_seed_and_step():
    again = replace(BUCKETS)
    for step in (37, 2, 14):  # in any order of asking
        for rows in (slice(None), slice(2, 5)):
            whole, part = BUCKETS.batch(step), again.batch(step, rows)
            for name in whole:
                np.testing.assert_array_equal(whole[name][rows], part[name])
    other = replace(BUCKETS, seed=4)
    assert any((other.indices(i) != BUCKETS.indices(i)).any() for i in range(3))


def test_padding_by_hand_and_with_buckets():
    """Lengths 2 and 4 in places of 4: sources 6 of 8; targets of 2 and 3 tokens, 5 of 8."""
    assert padding(Pipeline(of_lengths([2, 4]), 2), 1) == 1 - 11 / 16
    plain = Pipeline(of_lengths(LENGTHS, 24), 8, seed=3)
    # A mean length of 11 in 24 places, and of 5.5 on the target's side; buckets halve the places.
    assert padding(plain, 12) > 0.6
    assert padding(BUCKETS, 12) < padding(plain, 12) - 0.1


def test_buckets_of_few_pairs_are_told():
    with refused("batches of 8 from 3 pairs"):
        Bucketed(of_lengths([2, 2, 2]), 8)


def test_batches_of_other_widths_are_stacked():
    """A call of several steps fills up to the widest."""
    feed = Feed(BUCKETS, make_mesh(Profile(mesh=Mesh(data=1))))
    widths = [BUCKETS.width(step) for step in range(6)]
    assert len(set(widths)) > 1
    stacked = feed.host(0, 6)
    assert stacked["source"].shape == (6, 8, max(widths))
    for step, width in enumerate(widths):
        batch = BUCKETS.batch(step)
        np.testing.assert_array_equal(stacked["source"][step][:, :width], batch["source"])
        assert not stacked["source"][step][:, width:].any()
        np.testing.assert_array_equal(stacked["target"][step][:, : width + 1], batch["target"])


# Sets that are made.


@pytest.mark.parametrize(
    "n, english, german",
    [
        (0, "zero", "null"),
        (1, "one", "eins"),
        (16, "sixteen", "sech zehn"),
        (21, "twenty one", "ein und zwanzig"),
        (101, "one hundred one", "ein hundert eins"),
        (340, "three hundred forty", "drei hundert vierzig"),
        (1021, "one thousand twenty one", "ein tausend ein und zwanzig"),
        (
            732_017,
            "seven hundred thirty two thousand seventeen",
            "sieben hundert zwei und dreißig tausend sieb zehn",
        ),
        (201_000, "two hundred one thousand", "zwei hundert ein tausend"),
    ],
)
def test_numbers_by_hand(n, english, german):
    assert (numbers.english(n), numbers.german(n)) == (english, german)


def test_numbers_are_apart():
    """Validation shares no number with training, and every word is in the vocabulary."""
    train, validation = numbers.load()
    assert (len(train), len(validation)) == (18_000, 1000)
    assert len({*train.texts, *validation.texts}) == 19_000
    for pairs in (train, validation):
        assert not any((x == 3).any() for x in pairs.gather(np.arange(len(pairs))).values())
    assert train.width == validation.width


@pytest.mark.parametrize("digits", [2, 3])
def test_sums_are_right_and_apart(digits):
    train, validation = addition.load(digits=digits, fake=True)
    seen = []
    for pairs in (train, validation):
        for question, answer in pairs.texts:
            a, b = map(int, question.replace(" ", "").split("+"))
            assert a + b == int(answer.replace(" ", "")) and max(a, b) < 10**digits
            seen.append((min(a, b), max(a, b)))
    assert len(set(seen)) == len(seen) == 550
    assert len(validation) == 55


# Sets that are read.


def test_tokens_of_a_caption():
    text = "A man's T-shirt, worn outside (3,5 hours)."
    assert multi30k.tokenize(text) == "a man's t-shirt , worn outside ( 3,5 hours ) ."


@pytest.fixture
def captions(tmp_path):
    lines = {
        "train.en": "A dog runs.\nA man runs.\n",
        "train.de": "Ein Hund rennt.\nEin Mann rennt.\n",
        "val.en": "A cat.\n",
        "val.de": "Eine Katze.\n",
    }
    for name, text in lines.items():
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
    return tmp_path


def test_captions_are_read(captions):
    train, validation = multi30k.load(str(captions))
    assert train.texts[1] == ("a man runs .", "ein mann rennt .")
    assert train.source.words[4:] == (".", "a", "runs")  # of two or more
    assert validation.gather(np.arange(1))["source"].tolist() == [[5, 3, 4, 2]]
    joint = multi30k.load(str(captions)).joint()
    assert joint.train.source is joint.train.target
    assert joint.train.source.words[4:] == (".", "a", "runs", "ein", "rennt")
    assert (joint.train.width, joint.validation.width) == (5, 4)


def test_captions_that_do_not_fit_are_told(captions):
    with refused("no folder 'nowhere': give the folder with Multi30k's"):
        multi30k.load("nowhere")
    (captions / "train.de").write_text("Ein Hund rennt.\n")  # comes before the .gz
    with refused("has 2 lines and"):
        multi30k.load(str(captions))
    (captions / "train.de").write_bytes(b"\xff\xfe\n\n")
    with refused("is not UTF-8 text"):
        multi30k.load(str(captions))
    (captions / "val.en.gz").write_bytes(b"no gzip")
    with refused("cannot be read"):
        read_pairs(captions / "val.en", captions / "val.de")
    with refused("nor test.en.gz"):
        read_pairs(captions / "test.en", captions / "test.de")


def test_byte_pairs_are_read(tmp_path):
    for name, text in {"train": "a@@ b c\nd d d d\n", "valid": "c\n"}.items():
        for side in ("en", "de"):
            (tmp_path / f"{name}.{side}").write_text(text)
    train, validation = wmt14.load(str(tmp_path), longest=4)
    assert train.texts == [("a@@ b c", "a@@ b c")], "the long pair is left out"
    assert len(validation) == 1


def test_pronunciations_are_read(tmp_path):
    """Without stress, comments and signs; each of a word's pronunciations once."""
    lines = ["a AH0", "a(2) EY1", "a(3) EY0 # again", "'tis T IH1 Z", "b. B IY1", ""]
    assert cmudict.parse(lines) == {"a": ["AH", "EY"], "'tis": ["T IH Z"]}
    with refused("line 1 has the phoneme 'QQ'"):
        cmudict.parse(["a QQ"])
    words = {f"{a}{b}ab": "AA B" for a in "abcdefgh" for b in "uvwxyz"}
    (tmp_path / "cmudict.dict").write_text(
        "".join(f"{w} {p}\n{w}(2) IY\n" for w, p in words.items())
    )
    train, validation, truth = cmudict.load(str(tmp_path))
    assert len(train) + 2 * len(validation) == 96 and 0 < len(validation) < 20
    assert truth == [["AA B", "IY"]] * len(validation)
    assert not {w for w, _ in train.texts} & {w for w, _ in validation.texts}


@pytest.mark.parametrize(
    "home, sizes", [(multi30k, (5970, 7855)), (wmt14, (18_502, 18_502))], ids=["multi30k", "wmt14"]
)
def test_fakes_have_the_sizes_of_what_they_stand_for(home, sizes):
    fake = home.load(fake=True)
    assert (len(fake.train.source), len(fake.train.target)) == sizes
    if home is wmt14:
        assert len(fake.joint().train.source) == 37_000
