"""Text files: any UTF-8 text is read alike everywhere, any other file is told in one line."""

import subprocess
import sys

import numpy as np
import pytest

from dljax.data.datasets import ptb, shakespeare
from dljax.data.sources import text
from dljax.data.sources.text import NO_TARGET, Characters, Windows
from dljax.errors import UserError


def test_a_character_that_the_text_lacks_is_told_with_those_it_has():
    letters = Characters.of("hello")
    with pytest.raises(UserError) as error:
        letters.encode("oh\n")
    assert str(error.value) == (
        r"'\n' is not among the 4 characters of the vocabulary ('ehlo'): the text that it was made "
        "from has no such character"
    )
    with pytest.raises(UserError, match=r"the 30 .*\('ABCDEFGHIJKLMNOPQRST\.\.\.'\)"):
        Characters("".join(map(chr, range(65, 95)))).encode("!")


def test_long_texts_are_encoded_in_pieces(monkeypatch):
    monkeypatch.setattr(text, "_CHUNK", 3)
    tokens = Characters("abc\U0001f600").encode("cab\U0001f600cab")
    assert tokens.tolist() == [2, 0, 1, 3, 2, 0, 1] and tokens.dtype == np.int32
    assert Characters("abc").encode("").dtype == np.int32


def test_windows_say_by_their_targets_what_counts():
    windows = Windows.apart(np.arange(8, dtype=np.int32), 3)
    batch = windows.gather(np.arange(len(windows)))
    assert set(batch) == {"tokens", "targets"}
    assert batch["tokens"].tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 7]]
    assert batch["targets"].tolist() == [[1, 2, 3], [4, 5, 6], [7, NO_TARGET, NO_TARGET]]


READERS = pytest.mark.parametrize("read", ["shakespeare", "ptb"])


def load(read, folder):
    return shakespeare.load(str(folder)) if read == "shakespeare" else ptb.load(str(folder))


def write(folder, raw):
    for name in ("input.txt", *(f"ptb.{split}.txt" for split in ("train", "valid", "test"))):
        (folder / name).write_bytes(raw)


@READERS
def test_bytes_that_are_no_utf8_are_one_line(read, tmp_path):
    write(tmp_path, b"\xff\xfe" * 100)
    with pytest.raises(UserError, match="is not UTF-8 text"):
        load(read, tmp_path)


@READERS
def test_a_text_is_read_alike_in_every_locale(read, tmp_path):
    """The C locale's own encoding is ASCII; with the last option Python does not mend that."""
    write(tmp_path, "\u03b1\u03b2 \u03b3\n".encode() * 40)
    program = f"""
from dljax.data.datasets import ptb, shakespeare
text = {read}.load({str(tmp_path)!r})
print(ascii(text.vocabulary.decode(text.validation[:4])))
"""
    out = subprocess.run(
        [sys.executable, "-c", program],
        env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    expected = {"shakespeare": "'\\u03b1\\u03b2 \\u03b3'", "ptb": None}[read]
    found = load(read, tmp_path)
    expected = expected or ascii(found.vocabulary.decode(found.validation[:4]))
    assert out.stdout.strip() == expected, out.stderr
