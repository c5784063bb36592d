"""Pictures with captions: words as rows, combinations that are held out, retrieval."""

import zipfile
from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from dljax import Arrays, EvalSet
from dljax.analysis.captions import ForCaptions, Retrieval
from dljax.data.datasets import digit_pairs, digits, emoji_tones
from dljax.data.sources.captions import Captions, words_of
from dljax.errors import UserError

KNOWN = Captions.of(["a seven, then a two", "an Eight"])


def test_a_caption_is_its_words_behind_a_beginning():
    """Four marks, then "a" (twice) and the rest by the alphabet: an eight seven then two."""
    assert words_of("A seven, then -- a TWO!") == ["a", "seven", "then", "a", "two"]
    assert KNOWN.vocabulary.words[4:] == ("a", "an", "eight", "seven", "then", "two")
    row = KNOWN.encode("Seven, then an eight")
    assert row.tolist() == [1, 7, 8, 5, 6, 0] and row.dtype == np.int32
    assert KNOWN.decode(row) == "seven then an eight"


@pytest.mark.parametrize(
    "text, message",
    [("a sevn", "'sevn', which no caption"), ("...", "0 words"), ("a " * 6, "6 words")],
)
def test_captions_that_cannot_be_read_are_refused(text, message):
    with pytest.raises(UserError, match=message):
        KNOWN.encode(text)


def test_pairs_of_digits_that_are_held_out():
    train, test, captions = digit_pairs.load(size=8)
    assert (len(train), len(test)) == (4500, 200)
    seen, unseen = (
        {captions.decode(row) for row in part.arrays["caption"]} for part in (train, test)
    )
    assert len(seen) == 90 and len(unseen) == 10 and not seen & unseen
    assert "a seven then a one" in unseen  # 7 + 3 x 1 = 10
    assert digit_pairs.caption(8, 0) == "an eight, then a zero"
    for place in (0, 1):  # each digit is once in each place
        assert len({text.split(" then ")[place].split()[-1] for text in unseen}) == 10
    # The halves are digits of the caption's classes, of the same part.
    for part, source in zip((train, test), digits.load(size=8), strict=True):
        known = {x.tobytes(): y for x, y in zip(*source.arrays.values(), strict=True)}
        for image, row in list(zip(*part.arrays.values(), strict=True))[:100]:
            halves = (known[half.tobytes()] for half in (image[:, :8], image[:, 8:]))
            said = captions.decode(row).split(" then ")
            assert [digit_pairs.WORDS[d] for d in halves] == [text.split()[-1] for text in said]


def test_tones_of_emoji_that_are_held_out(tmp_path):
    """Of two things the first is not seen in its first tone, the second not in its second."""
    lines, files = ["file\tcaption\tbase_file\ttone"], {}
    for base, thing in enumerate(("ear", "nose")):
        for tone, code in enumerate(emoji_tones._CODES):
            name = f"{thing}-{tone}.png"
            lines.append(
                f"{name}\t{thing} {emoji_tones.TONES[tone]} skin tone\t{thing}.png\t{code}"
            )
            files[name] = Image.new("RGB", (4, 4), (100 * base, 40 * tone, 0))
    lines.append("two.png\tmen dark and light skin tone\tmen.png\t1F3FB-1F3FF")
    (tmp_path / "tones.tsv").write_text("\n".join(lines))
    with pytest.raises(UserError, match="no tones.tsv and twitter_tones.zip"):
        emoji_tones.load(data=str(tmp_path))
    with zipfile.ZipFile(tmp_path / "twitter_tones.zip", "w") as archive:
        for name, image in files.items():
            image.save(tmp_path / name)
            archive.write(tmp_path / name, name)
    train, test, captions = emoji_tones.load(size=2, data=str(tmp_path))
    assert len(train) == 8 and len(test) == 2
    texts = [captions.decode(row) for row in test.arrays["caption"]]
    assert texts == ["ear light skin tone", "nose medium light skin tone"]
    np.testing.assert_array_equal(test.arrays["image"][:, 0, 0], [[0, 0, 0], [100, 40, 0]])


# Held-out pictures of three captions, of gray levels 0, .5 and 1; in training there are .4 and .9 of others.
TEST = EvalSet(Arrays({
    "image": np.array([0.0, 0.5, 1.0], np.float32).reshape(3, 1, 1, 1),
    "caption": np.array([[1], [2], [3]]),
}))  # fmt: skip
TRAIN = EvalSet(Arrays({
    "image": np.array([0.4, 0.9], np.float32).reshape(2, 1, 1, 1),
    "caption": np.array([[4], [5]]),
}))  # fmt: skip
MADE = {1: 0.1, 2: 0.55, 3: 0.6}


def sampled(captions, variables, key, n):
    assert len(captions) == n
    return jnp.array([MADE[int(c)] for (c,) in captions]).reshape(n, 1, 1, 1)


def test_retrieval_by_hand():
    """.1, .55 and .6 are nearest to 0, .5 and .5: two of three. Their training neighbors .4, .4 and .4 are all
    nearest to .5: one of three."""
    found = Retrieval(lambda told: partial(sampled, told), TRAIN, TEST)(None, None)
    by_hand = {"accuracy": 2 / 3, "copied": 1 / 3, "chance": 1 / 3}
    assert found == pytest.approx(by_hand)
    shown = ForCaptions(lambda told: partial(sampled, told), TRAIN, TEST, 3, 1, enlarge=1)
    picture = shown(None, None)
    rows = [[0, 0.5, 1], [0.1, 0.55, 0.6], [0.4, 0.4, 0.4]]
    np.testing.assert_allclose(picture[1::2, 1::2], rows, rtol=1e-6)
