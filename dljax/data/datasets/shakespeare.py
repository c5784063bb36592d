"""Tiny Shakespeare: 1,115,394 characters of the plays, 65 distinct. Karpathy 2015,
"The Unreasonable Effectiveness of Recurrent Neural Networks"; the file is his ``input.txt``.
"""

import string
from pathlib import Path

from dljax.data import fake as fake_data
from dljax.data.sources.text import Characters, Text, read_text
from dljax.errors import UserError

VOCABULARY = Characters("\n !$&',-.3:;?" + string.ascii_uppercase + string.ascii_lowercase)


def load(path: str = "", *, fake: bool = False) -> Text:
    """The first 90 % for training, the rest for validation, as in nanoGPT.

    Args:
        path: the text file, or the folder that holds it as ``input.txt``; or any other text file,
            whose own characters are its vocabulary where they are not among the 65.
        fake: made-up text over the same characters.

    Raises:
        UserError: there is no such file, or it is no UTF-8 text.
    """
    if fake:
        tokens, vocabulary = fake_data.text(40_000, len(VOCABULARY)), VOCABULARY
    else:
        file = Path(path) / "input.txt" if path and Path(path).is_dir() else Path(path)
        if not path or not file.is_file():
            raise UserError(
                f"no text file {str(file)!r}: give tiny Shakespeare's input.txt (in Karpathy's "
                "char-rnn repository), or any text, with --data PATH; or try --fake true"
            )
        text = read_text(file)
        own = Characters.of(text)
        vocabulary = VOCABULARY if set(own.alphabet) <= set(VOCABULARY.alphabet) else own
        tokens = vocabulary.encode(text)
    cut = int(len(tokens) * 0.9)
    return Text(tokens[:cut], tokens[cut:], vocabulary)
