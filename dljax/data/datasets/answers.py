"""Questions whose answers are spans of a text: files of SQuAD's kind (Rajpurkar et al. 2016, arXiv:1606.05250;
XQuAD: Artetxe et al. 2019, arXiv:1910.11856); and made sentences about gifts.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from dljax.data.sources import embedded
from dljax.data.sources.spans import Question, SpanRows, read_squad, span_rows
from dljax.data.sources.word_pieces import SPECIAL, WordPieces
from dljax.errors import UserError

_NAMES = "ann ben cara dan eve finn gus hana ivo jane".split()
_THINGS = "apples books coins keys lamps maps pens rings shells stones".split()
_COLORS = "red green blue white black grey".split()
_NUMBERS = "two three four five six seven eight nine ten".split()
_TENS = "twenty thirty forty fifty".split()
_PLACES = "paris rome oslo lima cairo delhi tokyo quito".split()
_DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
_HELD_OUT = 5  # of articles in one file, every fifth is for the test


class AnswerSet(NamedTuple):
    """Rows for training, the questions of the test and their rows, the vocabulary."""

    train: SpanRows
    asked: Sequence[Question]
    test: SpanRows
    vocabulary: WordPieces


def load(
    name: Literal["gifts", "xquad", "squad"],
    data: str = "",
    vocabulary: str = "",
    *,
    size: int = 2000,
    length: int = 32,
    stride: int = 12,
    fake: bool = False,
) -> AnswerSet:
    """Questions for training and for the test.

    Args:
        name: "gifts" are 3,000 and 300 questions about gifts.
        data: for "squad" a folder with train-v1.1.json and dev-v1.1.json; for "xquad" one file of that kind, of
            whose articles every fifth is for the test.
        vocabulary: a file of pieces, as BERT's ``vocab.txt``; by default ``size`` pieces are learned
            from the texts for training.
        length, stride: of ``span_rows``.
        fake: 400 and 80 questions about gifts.

    Raises:
        UserError: a file is missing, or is not what it should be.
    """
    if name == "gifts" and not fake:
        embedded(data)
    if name == "gifts" or fake:
        train, test = gifts(*((400, 80) if fake else (3000, 300)))
    elif name == "squad":
        files = [Path(data, f"{split}-v1.1.json") for split in ("train", "dev")]
        for file in files:
            if not data or not file.is_file():
                raise UserError(
                    f"no file {str(file)!r}: give the folder with train-v1.1.json and dev-v1.1.json with "
                    "--data FOLDER; or try --fake true"
                )
        train, test = ([q for article in read_squad(file) for q in article] for file in files)
    else:
        if not Path(data).is_file():
            raise UserError(
                f"no file {data!r}: give a file of SQuAD's kind, as xquad.en.json, with --data FILE; or "
                "try --fake true"
            )
        articles = read_squad(Path(data))
        if len(articles) < 2:
            raise UserError(
                f"{data} has {len(articles)} articles: expected two or more, of which every fifth is the test"
            )
        train, test = (
            [q for i, a in enumerate(articles) for q in a if (i % _HELD_OUT == 0) == held]
            for held in (False, True)
        )
    if vocabulary:
        known = WordPieces.read(vocabulary)
    elif name != "gifts" and not fake:
        known = WordPieces.train({text for q in train for text in (q.context, q.question)}, size)
    else:
        words = sorted({word for q in train for word in f"{q.context} {q.question}".split()})
        known = WordPieces((*SPECIAL, *words))
    rows = [span_rows(some, known, length, stride) for some in (train, test)]
    return AnswerSet(rows[0], test, rows[1], known)


def gifts(train: int, test: int) -> tuple[list[Question], list[Question]]:
    """Sentences such as "on monday ann gave ben ... twenty two red apples in paris .", their parts in any order,
    and a question: who gave, who got, what, how many, where, when.

    A pair of somebody who gives and a thing that a test question has is in no question for training.
    """
    rng = np.random.default_rng(43)
    splits: tuple[list[Question], list[Question]] = ([], [])
    while len(splits[0]) < train or len(splits[1]) < test:
        giver, taker = rng.choice(len(_NAMES), 2, replace=False)
        thing = int(rng.integers(len(_THINGS)))
        number = str(rng.choice(_NUMBERS))
        if rng.random() < 0.5:
            number = f"{rng.choice(_TENS)} {number}" if number != "ten" else "sixty"
        what = f"{rng.choice(_COLORS)} {_THINGS[thing]}"
        place, day = str(rng.choice(_PLACES)), str(rng.choice(_DAYS))
        gave = ("", _NAMES[giver], f" gave {number} {what}")
        others = [("to ", _NAMES[taker], ""), ("in ", place, ""), ("on ", day, "")]
        order = rng.permutation(3)
        first = int(rng.integers(3))
        parts = [others[i] for i in order[:first]] + [gave] + [others[i] for i in order[first:]]
        context = " ".join("".join(part) for part in parts) + " ."
        question, answer = (
            (f"who gave the {_THINGS[thing]} ?", _NAMES[giver]),
            (f"who got the {_THINGS[thing]} ?", _NAMES[taker]),
            (f"what did {_NAMES[giver]} give ?", what),
            (f"how many {_THINGS[thing]} were given ?", number),
            ("where was it ?", place),
            ("when was it ?", day),
        )[int(rng.integers(6))]
        split = splits[int((giver + thing) % 6 == 0)]
        if len(split) < (train, test)[split is splits[1]]:
            at = f" {context} ".index(f" {answer} ")  # as a word: "eve" is in "seven"
            split.append(Question(context, question, (answer,), at))
    return splits
