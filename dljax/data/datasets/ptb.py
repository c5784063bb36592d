"""Word-level text in the Penn Treebank's format (Mikolov et al. 2010): ``ptb.train.txt``,
``ptb.valid.txt`` and ``ptb.test.txt``, a sentence per line, rare words already ``<unk>``.
"""

from pathlib import Path

import numpy as np

from dljax.data import fake as fake_data
from dljax.data.sources.text import Text, Words, read_text
from dljax.errors import UserError

VOCABULARY_SIZE = 10_000  # of the Penn Treebank's files


def load(folder: str = "", *, fake: bool = False) -> Text:
    """train, validation and test tokens; each line ends in ``<eos>``.

    Args:
        folder: holds the three files. Other corpora in this format have their own vocabulary.
        fake: made-up sentences over 10,000 words.

    Raises:
        UserError: a file is missing, or no UTF-8 text.
    """
    if fake:
        words = Words(("<eos>", "<unk>", *(f"w{i}" for i in range(2, VOCABULARY_SIZE))))
        train, validation, test = np.split(fake_data.text(44_000, len(words)), [36_000, 40_000])
        return Text(train, validation, words, test)
    files = [Path(folder) / f"ptb.{split}.txt" for split in ("train", "valid", "test")]
    for file in files:
        if not folder or not file.is_file():
            raise UserError(
                f"no file {str(file)!r}: give the folder with ptb.train.txt, ptb.valid.txt and "
                "ptb.test.txt (the 'simple-examples' archive has them) with --data FOLDER; or try "
                "--fake true"
            )
    texts = [read_text(file).replace("\n", " <eos> ") for file in files]
    words = Words.of(texts[0].split())
    train, validation, test = (words.encode(text) for text in texts)
    return Text(train, validation, words, test)
