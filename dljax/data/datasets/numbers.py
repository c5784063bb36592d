"""Numbers in English and in German words, "forty two" and "zwei und vierzig": a small translation between
two languages that order their words differently. They are made, not read.
"""

import numpy as np

from dljax.data.sources import embedded
from dljax.data.sources.pairs import Pairs, Parallel, vocabulary

_ENGLISH = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
).split()
_ENGLISH_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_GERMAN = (
    "null ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf drei_zehn vier_zehn fünf_zehn "
    "sech_zehn sieb_zehn acht_zehn neun_zehn"
).split()
_GERMAN_TENS = "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig".split()


def english(n: int) -> str:
    """The words of a number below a million: 1021 is "one thousand twenty one"."""
    if n < 20:
        return _ENGLISH[n]
    if n < 100:
        return " ".join([_ENGLISH_TENS[n // 10 - 2], *([_ENGLISH[n % 10]] if n % 10 else [])])
    size, name = (1000, "thousand") if n >= 1000 else (100, "hundred")
    rest = [english(n % size)] if n % size else []
    return " ".join([english(n // size), name, *rest])


def german(n: int, last: bool = True) -> str:
    """The parts of a number's word below a million: 1021 is "ein tausend ein und zwanzig".

    Args:
        last: nothing follows, where 1 is "eins".
    """
    if n < 20:
        return "eins" if n == 1 and last else _GERMAN[n].replace("_", " ")
    if n < 100:
        tens = _GERMAN_TENS[n // 10 - 2]
        return f"{_GERMAN[n % 10]} und {tens}" if n % 10 else tens
    size, name = (1000, "tausend") if n >= 1000 else (100, "hundert")
    rest = [german(n % size, last)] if n % size else []
    return " ".join([german(n // size, False), name, *rest])


def load(data: str = "", *, fake: bool = False) -> Parallel:
    """18,000 numbers for training and 1000 for validation, below a million, each once.

    As many have one to six digits, as far as there are so many.

    Args:
        data: must be empty: nothing is read from files.
        fake: fewer.

    Raises:
        UserError: a path in ``data``.
    """
    embedded(data)
    rng = np.random.default_rng(0)
    size = 440 if fake else 19_000
    drawn = rng.integers(0, 10 ** rng.integers(1, 6, 4 * size, endpoint=True))
    numbers = list(dict.fromkeys(drawn.tolist()))[:size]
    texts = [(english(n), german(n)) for n in numbers]
    # All words there are, whatever numbers were drawn.
    every = [*range(100), 100, 1000]
    words = vocabulary(map(english, every)), vocabulary(map(german, every))
    cut = size - max(40, size // 19)
    longest = 1 + len(german(777_777).split())
    return Parallel(*(Pairs(part, *words, longest) for part in (texts[:cut], texts[cut:])))
