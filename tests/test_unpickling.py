"""Pickles that are made to do harm, by each way to them: one line, nothing is run, little memory is used."""

import io
import os
import pickle
import resource
import struct
from pathlib import Path

import numpy as np
import pytest
from refusal import refused
from torch_bytes import (
    Call,
    Kept,
    Name,
    Raw,
    State,
    code,
    nested,
    pickled,
    tensor,
    write_legacy,
    write_zip,
)

from dljax import weights
from dljax.data.datasets import cora
from dljax.unpickling import Refused, unpickle

SIX = struct.pack("<6f", 0, 1, 2, 3, 4, 5)
X = tensor((6,), (1,))
TRAP = "executed"  # a file that must not come to be
EVALUATED = f"__import__('os').system('touch {TRAP}')"


def text(words: str) -> bytes:
    return b"X" + struct.pack("<I", len(words)) + words.encode()


# Their code would leave TRAP behind; Python's own reader runs each of the first eight.
PROGRAMS = {
    "os.system": (Call(Name("os system"), (f"touch {TRAP}",)), "'os.system'"),
    "its other name": (Call(Name("posix system"), (f"touch {TRAP}",)), "'posix.system'"),
    "eval": (Call(Name("builtins eval"), (EVALUATED,)), "'builtins.eval'"),
    "Python 2's eval": (Call(Name("__builtin__ eval"), (EVALUATED,)), "eval'"),
    "open": (Call(Name("io open"), (TRAP, "w")), "'io.open'"),
    "a chain of getattr": (
        Call(Call(Name("builtins getattr"), (Name("os path"), "os")), (TRAP,)),
        "'builtins.getattr'",
    ),
    "a stack of names": (
        Raw(text("os") + text("system") + b"\x93" + code((f"touch {TRAP}",)) + b"R"),
        "'os.system'",
    ),
    "an instance": (Raw(b"(" + text(f"touch {TRAP}") + b"ios\nsystem\n"), "the instruction INST"),
    "an object": (Raw(b"(cos\nsystem\n" + text(f"touch {TRAP}") + b"o"), "'os.system'"),
    "a name in a name": (Name("collections OrderedDict.__init__.__globals__"), "'collections.Ord"),
    "a dotted module": (
        Raw(text("numpy") + text("ndarray.tofile") + b"\x93"),
        "'numpy.ndarray.tofile'",
    ),
    "names that are no texts": (Raw(b"K\x01K\x02\x93"), "names what is no text"),
    "a name of a name": (Raw(b"cnumpy\nndarray\ncnumpy\nndarray\n\x93"), "names what is no text"),
    "an extension": (Raw(b"\x82\x01"), "the instruction EXT1"),
    "a call by keywords": (Raw(b"cnumpy\nndarray\n)}\x92"), "the instruction NEWOBJ_EX"),
    "a call of what may be mentioned": (Call(Name("numpy ndarray"), ((2,),)), "calls 'numpy ndarr"),
    "a call of a text": (Call("os.system", ("touch",)), "calls 'str'"),
    "a call of a result": (Call(Call(Name("builtins set"), ()), ()), "calls 'frozenset'"),
    "a call with no tuple": (Call(Name("builtins set"), [1]), "calls 'builtins set'"),
    "a state for a name": (State(Name("builtins set"), {"make": Name("builtins set")}), "a state"),
    "a state for a list": (State([], {}), "a state to a list"),
    "items of a name": (Raw(b"cbuiltins\nset\nK\x01K\x02s"), "sets items of a Name"),
    "more of a tuple": (Raw(b")K\x01a"), "adds to a tuple"),
    "another class of arrays": (
        Call(Name("numpy.core.multiarray _reconstruct"), (Name("builtins list"), (0,), b"b")),
        "another class",
    ),
    "an array of objects": (Call(Name("numpy dtype"), ("O8", False, True)), "type 'O8'"),
    "an array of rows": (Call(Name("numpy dtype"), ("f4,(9999999,)f4",)), "type 'f4,("),
    "an array of no type": (Call(Name("numpy dtype"), (nested(3),)), "no type"),
    "another coding": (Call(Name("_codecs encode"), ("x", "rot13")), "no latin1"),
    "two dicts": (Call(Name("collections OrderedDict"), ([], [])), "several things"),
    "a key that is a list": ({"x": Raw(b"}]K\x01s")}, "key of kind list"),
    "a part outside": (Kept("x"), "parts outside"),
}


