"""Text as numbers: vocabularies, and windows of a long sequence as examples."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from dljax.data.pipeline import Examples
from dljax.errors import UserError

NO_TARGET = -1
_CHUNK = 2**20  # characters encoded at once: the arrays between take 40 bytes for each


def read_text(file: Path) -> str:
    """A UTF-8 text file.

    Raises:
        UserError: it cannot be read, or is no such text.
    """
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UserError(f"{file} is not UTF-8 text: give a text file with --data PATH") from None


class Vocabulary(Protocol):
    """Tokens of a text and back: ``Characters``, ``Words``, ``byte_pairs.BytePairs``, ``pieces.Pieces``."""

    def __len__(self) -> int: ...

    def encode(self, text: str) -> np.ndarray:
        """int32 [t]."""

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of tokens."""


@dataclass(frozen=True)
class Characters:
    """A vocabulary whose tokens are the characters of ``alphabet``; any other becomes ``unknown``."""

    alphabet: str
    unknown: str | None = None

    @classmethod
    def of(cls, text: str) -> "Characters":
        return cls("".join(sorted(set(text))))

    def __len__(self) -> int:
        return len(self.alphabet)

    @cached_property
    def _sorted(self) -> tuple[np.ndarray, np.ndarray]:
        points = np.array([ord(c) for c in self.alphabet])
        order = np.argsort(points)
        return points[order], order

    def encode(self, text: str) -> np.ndarray:
        """int32 [characters].

        Raises:
            UserError: a character is not in the alphabet, and there is no ``unknown``.
        """
        pieces = [self._encode(text[i : i + _CHUNK]) for i in range(0, len(text), _CHUNK)]
        return np.concatenate([np.zeros(0, np.int32), *pieces])

    def _encode(self, text: str) -> np.ndarray:
        points, order = self._sorted
        wanted = np.frombuffer(text.encode("utf-32-le", "replace"), "<u4").astype(points.dtype)
        at = np.minimum(np.searchsorted(points, wanted), len(points) - 1)
        found = points[at] == wanted
        tokens = order[at]
        if not found.all():
            if self.unknown is None:
                odd = chr(wanted[~found][0])
                shown = self.alphabet[:20] + ("..." if len(self) > 20 else "")
                raise UserError(
                    f"{odd!r} is not among the {len(self)} characters of the vocabulary ({shown!r}): "
                    "the text that it was made from has no such character"
                )
            tokens = np.where(found, tokens, self.alphabet.index(self.unknown))
        return tokens.astype(np.int32)

    def decode(self, tokens: Iterable[int]) -> str:
        return "".join(self.alphabet[int(token)] for token in tokens)


@dataclass(frozen=True)
class Words:
    """A vocabulary whose tokens are ``words``; any other becomes ``unknown``, which is one of them."""

    words: tuple[str, ...]
    unknown: str = "<unk>"

    @classmethod
    def of(cls, words: Sequence[str], unknown: str = "<unk>") -> "Words":
        """The words in order of frequency, then of the alphabet."""
        counts = Counter(words)
        counts.setdefault(unknown, 0)
        return cls(tuple(sorted(counts, key=lambda w: (-counts[w], w))), unknown)

    def __len__(self) -> int:
        return len(self.words)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {word: i for i, word in enumerate(self.words)}

    def encode(self, text: str) -> np.ndarray:
        other = self._index[self.unknown]
        return np.array([self._index.get(w, other) for w in text.split()], np.int32)

    def decode(self, tokens: Iterable[int]) -> str:
        return " ".join(self.words[int(token)] for token in tokens)


class Text(NamedTuple):
    """A corpus as tokens, int32 [t] each, and its vocabulary."""

    train: np.ndarray
    validation: np.ndarray
    vocabulary: Vocabulary
    test: np.ndarray | None = None

    @classmethod
    def cut(cls, tokens: np.ndarray, vocabulary: Vocabulary) -> "Text":
        """The first 90 % of the tokens for training, the rest for validation."""
        at = len(tokens) * 9 // 10
        return cls(tokens[:at], tokens[at:], vocabulary)


@dataclass(frozen=True)
class Windows:
    """Examples ``tokens`` and ``targets`` int32 [length]: a window, and the same one token later.

    One example per ``stride`` tokens. With ``stride=1`` (training) every position where a whole
    window fits starts one; with ``stride=length`` (evaluation) the windows do not overlap and every
    token but the first is a target once: the last window's tail is filled with NO_TARGET, which
    counts in no loss.
    """

    sequence: np.ndarray
    length: int
    stride: int = 1

    def __post_init__(self):
        if len(self.sequence) <= self.length:
            raise UserError(
                f"a text of {len(self.sequence)} tokens has no window of {self.length} with a "
                "target for each: use a longer text or a shorter context"
            )

    @classmethod
    def apart(cls, sequence: np.ndarray, length: int) -> "Windows":
        """Windows that do not overlap, for evaluation."""
        return cls(sequence, length, length)

    def __len__(self) -> int:
        targets = len(self.sequence) - 1
        if self.stride == 1:
            return targets - self.length + 1
        return -(-targets // self.stride)

    def gather(self, indices: np.ndarray) -> Examples:
        at = np.asarray(indices)[:, None] * self.stride + np.arange(self.length + 1)
        window = self.sequence[np.minimum(at, len(self.sequence) - 1)]
        tokens, targets = window[:, :-1], window[:, 1:]
        if self.stride == 1:
            return {"tokens": tokens, "targets": targets}
        inside = at[:, 1:] < len(self.sequence)
        return {"tokens": tokens, "targets": np.where(inside, targets, np.int32(NO_TARGET))}


@dataclass(frozen=True)
class Streams:
    """Windows of a long sequence that follow each other in the same row of the batch, for models that keep
    their memory: ``tokens`` and ``targets`` int32 [length], ``fresh`` float32 scalar, 1 in the first
    window of a stream.

    The sequence is cut in ``rows`` streams of equal length, as Zaremba et al. 2014 do; what is left over is
    dropped. Example ``i`` is window ``i // rows`` of stream ``i % rows``, so a pipeline of anything but
    batches of ``rows`` in order is refused (``ordered``).

    Raises:
        UserError: a stream has no window.
    """

    sequence: np.ndarray
    length: int
    rows: int

    def __post_init__(self):
        if self.windows < 1:
            raise UserError(
                f"a text of {len(self.sequence)} tokens in {self.rows} streams has no window of "
                f"{self.length} with a target for each: use a longer text, or less of either"
            )

    @property
    def ordered(self) -> int:
        """Number of rows that a batch must have."""
        return self.rows

    @property
    def windows(self) -> int:
        """Number of windows in a stream."""
        return (len(self.sequence) // self.rows - 1) // self.length

    def __len__(self) -> int:
        return self.rows * self.windows

    def gather(self, indices: np.ndarray) -> Examples:
        window, stream = np.divmod(np.asarray(indices), self.rows)
        first = stream * (len(self.sequence) // self.rows) + window * self.length
        text = self.sequence[first[:, None] + np.arange(self.length + 1)]
        fresh = (window == 0).astype(np.float32)
        return {"tokens": text[:, :-1], "targets": text[:, 1:], "fresh": fresh}
