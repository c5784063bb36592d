"""Any text as a corpus: characters, byte pairs or llama2.c's pieces, from one UTF-8 file."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dljax.data import fake as fake_data
from dljax.data.sources.byte_pairs import END_OF_TEXT, BytePairs
from dljax.data.sources.pieces import Pieces
from dljax.data.sources.text import Characters, Text, Vocabulary, Words, read_text
from dljax.errors import UserError


def vocabulary(tokenizer: str, text: str = "") -> Vocabulary:
    """The vocabulary that a word names.

    Args:
        tokenizer: "" for the characters of ``text``; a number for as many byte pairs trained on it; a folder
            with GPT-2's vocabulary; a .bin file of llama2.c, or a .json file of ``tokenizers``.

    Raises:
        UserError: there is no such file, or it holds no vocabulary.
    """
    if not tokenizer:
        return Characters.of(text)
    if tokenizer.isdecimal():
        return BytePairs.train(documents(text), int(tokenizer))
    path = Path(tokenizer)
    if path.is_dir():
        return BytePairs.gpt2(path)
    if not path.is_file():
        raise UserError(
            f"no tokenizer {tokenizer!r}: give a number of byte pairs, GPT-2's folder, or a .bin or .json file"
        )
    return Pieces.read(path) if path.suffix == ".bin" else BytePairs.load(path)


def documents(text: str) -> Iterator[str]:
    """The parts of a text between marks of GPT-2's end of a text."""
    return (part for part in text.split(END_OF_TEXT) if part.strip())


def encoded(text: str, vocabulary: Vocabulary) -> np.ndarray:
    """int32 [t]. With pieces each document begins with its token, without spaces around it; with byte pairs
    it ends with its token; characters are taken as they are."""
    if isinstance(vocabulary, Pieces):
        parts = [vocabulary.encode(part.strip()) for part in documents(text)]
    elif isinstance(vocabulary, BytePairs) and vocabulary.end is not None:
        end = np.array([vocabulary.end], np.int32)
        parts = [x for part in documents(text) for x in (vocabulary.encode(part), end)]
    else:
        parts = [vocabulary.encode(text)]
    return np.concatenate([np.zeros(0, np.int32), *parts])


def load(path: str = "", tokenizer: str = "", *, size: int = 0, fake: bool = False) -> Text:
    """The first 90 % for training, the rest for validation.

    Args:
        path: a UTF-8 text file, or a folder that holds one file ``*.txt``.
        tokenizer: of ``vocabulary``.
        size: number of tokens of the fake twin's vocabulary, where no file is named for it.
        fake: made-up text.

    Raises:
        UserError: there is no such file, or it is no UTF-8 text; or as ``vocabulary``.
    """
    if fake:
        known: Vocabulary = Words(("<unk>", *(f"w{i}" for i in range(1, size))))
        if tokenizer and not tokenizer.isdecimal():
            known = vocabulary(tokenizer)
        tokens = fake_data.text(40_000, len(known))
        return Text(tokens[:36_000], tokens[36_000:], known)
    file = Path(path)
    if path and file.is_dir():
        found = sorted(file.glob("*.txt"))
        file = found[0] if len(found) == 1 else file
    if not path or not file.is_file():
        raise UserError(f"no text file {path!r}: give one with --data FILE; or try --fake true")
    text = read_text(file)
    made = vocabulary(tokenizer, text)
    cut = len(text) * 9 // 10
    return Text(encoded(text[:cut], made), encoded(text[cut:], made), made)