@pytest.mark.parametrize("case", PROGRAMS)
def test_programs(case, tmp_path, monkeypatch):
    """By each way to a pickle: the two formats of torch, a pickle alone, Planetoid's files."""
    monkeypatch.chdir(tmp_path)
    program, words = PROGRAMS[case]
    for saved in (program, {"x": X, "more": program}):
        if saved is program:
            with pytest.raises(Refused, match=r"\A.+\Z") as caught:
                unpickle(io.BytesIO(pickled(saved)))
            assert words in str(caught.value)
            Path("ind.cora.x").write_bytes(pickled(saved))
            with refused("ind.cora.x is no Planetoid file", words):
                cora.read(Path("ind.cora.x"))
        if case == "a part outside":
            continue
        paths = [
            write_zip(tmp_path / "new.pt", saved, {"0": SIX}),
            write_legacy(tmp_path / "old.pth", saved, {"0": (6, SIX)}),
        ]
        for path in paths:
            with refused(f"{path} is not of tensors alone: it", words, "nothing in it was run"):
                weights.read(path)
    assert not Path(TRAP).exists()


def test_the_traps_work(tmp_path, monkeypatch):
    """In the hands of Python's own reader the first of them leaves its file."""
    monkeypatch.chdir(tmp_path)
    for case in ("os.system", "eval", "a stack of names", "an object"):
        pickle.loads(pickled(PROGRAMS[case][0]))
        os.unlink(TRAP)


def limited(room: int):
    """As much more memory as that; a claim of more is refused by the system, not by the tests' machine."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    return used + room


BOMBS = {
    "a text of exabytes": b"\x8d" + struct.pack("<Q", 2**60) + b"abc",
    "bytes of terabytes": b"\x8e" + struct.pack("<Q", 2**40) + b"abc",
    "an array of bytes of terabytes": b"\x96" + struct.pack("<Q", 2**40) + b"abc",
    "a frame of terabytes": b"\x95" + struct.pack("<Q", 2**40) + b"abc",
    "a number of gigabytes": b"\x8b" + struct.pack("<I", 2**31 - 1) + b"abc",
    "a number of many digits": b"L" + b"9" * 10_000 + b"L\n.",
    "a note far away": b"Nr" + struct.pack("<I", 2**31 - 1),
    "one text as bytes, over and over": (
        text("a" * 100_000)
        + b"q\x000c_codecs\nencode\nq\x01"
        + b"".join(b"h\x01h\x00" + text("latin1") + b"\x86R" for _ in range(10_000))
    ),
    "one list as a set, over and over": (
        b"](" + b"".join(b"M" + struct.pack("<H", i) for i in range(20_000)) + b"e"
        b"q\x00cbuiltins\nset\nq\x01" + b"h\x01h\x00\x85R" * 10_000
    ),
}


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system tells no memory")
@pytest.mark.parametrize("case", BOMBS)
def test_small_files_take_little_memory(case, tmp_path):
    """Within 400 MB; Python's own reader asks for the claimed sizes, or makes them."""
    path = tmp_path / "x.pt"
    path.write_bytes(b"\x80\x04" + BOMBS[case])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limited(400_000_000), before[1]))
    try:
        with refused("x.pt is ") as caught:
            weights.read(path)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert "MemoryError" not in str(caught.value)


CSR = "scipy.sparse.csr csr_matrix"


def matrix(shape, starts, columns, values) -> State:
    def array(numbers, kind: str) -> State:
        made = Call(Name("numpy.core.multiarray _reconstruct"), (Name("numpy ndarray"), (0,), b"b"))
        data = np.array(numbers, kind).tobytes()
        dtype = Call(Name("numpy dtype"), (kind[1:], 0, 1))
        return State(made, (1, (len(numbers),), dtype, False, data))

    state = {
        "_shape": shape,
        "data": array(values, "<f4"),
        "indices": array(columns, "<i4"),
        "indptr": array(starts, "<i4"),
    }
    return State(Call(Name(CSR), ()), state)


def test_sparse_matrices(tmp_path):
    """[[0, 7, 0], [8, 0, 9]]; and those whose parts do not fit, or that would fill the memory."""
    path = tmp_path / "ind.cora.x"
    good = ((2, 3), [0, 1, 3], [1, 0, 2], [7, 8, 9])
    path.write_bytes(pickled(matrix(*good)))
    assert cora.read(path).tolist() == [[0, 7, 0], [8, 0, 9]]
    for change, words in (
        ({0: (2, 10**8)}, "of shape (2, 100000000)"),
        ({0: (3, 3)}, "rows are not those"),
        ({0: (2, -3)}, "without a shape"),
        ({0: nested(9)}, "without a shape"),
        ({1: [0, 1, 2**30]}, "rows are not those"),
        ({1: [0, 4, 3]}, "rows are not those"),
        ({2: [1, 0, 3]}, "columns outside"),
        ({2: [1, 0, -1]}, "columns outside"),
    ):
        parts = [change.get(i, part) for i, part in enumerate(good)]
        path.write_bytes(pickled(matrix(*parts)))
        with refused("ind.cora.x is no Planetoid file", words):
            cora.read(path)
