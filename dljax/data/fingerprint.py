"""A source's fingerprint: a few facts and a digest, by which a change of the data is noticed."""

import hashlib
from typing import Any

import numpy as np

from dljax.data.pipeline import Source, in_order

_WHOLE = 2**23  # bytes: a smaller source is digested whole
_ROWS = 34  # of a larger one: both ends, and 32 between


def difference(then: dict[str, Any], now: dict[str, Any]) -> str:
    """The first difference between two fingerprints, in words; "" for none."""
    if then.get("length") != now["length"]:
        return f"{now['length']} examples, it had {then.get('length')}"
    for name in sorted({*then.get("arrays", {}), *now["arrays"]}):
        old, new = then.get("arrays", {}).get(name), now["arrays"].get(name)
        if old != new:
            shown = [f"{x['dtype']} {tuple(x['shape'])}" if x else "absent" for x in (new, old)]
            return f"{name!r} is {shown[0]}, it was {shown[1]}"
    return "" if then.get("sha256") == now["sha256"] else "other values"


def fingerprint(source: Source) -> dict[str, Any]:
    """Length, arrays and digest of a source, ready for JSON.

    The digest is of all rows where they take less than 8 MB, else of 34 evenly spaced ones. Leaves
    out ``origin``, an example's name in errors, so that a folder may move.

    Returns:
        ``length``, ``arrays`` (name -> dtype and shape of one row, or of a whole) and ``sha256``.
    """
    rows = -(-len(source) // getattr(source, "per", 1))
    spaced = np.unique(np.linspace(0, rows - 1, _ROWS).round().astype(np.int64))
    examples = source.gather(in_order(source, spaced))
    size = sum(np.asarray(x).nbytes for x in examples.values()) / len(spaced)
    objects = any(np.asarray(x).dtype == object for x in examples.values())
    if len(spaced) < rows and size * rows < _WHOLE and not objects:
        examples = source.gather(in_order(source, np.arange(rows)))
    digest = hashlib.sha256()
    arrays = {}
    for name in sorted(examples.keys() - {"origin"}):
        array = np.ascontiguousarray(examples[name])
        shape = array.shape if getattr(source, "whole", False) else array.shape[1:]
        arrays[name] = {"dtype": str(array.dtype), "shape": list(shape)}
        digest.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        if array.dtype == object:  # files of different lengths
            for item in array:
                digest.update(hashlib.sha256(item).digest())
        else:
            digest.update(array.tobytes())
    return {"length": len(source), "arrays": arrays, "sha256": digest.hexdigest()}
