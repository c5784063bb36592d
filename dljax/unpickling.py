"""Pickles read as data: plain containers, numbers, texts, arrays, and nothing else.

A pickle is a program for a small stack machine (Python's module ``pickletools`` documents its
instructions), and two of them import a name and call it: that is how opening one may run anything.
The reader here executes the others and looks names up in a table of its caller, whose functions make
stand-ins; so a file reaches no code but those functions, whatever it says. It is written in Python
because the interpreter's own reader makes room for what a file declares before it looks at what it has.
"""

import io
import math
import mmap
import pickletools
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Names = Mapping[str, Callable[..., Any] | None]
_PLAIN = (str, bytes, int, float, type(None))
_VALUES = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    "BYTEARRAY8",
    *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_EMPTY: dict[str, Callable[[], Any]] = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set}
# Of the bytes and items given to functions of the table, for each byte of the file: Python 3 writes bytes
# in old protocols as a text given to one function, whose result is given to another.
_SHARE = 4


class Refused(ValueError):
    """A pickle that names what is not in the table: it is no file of arrays, or a hostile one."""


class Name:
    """A name that a pickle mentions, and the function that stands for it.

    Attributes:
        text: "module name".
        make: None where it may be mentioned and not called.
    """

    def __init__(self, text: str, make: Callable[..., Any] | None):
        self.text, self.make = text, make


class Made:
    """A stand-in that a pickle gives its state after it was made."""

    def build(self, state: Any) -> None:
        """Take the state; here it is passed over."""


class Dtype(Made):
    """Stands for numpy.dtype: of truths and numbers alone."""

    def __init__(self, code: str, *_: Any):
        if not isinstance(code, str) or not re.fullmatch(r"[biufc]\d{1,2}", code):
            shown = f"type {code!r:.20}" if isinstance(code, str) else "no type"
            raise Refused(f"it has an array of {shown}")
        self.dtype = np.dtype(code)

    def build(self, state: Any) -> None:
        """Take (version, byte order, ...)."""
        if state[1] not in ("<", ">", "|", "="):
            raise ValueError("an array of no byte order")
        if state[1] != "|":
            self.dtype = self.dtype.newbyteorder(state[1])


class Array(Made):
    """Stands for numpy.ndarray."""

    def __init__(self, state: Any = None):
        self.state = state

    def build(self, state: Any) -> None:
        """Take (version, shape, type, whether columns come first, data)."""
        self.state = state[1:]

    def numpy(self) -> np.ndarray:
        """The array, in the machine's order of bytes; where that is the pickle's, in its memory.

        Raises:
            ValueError: its parts are none of an array, or do not fit each other.
        """
        shape, kind, fortran, data = self.state
        if not isinstance(kind, Dtype) or not whole(shape):
            raise ValueError("an array without a type or a shape")
        raw = data.encode("latin1") if isinstance(data, str) else data
        if (
            not isinstance(raw, bytes | bytearray)
            or len(raw) != math.prod(shape) * kind.dtype.itemsize
        ):
            raise ValueError(f"an array of shape {shape} has other data")
        array = np.frombuffer(raw, kind.dtype).reshape(shape, order="F" if fortran else "C")
        return array.astype(kind.dtype.newbyteorder("="), copy=False)


def whole(numbers: Any) -> bool:
    """Tell a tuple of at most 64 whole numbers from 0 to 2**63 - 1 (a shape, strides) from all else."""
    if not isinstance(numbers, tuple) or len(numbers) > 64:
        return False
    return all(type(x) is int and 0 <= x < 2**63 for x in numbers)


def _reconstruct(kind: Any, *_: Any) -> Array:
    if not isinstance(kind, Name) or kind.text != "numpy ndarray":
        raise Refused("it has an array of another class")
    return Array()


def _from_buffer(data: Any, dtype: Any, shape: Any, order: Any) -> Array:
    return Array((shape, dtype, order == "F", data))


def _scalar(dtype: Any, data: Any) -> Any:
    return Array(((), dtype, False, data)).numpy()[()]


def _encode(text: Any, coding: Any) -> bytes:
    if not isinstance(text, str) or coding != "latin1":
        raise Refused("it encodes what is no latin1")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    return b""


def _dict(*args: Any) -> dict[Any, Any]:
    """OrderedDict() or OrderedDict(pairs), defaultdict(a name) and its like: a dict of the pairs."""
    pairs = [x for x in args if not isinstance(x, Name)]
    if len(pairs) > 1:
        raise Refused("it makes a dict of several things")
    return {_key(key): value for key, value in (pairs[0] if pairs else ())}


def _set(items: Any = ()) -> frozenset[Any]:
    return frozenset(map(_key, items))


def _key(key: Any) -> Any:
    """A key; of texts and numbers, for those of deep nesting break the interpreter."""
    parts = key if isinstance(key, tuple) else (key,)
    if not all(isinstance(part, _PLAIN) for part in parts):
        raise Refused(f"it has a key of kind {type(key).__name__}")
    return key


# numpy's names, and those of the interpreter that Python 2 and 3 write for containers and bytes.
ARRAYS: dict[str, Callable[..., Any] | None] = {
    "numpy dtype": Dtype,
    "numpy ndarray": None,
    "_codecs encode": _encode,
    "collections OrderedDict": _dict,
    "collections defaultdict": _dict,
}
for _module in ("numpy.core", "numpy._core"):
    ARRAYS[f"{_module}.multiarray _reconstruct"] = _reconstruct
    ARRAYS[f"{_module}.multiarray scalar"] = _scalar
    ARRAYS[f"{_module}.numeric _frombuffer"] = _from_buffer
