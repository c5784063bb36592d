"""Word pieces. Schuster & Nakajima 2012, doi:10.1109/ICASSP.2012.6289079; as BERT has them: Devlin et al.
2018, arXiv:1810.04805, section 3.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dljax.data.pipeline import Examples
from dljax.data.sources.text import read_text
from dljax.errors import UserError

# Padding, what is unknown, the begin of a row, the end of a text, and what is to be filled in.
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


class Special(NamedTuple):
    """The numbers of the five special pieces."""

    padding: int
    unknown: int
    first: int
    last: int
    mask: int


def _library() -> Any:
    try:
        import tokenizers
    except ModuleNotFoundError:
        raise UserError(
            "word pieces need the library tokenizers: pip install 'dljax[text]'"
        ) from None
    return tokenizers


@dataclass(frozen=True)
class WordPieces:
    """A vocabulary of words and of parts of words, "##" before those that go on in a word.

    Text is split at spaces and around punctuation and Chinese characters, and each word into the longest
    pieces from its begin on, or it is [UNK].

    Attributes:
        pieces: in the order of their numbers.
        lower: letters lose case and accents first, as in BERT's "uncased" vocabularies.

    Raises:
        UserError: one of the special pieces is missing.
    """

    pieces: tuple[str, ...]
    lower: bool = True

    def __post_init__(self):
        missing = [piece for piece in SPECIAL if piece not in self._index]
        if missing:
            raise UserError(
                f"a vocabulary of {len(self)} pieces without {', '.join(missing)}: expected one of "
                "BERT's kind, vocab.txt, a piece on each line"
            )

    @classmethod
    def read(cls, path: str | Path, lower: bool | None = None) -> "WordPieces":
        """The vocabulary of a file, a piece on each line, or of ``vocab.txt`` in a folder.

        Args:
            lower: by default True where no piece but those in brackets has an upper-case letter.

        Raises:
            UserError: it cannot be read, or is no such file.
        """
        path = Path(path)
        file = path / "vocab.txt" if path.is_dir() else path
        pieces = tuple(read_text(file).rstrip("\n").split("\n"))
        if lower is None:
            lower = not any(p != p.lower() for p in pieces if not p.startswith("["))
        return cls(pieces, lower)

    @classmethod
    def train(cls, texts: Iterable[str], size: int, lower: bool = True) -> "WordPieces":
        """Learn ``size`` pieces, or fewer, from texts: joined pair by pair, the most frequent first.

        Raises:
            UserError: ``size`` is less than the letters need.
        """
        library, texts = _library(), list(texts)
        tokenizer = _prepared(library, library.models.WordPiece(unk_token=SPECIAL[1]), lower)
        split, normal = tokenizer.pre_tokenizer, tokenizer.normalizer
        words = {w for x in texts for w, _ in split.pre_tokenize_str(normal.normalize_str(x))}
        # The library numbers the letters that go on in a word in an order that is another each time, and
        # by these numbers chooses among pairs of one frequency; those of special pieces are given.
        inner = sorted({f"##{letter}" for word in words for letter in word[1:]})
        trainer = library.trainers.WordPieceTrainer(
            vocab_size=size, special_tokens=[*SPECIAL, *inner], show_progress=False
        )
        tokenizer.train_from_iterator(texts, trainer)
        numbers = tokenizer.get_vocab()
        if len(numbers) > size:
            raise UserError(
                f"{size} word pieces: the letters alone are {len(numbers)}, so give more of them"
            )
        return cls(tuple(sorted(numbers, key=numbers.__getitem__)), lower)

    def save(self, file: str | Path) -> None:
        """Write the file that ``read`` reads."""
        Path(file).write_text("".join(f"{piece}\n" for piece in self.pieces), "utf-8")

    def __len__(self) -> int:
        return len(self.pieces)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {piece: i for i, piece in enumerate(self.pieces)}

    @cached_property
    def special(self) -> Special:
        return Special(*(self._index[piece] for piece in SPECIAL))

    def number(self, piece: str) -> int:
        """The token of a piece.

        Raises:
            UserError: there is no such piece.
        """
        if piece not in self._index:
            raise UserError(f"the vocabulary of {len(self)} pieces has no {piece!r}")
        return self._index[piece]

    @cached_property
    def _tokenizer(self) -> Any:
        library = _library()
        model = library.models.WordPiece(self._index, unk_token=SPECIAL[1])
        return _prepared(library, model, self.lower)

    def encode(self, text: str) -> np.ndarray:
        """int32 [pieces]; a special piece is known where the text has its name."""
        return self.encode_all([text])[0]

    def encode_all(self, texts: Sequence[str]) -> list[np.ndarray]:
        """``encode`` of each text."""
        found = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [np.array(one.ids, np.int32) for one in found]

    def encode_with_offsets(self, texts: Sequence[str]) -> list[tuple[np.ndarray, np.ndarray]]:
        """``encode`` of each text, and the characters from which to which each piece is, int64 [pieces, 2]."""
        found = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [
            (np.array(one.ids, np.int32), np.array(one.offsets, np.int64).reshape(-1, 2))
            for one in found
        ]

    def decode(self, tokens: Iterable[int]) -> str:
        """Text of these tokens: words with one space between them."""
        words = " ".join(self.pieces[int(token)] for token in tokens)
        return words.replace(" ##", "")

    def rows(
        self, texts: Sequence[str], length: int, second: Sequence[str] | None = None
    ) -> Examples:
        """Texts, or pairs of texts, as rows: [CLS] text [SEP], or [CLS] text [SEP] second text [SEP].

        Args:
            length: of the rows. What is too long loses its end, of a pair the longer text first.

        Returns:
            ``tokens`` and ``types`` int32 [n, length]: filled up with [PAD]; 1 in the second text and its
            [SEP], else 0.

        Raises:
            UserError: the rows have no room for texts.
        """
        if length < (3 if second is None else 5):
            raise UserError(
                f"rows of {length} tokens leave nothing of the texts between the special ones: expected 3 or "
                "more, 5 for pairs"
            )
        special, texts = self.special, list(texts)
        pairs = [self.encode_all(some) for some in (texts, second) if some is not None]
        tokens = np.full((len(texts), length), special.padding, np.int32)
        types = np.zeros((len(texts), length), np.int32)
        for row, parts in enumerate(zip(*pairs, strict=True)):
            keep = _shares([len(part) for part in parts], length - 1 - len(parts))
            at = 1
            tokens[row, 0] = special.first
            for kind, (part, count) in enumerate(zip(parts, keep, strict=True)):
                tokens[row, at : at + count] = part[:count]
                tokens[row, at + count] = special.last
                types[row, at : at + count + 1] = kind
                at += count + 1
        return {"tokens": tokens, "types": types}


def _shares(lengths: Sequence[int], room: int) -> list[int]:
    """The lengths to which one or two texts are cut so that they have room."""
    if len(lengths) == 1:
        return [min(lengths[0], room)]
    first, second = lengths
    if first + second <= room:
        return [first, second]
    short = min(first, second, room // 2)
    return [short, min(second, room - short)] if first <= second else [room - short, short]


def _prepared(library: Any, model: Any, lower: bool) -> Any:
    tokenizer = library.Tokenizer(model)
    tokenizer.normalizer = library.normalizers.BertNormalizer(lowercase=lower)
    tokenizer.pre_tokenizer = library.pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(list(SPECIAL))
    return tokenizer
