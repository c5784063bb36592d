"""WMT 2014 English to German, or other pairs of texts in byte pairs: ``train.en``, ``train.de``, ``valid.en``
and ``valid.de``, a sentence per line, tokens apart by spaces, perhaps with ``.gz`` behind; as subword-nmt
(Sennrich et al. 2016, arXiv:1508.07909) and fairseq's preparation of the set write them.
"""

from pathlib import Path

from dljax.data import fake as fake_data
from dljax.data.sources.pairs import Pairs, Parallel, read_pairs, vocabularies
from dljax.errors import UserError

VOCABULARY_SIZE = 37_000  # shared by both languages, Vaswani et al. 2017, section 5.1


def load(folder: str = "", *, longest: int = 128, fake: bool = False) -> Parallel:
    """English to German, for training and for validation.

    Args:
        folder: holds the four files.
        longest: tokens of a side at most, with its end; longer pairs are left out of training.
        fake: made-up sentences over as many tokens.

    Raises:
        UserError: a file is missing or no text, or the two of a pair differ in their lines.
    """
    if fake:
        half = 2 + VOCABULARY_SIZE // 2  # joint, the marks are there once
        return fake_data.parallel(2000, 200, half, half, longest)
    if not folder or not Path(folder).is_dir():
        raise UserError(
            f"no folder {folder!r}: give the folder with train.en, train.de, valid.en and valid.de, in "
            "byte pairs apart by spaces, with --data FOLDER; or try --fake true"
        )
    train, valid = (
        read_pairs(Path(folder, f"{split}.en"), Path(folder, f"{split}.de"))
        for split in ("train", "valid")
    )
    train = [p for p in train if max(len(side.split()) for side in p) < longest]
    words = vocabularies(train)
    return Parallel(Pairs(train, *words, longest), Pairs(valid, *words))
