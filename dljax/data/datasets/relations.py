"""Texts with two marked entities and the relation between them: SemEval-2010 task 8 (Hendrickx et al. 2010,
https://aclanthology.org/S10-1006), 8,000 and 2,717 sentences; and made sentences about numbers.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dljax.data.pipeline import Arrays
from dljax.data.sources.text import read_text
from dljax.data.sources.word_pieces import SPECIAL, WordPieces
from dljax.errors import UserError

# Before and after each entity: pieces that BERT's vocabularies keep free.
MARKERS = ("[unused0]", "[unused1]", "[unused2]", "[unused3]")
_FILES = ("TRAIN_FILE.TXT", "TEST_FILE_FULL.TXT")
_MARKED = re.compile(r"(.*)<e1>(.*)</e1>(.*)<e2>(.*)</e2>(.*)", re.DOTALL)
_ONES = "one two three four five six seven eight nine".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()


class Marked(NamedTuple):
    """A text in five parts, of which the second and the fourth are the entities, and their relation."""

    parts: tuple[str, ...]
    relation: str


class RelationSet(NamedTuple):
    """Splits, each ``tokens`` int32 [n, t] and ``label`` int32 [n]; the relations' names; the vocabulary."""

    train: Arrays
    validation: Arrays
    test: Arrays
    names: tuple[str, ...]
    vocabulary: WordPieces

    @property
    def markers(self) -> tuple[int, int]:
        """The tokens before the first and before the second entity."""
        return self.vocabulary.number(MARKERS[0]), self.vocabulary.number(MARKERS[2])


def load(
    data: str = "", vocabulary: str = "", *, size: int = 2000, fake: bool = False
) -> RelationSet:
    """train, validation (every tenth sentence for training) and test.

    Args:
        data: a folder with TRAIN_FILE.TXT and TEST_FILE_FULL.TXT; by default sentences about numbers,
            2,400 and 400, of which each pair of numbers is in one of them.
        vocabulary: a file of pieces, as BERT's ``vocab.txt``; by default ``size`` pieces are learned
            from the sentences for training.
        fake: 400 and 80 of the sentences about numbers, and words for pieces.

    Raises:
        UserError: a file is missing, or is not what it should be.
    """
    if data and not fake:
        for file in _FILES:
            if not Path(data, file).is_file():
                raise UserError(
                    f"no file {str(Path(data, file))!r}: give a folder with {' and '.join(_FILES)} "
                    "(SemEval-2010 task 8) with --data FOLDER"
                )
        whole, test = (read(Path(data, file)) for file in _FILES)
    else:
        whole, test = comparisons(400, 80) if fake else comparisons(2400, 400)
    train = [text for i, text in enumerate(whole) if i % 10 < 9]
    validation = [text for i, text in enumerate(whole) if i % 10 == 9]
    if fake:
        words = sorted({word for text in whole for part in text.parts for word in part.split()})
        known = WordPieces((*SPECIAL, *MARKERS, *words))
    elif vocabulary:
        known = WordPieces.read(vocabulary)
    else:
        learned = WordPieces.train((" ".join(text.parts) for text in train), size)
        known = WordPieces((*learned.pieces, *MARKERS), learned.lower)
    names = tuple(sorted({text.relation for text in train}))
    rows = [marked_rows(split, names, known) for split in (train, validation, test)]
    return RelationSet(rows[0], rows[1], rows[2], names, known)


def read(file: Path) -> list[Marked]:
    """The sentences of a file of SemEval-2010 task 8: a number and a sentence in quotation marks, its relation,
    a comment, an empty line.

    Raises:
        UserError: it cannot be read, or a sentence has not two marked entities and a relation.
    """
    found = []
    for number, record in enumerate(re.split(r"\n\s*\n", read_text(file).strip()), 1):
        lines = [line.strip() for line in record.split("\n")]
        text = lines[0].partition("\t")[2].strip().removeprefix('"').removesuffix('"')
        match = _MARKED.fullmatch(text)
        if match is None or len(lines) < 2 or not lines[1]:
            raise UserError(
                f"{file}, sentence {number}, is {lines[0][:40]!r}: expected a number, a tab, a text with "
                "<e1>...</e1> before <e2>...</e2>, and the relation on the next line"
            )
        found.append(Marked(match.groups(), lines[1]))
    return found


def _word(number: int) -> str:
    tens, ones = divmod(number, 10)
    return " ".join(([_TENS[tens - 2]] if tens else []) + ([_ONES[ones - 1]] if ones else []))


def comparisons(train: int, test: int) -> tuple[list[Marked], list[Marked]]:
    """Sentences with three numbers, two of them marked, of which one is less or both are the same.

    The numbers are 1 to 9 and 20 to 99, in words. A pair that is in a test sentence is in none for
    training.
    """
    rng = np.random.default_rng(31)
    numbers = np.array([*range(1, 10), *range(20, 100)])
    splits: tuple[list[Marked], list[Marked]] = ([], [])
    while len(splits[0]) < train or len(splits[1]) < test:
        first, second, other = rng.choice(numbers, 3)
        if rng.random() < 0.2:
            second = first
        held = (first * 7 + second) % 6 == 0
        place = int(rng.integers(3))
        shown = [_word(int(x)) for x in (first, second)]
        shown.insert(place, _word(int(other)))
        words = [f"one counts {shown[0]}", f", another {shown[1]}", f"and a third {shown[2]} ."]
        marked = [i for i in range(3) if i != place]
        text = ""
        for i, part in enumerate(words):
            if i in marked:
                tag = f"e{1 + marked.index(i)}"
                part = part.replace(shown[i], f"<{tag}>{shown[i]}</{tag}>", 1)
            text += f" {part}"
        match = _MARKED.fullmatch(text.strip())
        assert match is not None
        sign = "Equal" if first == second else f"Less({'e1,e2' if first < second else 'e2,e1'})"
        split = splits[int(held)]
        if len(split) < (test if held else train):
            split.append(Marked(match.groups(), sign))
    return splits


def marked_rows(texts: Sequence[Marked], names: Sequence[str], vocabulary: WordPieces) -> Arrays:
    """Rows as long as the longest text needs, each [CLS], the text with a marker before and after each of the
    two entities, [SEP].

    Raises:
        UserError: a relation is not among ``names``.
    """
    special, at = vocabulary.special, {name: i for i, name in enumerate(names)}
    markers = [np.array([vocabulary.number(marker)], np.int32) for marker in MARKERS]
    pieces = vocabulary.encode_all([part for text in texts for part in text.parts])
    rows = []
    for i, text in enumerate(texts):
        if text.relation not in at:
            raise UserError(f"the relation {text.relation!r} is none of {', '.join(names)}")
        parts = pieces[5 * i : 5 * i + 5]
        joined = [parts[0]]
        for marker, part in zip(markers, parts[1:], strict=True):
            joined += [marker, part]
        rows.append(np.concatenate([[special.first], *joined, [special.last]]).astype(np.int32))
    tokens = np.full((len(rows), max(map(len, rows))), special.padding, np.int32)
    for i, row in enumerate(rows):
        tokens[i, : len(row)] = row
    label = np.array([at[text.relation] for text in texts], np.int32)
    return Arrays({"tokens": tokens, "label": label}, tuple(names))