for _module in ("builtins", "__builtin__"):
    ARRAYS |= {f"{_module} {kind}": None for kind in ("int", "float", "str", "bool", "list")}
    ARRAYS |= {f"{_module} bytes": _no_bytes, f"{_module} dict": _dict}
    ARRAYS |= {f"{_module} set": _set, f"{_module} frozenset": _set}


def unpickle(
    stream: io.BytesIO | mmap.mmap,
    names: Names = ARRAYS,
    persistent: Callable[[Any], Any] | None = None,
) -> Any:
    """The object of the pickle at the stream's position, which moves behind it.

    Args:
        names: "module name" -> a function that is given the pickle's arguments and checks them, or
            None for a name that is only mentioned.
        persistent: a persistent id -> its object.

    Returns:
        dicts, lists, tuples, sets, texts (those of Python 2 by their bytes, as latin1), bytes, numbers,
        truths and None; ``Name`` and what the functions of ``names`` return.

    Raises:
        Refused: it names or calls anything else.
        Exception: of many kinds, where it is damaged.
    """
    return _Machine(stream, names, persistent).run(stream)


class _Machine:
    """The stack machine."""

    def __init__(self, stream: Any, names: Names, persistent: Callable[[Any], Any] | None):
        begin = stream.tell()
        self.left = _SHARE * (stream.seek(0, 2) or stream.tell())
        stream.seek(begin)
        self.names, self.persistent = names, persistent
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self, stream: Any) -> Any:
        for instruction, arg, _ in pickletools.genops(stream):
            name = instruction.name
            if name in _VALUES:
                self.stack.append(arg)
            elif name in _CONSTANTS:
                self.stack.append(_CONSTANTS[name])
            elif name in _EMPTY:
                self.stack.append(_EMPTY[name]())
            elif name == "STOP":
                return self.stack.pop()
            else:
                self.step(name, arg)

    def step(self, name: str, arg: Any) -> None:
        stack = self.stack
        match name:
            case "PROTO" | "FRAME":
                pass
            case "BINPUT" | "LONG_BINPUT" | "PUT":
                self.memo[arg] = stack[-1]
            case "MEMOIZE":
                self.memo[len(self.memo)] = stack[-1]
            case "BINGET" | "LONG_BINGET" | "GET":
                stack.append(self.memo[arg])
            case "MARK":
                self.marks.append(len(stack))
            case "POP_MARK":
                self.marked()
            case "POP":
                stack.pop()
            case "DUP":
                stack.append(stack[-1])
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack.append(tuple(reversed([stack.pop() for _ in range(int(name[-1]))])))
            case "TUPLE":
                stack.append(tuple(self.marked()))
            case "LIST":
                stack.append(self.marked())
            case "FROZENSET":
                stack.append(_set(self.marked()))
            case "DICT":
                self.set_items({}, self.marked())
            case "APPEND":
                item = stack.pop()
                self.top(list).append(item)
            case "APPENDS":
                items = self.marked()
                self.top(list).extend(items)
            case "ADDITEMS":
                items = self.marked()
                self.top(set).update(map(_key, items))
            case "SETITEM":
                value, key = stack.pop(), stack.pop()
                self.set_items(stack.pop(), [key, value])
            case "SETITEMS":
                items = self.marked()
                self.set_items(stack.pop(), items)
            case "GLOBAL":
                stack.append(self.named(*arg.split(" ", 1)))
            case "STACK_GLOBAL":
                attribute, module = stack.pop(), stack.pop()
                stack.append(self.named(module, attribute))
            case "REDUCE" | "NEWOBJ":
                args, function = stack.pop(), stack.pop()
                stack.append(self.call(function, args))
            case "BUILD":
                state = stack.pop()
                self.build(stack[-1], state)
            case "PERSID" | "BINPERSID":
                saved = arg if name == "PERSID" else stack.pop()
                if self.persistent is None:
                    raise Refused("it has parts outside of itself")
                stack.append(self.persistent(saved))
            case _:
                raise Refused(f"it has the instruction {name}")

    def marked(self) -> list[Any]:
        """The objects put on the stack since the last mark, taken from it."""
        at = self.marks.pop()
        items = self.stack[at:]
        del self.stack[at:]
        return items

    def top(self, kind: type) -> Any:
        """The last object, which is to be added to."""
        if type(self.stack[-1]) is not kind:
            raise Refused(f"it adds to a {type(self.stack[-1]).__name__}")
        return self.stack[-1]

    def set_items(self, into: Any, items: list[Any]) -> None:
        if type(into) is not dict:
            raise Refused(f"it sets items of a {type(into).__name__}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            into[_key(key)] = value
        self.stack.append(into)

    def named(self, module: Any, attribute: Any) -> Name:
        if not isinstance(module, str) or not isinstance(attribute, str):
            raise Refused("it names what is no text")
        text = f"{module} {attribute}"
        if text not in self.names:
            raise Refused(f"it names {text.replace(' ', '.', 1)!r:.100}")
        return Name(text, self.names[text])

    def call(self, function: Any, args: Any) -> Any:
        if not isinstance(function, Name) or function.make is None or not isinstance(args, tuple):
            raise Refused(f"it calls {getattr(function, 'text', type(function).__name__)!r:.100}")
        self.spend(args)
        return function.make(*args)

    def build(self, made: Any, state: Any) -> None:
        # A dict's attributes, such as torch's _metadata of versions, are no part of its items.
        if isinstance(made, Made):
            self.spend(state if isinstance(state, tuple) else (state,))
            made.build(state)
        elif type(made) is not dict:
            raise Refused(f"it gives a state to a {type(made).__name__}")

    def spend(self, args: tuple[Any, ...]) -> None:
        """Count what a function may copy, so that one text used a million times is no terabyte."""
        self.left -= sum(len(x) for x in args if hasattr(x, "__len__"))
        if self.left < 0:
            raise Refused("it uses one part over and over")
