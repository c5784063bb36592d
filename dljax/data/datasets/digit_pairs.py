"""Two handwritten digits (see ``digits``) side by side, with captions: "a seven, then a two"."""

import numpy as np

from dljax.data.datasets import digits
from dljax.data.pipeline import Arrays
from dljax.data.sources.captions import Captioned, captioned

WORDS = "zero one two three four five six seven eight nine".split()


def caption(first: int, second: int) -> str:
    """The caption of two digits."""
    names = [f"{'an' if d == 8 else 'a'} {WORDS[d]}" for d in (first, second)]
    return ", then ".join(names)


def held_out(first, second):
    """True of ten of the hundred pairs: each digit is once the first of them and once the second."""
    return (np.asarray(first) + 3 * np.asarray(second)) % 10 == 0


def _pairs(source: Arrays, n: int, held: bool, seed: int) -> tuple[np.ndarray, list[str]]:
    """``n`` pictures of pairs that are held out, or are not; all ten or ninety captions in turn."""
    image, label = source.arrays["image"], source.arrays["label"]
    rng = np.random.default_rng([29, seed])
    both = [(a, b) for a in range(10) for b in range(10) if held_out(a, b) == held]
    asked = [both[i % len(both)] for i in range(n)]
    of = [np.flatnonzero(label == d) for d in range(10)]
    at = np.array([[rng.choice(of[d]) for d in pair] for pair in asked])
    return np.concatenate([image[at[:, 0]], image[at[:, 1]]], 2), [caption(*p) for p in asked]


def load(*, size: int = 16, data: str = "", fake: bool = False) -> Captioned:
    """4500 pictures uint8 [size, 2 size, 1] of 90 captions, and of the 10 others 200, made of test digits.

    Args:
        size: side of a digit.
        data: must be empty: nothing is read from files.
        fake: made-up images, fewer of them.

    Raises:
        UserError: a folder in ``data``.
    """
    train, test = digits.load(size=size, data=data, fake=fake)
    many, few = (270, 20) if fake else (4500, 200)
    return captioned(_pairs(train, many, False, 0), _pairs(test, few, True, 1))
