"""Multi30k: descriptions of photographs in English and German. Elliott et al. 2016, arXiv:1605.00459.
``train.en``, ``train.de``, ``val.en`` and ``val.de``, a sentence per line, perhaps with ``.gz`` behind.
"""

import re
from pathlib import Path

from dljax.data import fake as fake_data
from dljax.data.sources.pairs import Pairs, Parallel, read_pairs, vocabularies
from dljax.errors import UserError

# Words with hyphens and apostrophes inside, numbers, and everything else by itself.
_TOKEN = re.compile(r"[^\W_]+(?:[-'’.,][^\W_]+)*|[^\w\s]|_")
_FAKE = (5970, 7855, 45)  # words of the languages and longest side, as the files have them


def tokenize(text: str) -> str:
    """Lower-case tokens apart by spaces: "Two men, outside." is "two men , outside ."."""
    return " ".join(_TOKEN.findall(text.lower()))


def load(folder: str = "", *, least: int = 2, fake: bool = False) -> Parallel:
    """English to German: 29,000 pairs for training and 1014 for validation, tokenized in lower case.

    Args:
        folder: holds the four files.
        least: number of times that a word occurs in training at least; others are ``<unk>``.
        fake: made-up sentences over as many words.

    Raises:
        UserError: a file is missing or no text, or the two of a pair differ in their lines.
    """
    if fake:
        return fake_data.parallel(2000, 200, *_FAKE)
    if not folder or not Path(folder).is_dir():
        raise UserError(
            f"no folder {folder!r}: give the folder with Multi30k's train.en, train.de, val.en and "
            "val.de (or .gz of them) with --data FOLDER; or try --fake true"
        )
    texts = {}
    for split in ("train", "val"):
        pairs = read_pairs(Path(folder, f"{split}.en"), Path(folder, f"{split}.de"))
        texts[split] = [(tokenize(a), tokenize(b)) for a, b in pairs]
    words = vocabularies(texts["train"], least)
    return Parallel(Pairs(texts["train"], *words), Pairs(texts["val"], *words))
