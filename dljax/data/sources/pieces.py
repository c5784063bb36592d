"""The vocabulary of llama2.c's tokenizer files: pairs of pieces merged by score, as SentencePiece's BPE does
(Kudo & Richardson 2018, arXiv:1808.06226).

A file: the longest piece's length, int32; then for each piece a score, float32, its length, int32, and
its bytes. Piece 0 is unknown, 1 and 2 begin and end a text, 3 to 258 are the bytes 0 to 255.
"""

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from dljax.errors import UserError

BEGIN, END = 1, 2
_BYTES = 3  # the first byte's piece


@dataclass(frozen=True)
class Pieces:
    """A vocabulary of byte strings with scores; every text has tokens, and begins with BEGIN.

    Attributes:
        pieces: the byte strings; a space begins a word.
        scores: of two pieces side by side whose joint is a piece, the pair of the highest score is
            merged first.
    """

    pieces: tuple[bytes, ...]
    scores: tuple[float, ...]

    @classmethod
    def read(cls, file: str | Path) -> "Pieces":
        """The vocabulary of a file, such as ``tokenizer.bin``.

        Raises:
            UserError: it cannot be read, or is no such file.
        """
        try:
            data = Path(file).read_bytes()
        except OSError as error:
            raise UserError(f"{file} cannot be read: {error.strerror or error}") from None
        pieces, scores, at = [], [], 4
        while at + 8 <= len(data):
            score = np.frombuffer(data, "<f4", 1, at)[0]
            length = int(np.frombuffer(data, "<i4", 1, at + 4)[0])
            at += 8 + length
            if not 0 <= length <= len(data) or at > len(data):
                break
            scores.append(float(score))
            pieces.append(data[at - length : at])
        longest = int.from_bytes(data[:4], "little")
        if at != len(data) or len(pieces) <= _BYTES + 256 or max(map(len, pieces)) < longest:
            raise UserError(
                f"{file} is no tokenizer of llama2.c: expected pieces with scores, of them 256 bytes; "
                "its tokenizer.py writes one with -t"
            )
        return cls(tuple(pieces), tuple(scores))

    def __len__(self) -> int:
        return len(self.pieces)

    @cached_property
    def _index(self) -> dict[bytes, int]:
        # Bytes and marks are no text: of equal pieces the first is meant, as it has the higher score.
        found: dict[bytes, int] = {}
        for i in range(_BYTES + 256, len(self.pieces)):
            found.setdefault(self.pieces[i], i)
        return found

    @cached_property
    def _words(self) -> re.Pattern:
        """Parts of a text over whose bounds no piece reaches: words with the spaces before them."""
        apart = not any(b" " in piece.lstrip(b" ") for piece in self._index)
        return re.compile(r" *[^ ]+| +" if apart else r"(?s).+")

    def encode(self, text: str) -> np.ndarray:
        """int32 [t], from BEGIN on; a space is put in front of the text.

        A character that is no piece becomes its bytes.
        """
        merged: dict[str, list[int]] = {}
        tokens = [BEGIN]
        for word in self._words.findall(" " + text if text else ""):
            if word not in merged:
                merged[word] = self._merged(word)
            tokens += merged[word]
        return np.array(tokens, np.int32)

    def _merged(self, word: str) -> list[int]:
        tokens: list[int] = []
        for character in word:
            raw = character.encode("utf-8", "surrogatepass")
            whole = self._index.get(raw)
            tokens += [_BYTES + byte for byte in raw] if whole is None else [whole]
        while True:
            best: tuple[float, int, int] | None = None
            for i, (left, right) in enumerate(itertools.pairwise(tokens)):
                joint = self._index.get(self._bytes(left) + self._bytes(right))
                if joint is not None and (best is None or self.scores[joint] > best[0]):
                    best = (self.scores[joint], i, joint)
            if best is None:
                return tokens
            tokens[best[1] : best[1] + 2] = [best[2]]

    def _bytes(self, token: int) -> bytes:
        if token < _BYTES:
            return b""
        return bytes([token - _BYTES]) if token < _BYTES + 256 else self.pieces[token]

    def decode(self, tokens: Iterable[int]) -> str:
        """The text; of a text that begins with BEGIN, without the space that ``encode`` put there.

        Bytes that are no UTF-8 become U+FFFD.
        """
        tokens = [int(token) for token in tokens]
        text = b"".join(map(self._bytes, tokens))
        if tokens[:1] == [BEGIN]:
            text = text.removeprefix(b" ")
        return text.decode("utf-8", "replace")
