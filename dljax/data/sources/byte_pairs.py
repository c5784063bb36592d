"""Byte-level byte-pair encoding. Sennrich et al. 2016, arXiv:1508.07909, on bytes as in GPT-2 (Radford et al.
2019, section 2.2); the ``tokenizers`` library trains it and applies it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from dljax.errors import UserError

END_OF_TEXT = "<|endoftext|>"  # GPT-2's only token that is no bytes


def _library() -> Any:
    try:
        import tokenizers
    except ModuleNotFoundError:
        raise UserError(
            "byte-pair encoding needs the tokenizers library: pip install tokenizers (dljax's extra 'text')"
        ) from None
    return tokenizers


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UserError(f"{file} is not UTF-8 text: expected a vocabulary") from None


@dataclass(frozen=True)
class BytePairs:
    """A vocabulary of byte strings, in which every text has tokens.

    Attributes:
        json: the vocabulary and its merges, as ``tokenizers`` writes them.
    """

    json: str

    @classmethod
    def train(cls, texts: Iterable[str], size: int) -> "BytePairs":
        """A vocabulary of ``size`` tokens at most: the 256 bytes, the end of a text, and the most frequent
        pairs of the texts, pair by pair.

        Raises:
            UserError: ``size`` is below 257, or the library is absent.
        """
        if size < 257:
            raise UserError(
                f"a vocabulary of {size} tokens: expected 257 at least, of which 256 are bytes"
            )
        library = _library()
        made = _byte_level(library, library.models.BPE())
        trainer = library.trainers.BpeTrainer(
            vocab_size=size,
            special_tokens=[END_OF_TEXT],
            initial_alphabet=sorted(library.pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        made.train_from_iterator(texts, trainer)
        return cls(made.to_str())

    @classmethod
    def gpt2(cls, folder: str | Path) -> "BytePairs":
        """The published vocabulary: ``encoder.json`` and ``vocab.bpe``, or ``vocab.json`` and
        ``merges.txt`` as transformers calls them.

        Raises:
            UserError: the files are not there or no such vocabulary, or the library is absent.
        """
        folder = Path(folder)
        names = (("encoder.json", "vocab.bpe"), ("vocab.json", "merges.txt"))
        found = [pair for pair in names if all((folder / name).is_file() for name in pair)]
        if not found:
            raise UserError(
                f"{folder} holds no encoder.json and vocab.bpe: expected GPT-2's vocabulary"
            )
        library, (tokens, merges) = _library(), found[0]
        try:
            read = library.models.BPE.read_file(str(folder / tokens), str(folder / merges))
            made = _byte_level(library, library.models.BPE(*read))
        except Exception as error:  # the library raises no other kind
            raise UserError(
                f"{folder / tokens}, {merges}: {_line(error)}: fetch them again"
            ) from None
        if made.token_to_id(END_OF_TEXT) is not None:
            made.add_special_tokens([END_OF_TEXT])
        return cls(made.to_str())

    @classmethod
    def load(cls, file: str | Path) -> "BytePairs":
        """The vocabulary of a file that ``save``, or ``tokenizers``, wrote.

        Raises:
            UserError: it cannot be read, or is none.
        """
        text, library = _read(Path(file)), _library()
        try:
            level = type(library.Tokenizer.from_str(text).decoder).__name__
        except Exception as error:  # the library raises no other kind
            raise UserError(f"{file} is no vocabulary of tokenizers: {_line(error)}") from None
        if level != "ByteLevel":
            raise UserError(
                f"{file} is a vocabulary of another kind ({level}): expected pairs of bytes"
            )
        return cls(text)

    def save(self, file: str | Path) -> None:
        """Write the vocabulary, as ``tokenizers`` does.

        Raises:
            UserError: the file cannot be written.
        """
        try:
            Path(file).write_text(self.json, "utf-8")
        except OSError as error:
            raise UserError(f"{file} cannot be written: {error.strerror or error}") from None

    @cached_property
    def _made(self) -> Any:
        made = _library().Tokenizer.from_str(self.json)
        made.encode_special_tokens = True  # as text
        return made

    def __len__(self) -> int:
        return self._made.get_vocab_size()

    @property
    def end(self) -> int | None:
        """The token at the end of a text, if there is one."""
        return self._made.token_to_id(END_OF_TEXT)

    def encode(self, text: str) -> np.ndarray:
        """int32 [t]; no special token is put in, and the name of one is text like any other."""
        return self.encode_bytes(text.encode("utf-8", "surrogatepass"))

    def encode_bytes(self, data: bytes) -> np.ndarray:
        """int32 [t] of any bytes; those that are no UTF-8 have a token each."""
        tokens: list[int] = []
        # Bytes that are no text come as lone surrogates, U+DC80 to U+DCFF.
        for part in re.split("([\udc80-\udcff])", data.decode("utf-8", "surrogateescape")):
            if len(part) == 1 and "\udc80" <= part <= "\udcff":
                tokens.append(self._made.token_to_id(letters_of_bytes()[ord(part) - 0xDC00]))
            elif part:
                tokens += self._made.encode(part, add_special_tokens=False).ids
        return np.array(tokens, np.int32)

    def decode(self, tokens: Iterable[int]) -> str:
        """The text; bytes that are no UTF-8, as in the midst of a character, become U+FFFD."""
        return self.decode_bytes(tokens).decode("utf-8", "replace")

    def decode_bytes(self, tokens: Iterable[int]) -> bytes:
        """The bytes; of the end of a text, its name.

        Raises:
            UserError: a token is none of the vocabulary.
        """
        return b"".join(self._bytes(int(token)) for token in tokens)

    @cached_property
    def _alphabet(self) -> dict[str, int]:
        return {letter: byte for byte, letter in enumerate(letters_of_bytes())}

    def _bytes(self, token: int) -> bytes:
        piece = self._made.id_to_token(token)
        if piece is None:
            raise UserError(f"token {token} is none of the vocabulary's {len(self)}")
        if piece == END_OF_TEXT:
            return piece.encode()
        return bytes(self._alphabet[letter] for letter in piece)


def letters_of_bytes() -> list[str]:
    """The letter that stands for each byte 0 to 255 in GPT-2's files: itself where Latin-1 prints it,
    else the next of those from 256 on."""
    printed = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte if byte in printed else next(others)) for byte in range(256)]


def _byte_level(library: Any, model: Any) -> Any:
    made = library.Tokenizer(model)
    made.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = library.decoders.ByteLevel()
    return made


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
