"""Questions whose answers are spans of a text, as rows of word pieces. Devlin et al. 2018, arXiv:1810.04805,
section 4.2.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dljax.data.pipeline import Arrays
from dljax.data.sources.text import read_text
from dljax.data.sources.word_pieces import WordPieces
from dljax.errors import UserError


class Question(NamedTuple):
    """A question about a text.

    Attributes:
        answers: each a part of ``context`` that answers it; the first is learned.
        start: character of ``context`` at which the first answer begins.
    """

    context: str
    question: str
    answers: tuple[str, ...]
    start: int


class SpanRows(NamedTuple):
    """Questions as rows.

    Attributes:
        arrays: ``tokens`` and ``types`` int32 [n, t]; ``label`` int32 [n, 2], the places of the answer's
            first and last piece, 0 where the row has no answer.
        question: number of each row's question, int64 [n].
        pieces: characters of the context from which to which each place is, int64 [n, t, 2]; -1 at
            other places.
    """

    arrays: Arrays
    question: np.ndarray
    pieces: np.ndarray

    def of_first(self, n: int) -> "SpanRows":
        """The rows of the first ``n`` questions."""
        count = int((self.question < n).sum())
        arrays = Arrays({name: x[:count] for name, x in self.arrays.arrays.items()})
        return SpanRows(arrays, self.question[:count], self.pieces[:count])


def read_squad(file: Path) -> list[list[Question]]:
    """The questions of each article of a file of SQuAD's kind (Rajpurkar et al. 2016, arXiv:1606.05250); those
    without an answer, as SQuAD 2.0 has them, are left out.

    Raises:
        UserError: it cannot be read, is of another kind, or an answer is not where it says.
    """
    try:
        articles = json.loads(read_text(file))["data"]
        found = [
            [
                Question(
                    paragraph["context"],
                    qa["question"].strip(),
                    tuple(answer["text"] for answer in qa["answers"]),
                    int(qa["answers"][0]["answer_start"]),
                )
                for paragraph in article["paragraphs"]
                for qa in paragraph["qas"]
                if qa["answers"]
            ]
            for article in articles
        ]
        for one in (one for article in found for one in article):
            "".join((one.context, one.question, *one.answers)).encode()  # half a pair is no text
    except (
        ValueError,
        KeyError,
        TypeError,
        LookupError,
        AttributeError,
        OverflowError,
        RecursionError,
    ):
        raise UserError(
            f"{file} is no file of SQuAD's kind: expected JSON with data, paragraphs, context, qas, "
            "question and answers"
        ) from None
    for one in (one for article in found for one in article):
        there = one.start >= 0 and one.answers[0].strip()
        if not there or not one.context.startswith(one.answers[0], one.start):
            raise UserError(
                f"{file}: the answer {one.answers[0][:40]!r} to {one.question[:60]!r} is not at "
                f"character {one.start} of its text"
            )
    return found


def span_rows(
    questions: Sequence[Question], vocabulary: WordPieces, length: int, stride: int
) -> SpanRows:
    """Rows [CLS] question [SEP] stretch of the text [SEP]: as many for each question as its text needs.

    Args:
        length: of the rows. A question has half of it at most and loses its end.
        stride: pieces between the beginnings of two stretches of a text.

    Raises:
        UserError: no question, a stride below 1, or a stretch shorter than it.
    """
    if not questions or stride < 1:
        raise UserError(
            f"{len(questions)} questions, stride {stride}: expected at least one question, and pieces to go "
            "on by"
        )
    special = vocabulary.special
    asked = vocabulary.encode_all([one.question for one in questions])
    texts = list({one.context: 0 for one in questions})
    known = dict(zip(texts, vocabulary.encode_with_offsets(texts), strict=True))
    tokens, types, labels, owner, places = [], [], [], [], []
    for number, (one, question) in enumerate(zip(questions, asked, strict=True)):
        question = question[: length // 2]
        pieces, at = known[one.context]
        begin = len(question) + 2
        room = length - begin - 1
        if room < stride:
            raise UserError(
                f"rows of {length} tokens leave {room} for a text beside a question of {len(question)}: "
                f"expected {stride} or more, the stride"
            )
        end = one.start + len(one.answers[0])
        inside = np.flatnonzero((at[:, 1] > one.start) & (at[:, 0] < end))
        for first in range(0, max(1, len(pieces) - room + stride), stride):
            part = pieces[first : first + room]
            row = np.full(length, special.padding, np.int32)
            row[0], row[1 : begin - 1], row[begin - 1] = special.first, question, special.last
            row[begin : begin + len(part)], row[begin + len(part)] = part, special.last
            kind = np.zeros(length, np.int32)
            kind[begin : begin + len(part) + 1] = 1
            span = np.full((length, 2), -1)
            span[begin : begin + len(part)] = at[first : first + room]
            whole = inside.size and first <= inside[0] and inside[-1] < first + len(part)
            answer = begin - first + inside[[0, -1]] if whole else np.zeros(2)
            tokens.append(row)
            types.append(kind)
            labels.append(answer.astype(np.int32))
            owner.append(number)
            places.append(span)
    arrays = {"tokens": np.stack(tokens), "types": np.stack(types), "label": np.stack(labels)}
    return SpanRows(Arrays(arrays), np.array(owner), np.stack(places))
