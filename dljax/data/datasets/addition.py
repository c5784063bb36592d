"""Sums of two numbers as characters, "12+345" and "357": Zaremba & Sutskever 2014, arXiv:1410.4615, in the
form of Keras' ``addition_rnn``. They are made, not read.
"""

import numpy as np

from dljax.data.sources import embedded
from dljax.data.sources.pairs import Pairs, Parallel, vocabulary

_SPACED = " ".join


def load(data: str = "", *, digits: int = 3, fake: bool = False) -> Parallel:
    """45,000 sums for training and 5000 for validation, of which no two have the same numbers.

    A number has 1 to ``digits`` digits, each as often. "12+345" and "345+12" are one sum: they stand
    in the same half or not at all.

    Args:
        data: must be empty: nothing is read from files.
        fake: fewer.

    Raises:
        UserError: a path in ``data``.
    """
    embedded(data)
    rng = np.random.default_rng(0)
    wanted = min(550 if fake else 50_000, (10**digits) ** 2 // 4)
    sums: dict[tuple[int, int], tuple[int, int]] = {}
    while len(sums) < wanted:
        a, b = (
            rng.integers(0, 10 ** rng.integers(1, digits, 4 * wanted, endpoint=True)) for _ in "ab"
        )
        for pair in zip(a.tolist(), b.tolist(), strict=True):
            sums.setdefault((min(pair), max(pair)), pair)
    texts = []
    for a, b in list(sums.values())[:wanted]:
        texts.append((_SPACED(f"{a}+{b}"), _SPACED(str(a + b))))
    symbols = vocabulary([_SPACED("0123456789+")]), vocabulary([_SPACED("0123456789")])
    cut = wanted * 9 // 10
    # The longest question and its sum, whatever numbers were drawn.
    return Parallel(*(Pairs(part, *symbols, 2 * digits + 2) for part in (texts[:cut], texts[cut:])))
