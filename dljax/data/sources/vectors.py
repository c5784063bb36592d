"""Vectors of words from a file of text: a word and its numbers on each line, as GloVe (Pennington et al. 2014,
doi:10.3115/v1/D14-1162) and word2vec's text files have them.
"""

from pathlib import Path

import numpy as np

from dljax.data.sources.text import Words
from dljax.errors import UserError


def read_vectors(
    file: str | Path, vocabulary: Words, features: int
) -> tuple[np.ndarray, np.ndarray]:
    """The vectors of a vocabulary's words.

    Args:
        file: UTF-8 text; a first line of two numbers (word2vec's count and length) is passed over.
        features: numbers of a vector.

    Returns:
        (float32 [words, features], zero where the file has no such word; bool [words], True where it has).

    Raises:
        UserError: it cannot be read, the line of one of the words has another number of numbers, a
            number is not finite, or none of the words is there.
    """
    numbers = {word: i for i, word in enumerate(vocabulary.words)}
    table = np.zeros((len(vocabulary), features), np.float32)
    found = np.zeros(len(vocabulary), bool)
    try:
        with open(file, encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                if number == 1 and features > 1 and all(map(str.isdecimal, line.split())):
                    continue
                # From the right, as GloVe has words with spaces in them.
                word, *rest = line.rstrip().rsplit(" ", features)
                at = numbers.get(word)
                if at is None:
                    continue
                if len(rest) != features:
                    raise UserError(
                        f"{file} line {number}: {len(rest)} numbers for {word!r}, expected the model's "
                        f"{features}"
                    )
                table[at], found[at] = [float(x) for x in rest], True
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # no number, or no UTF-8
        raise UserError(f"{file} is no file of vectors: {str(error)[:80]}") from None
    if not np.isfinite(table).all():
        raise UserError(f"{file} has numbers that are not finite: expected float32 ones")
    if not found.any():
        raise UserError(
            f"{file} has none of the {len(vocabulary)} words: expected a word and its numbers on each line"
        )
    return table, found
