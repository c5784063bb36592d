"""llama2.c's vocabulary: its files, merges by score, bytes."""

import struct

import numpy as np
import pytest
from refusal import refused

from dljax.data.sources.pieces import BEGIN, END, Pieces

FIRST = 259  # after <unk>, the two marks and 256 bytes
MORE = ["a", "b", "c", " ", " a", "ab", "bc", " ab", "é", "  "]
SCORES = [-9.0, -9.0, -9.0, -9.0, -3.0, -2.0, -1.0, -4.0, -9.0, -5.0]


def pieces() -> Pieces:
    marks = [b"<unk>", b"\n<s>\n", b"\n</s>\n"] + [b"<0x%02X>" % i for i in range(256)]
    return Pieces((*marks, *(p.encode() for p in MORE)), (*[0.0] * FIRST, *SCORES))


def number(piece: str) -> int:
    return FIRST + MORE.index(piece)


def written(vocabulary: Pieces) -> bytes:
    rows = zip(vocabulary.pieces, vocabulary.scores, strict=True)
    body = b"".join(struct.pack("<fi", score, len(piece)) + piece for piece, score in rows)
    return struct.pack("<i", max(map(len, vocabulary.pieces))) + body


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", []),
        ("a", [" a"]),
        ("abc", [" a", "bc"]),  # bc of -1 comes before ab of -2, then " a" of -3
        ("ab", [" ab"]),  # ab of -2, then " ab" of -4, as " a" of -3 has gone with its a
        ("c ab", [" ", "c", " ab"]),
        ("a  b", [" a", "  ", "b"]),
        ("é", [" ", "é"]),
        ("aé", [" a", "é"]),
    ],
)
def test_pairs_of_the_highest_score_are_merged_first(text, expected):
    found = pieces().encode(text)
    assert found.dtype == np.int32
    assert found.tolist() == [BEGIN, *map(number, expected)]
    assert pieces().decode(found) == text


@pytest.mark.parametrize("text", ["z", "a\nb", "\U0001f600 ab", "\x00", " a ", "<0x41>", "</s>"])
def test_every_text_comes_back(text):
    vocabulary = pieces()
    tokens = vocabulary.encode(text)
    assert vocabulary.decode(tokens) == text
    assert END not in tokens and (tokens[1:] > 2).all()


def test_bytes_and_marks():
    vocabulary = pieces()
    tokens = vocabulary.encode("z")
    assert tokens.tolist() == [BEGIN, number(" "), 3 + ord("z")]
    assert vocabulary.decode([3 + 0xC3]) == "\ufffd" and vocabulary.decode([BEGIN, END]) == ""
    # The space in front is the text's own where it goes on from another.
    assert vocabulary.decode([number(" ab")]) == " ab"


def test_files(tmp_path):
    (tmp_path / "t.bin").write_bytes(raw := written(pieces()))
    assert Pieces.read(tmp_path / "t.bin") == pieces() and len(pieces()) == FIRST + len(MORE)
    for name, data in {
        "cut": raw[:-1],
        "more": raw + b"\0",
        "few": written(Pieces((b"a",), (0.0,))),
        "empty": b"",
        "negative": struct.pack("<ifi", 3, 0.0, -5) + raw,
    }.items():
        (tmp_path / name).write_bytes(data)
        with refused(f"{name} is no tokenizer of llama2.c"):
            Pieces.read(tmp_path / name)
    with refused("absent cannot be read: No such file"):
        Pieces.read(tmp_path / "absent")
