"""Files of a run's folder: written beside and renamed, so that a kill leaves the old or the new one."""

import errno
import functools
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

from dljax.errors import UserError

_Function = TypeVar("_Function", bound=Callable[..., Any])
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def beside(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for writing that takes the place of ``path`` at the end, safely on the disk."""
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        with temporary.open("wb") as opened:
            yield opened
            opened.flush()
            os.fsync(opened.fileno())
        temporary.replace(path)
    except BaseException:
        if temporary.is_file():
            temporary.unlink()
        raise


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file by way of ``beside``."""
    with beside(path) as opened:
        opened.write(text.encode(errors="backslashreplace"))  # lone surrogates


def read_json(path: Path, **kinds: type | tuple[type, ...]) -> dict[str, Any] | None:
    """The JSON object in a file; None where it is absent, damaged, or lacks a key of these types."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    return found if all(isinstance(found.get(key), kind) for key, kind in kinds.items()) else None


def _is_row(row: Any) -> bool:
    def number(x: Any) -> bool:
        return isinstance(x, int | float) and not isinstance(x, bool)

    if not isinstance(row, dict) or not isinstance(row.get("step"), int):
        return False
    values = (x if isinstance(x, list) and x else [x] for x in row.values())
    return all(number(x) for value in values for x in value)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a metrics.jsonl, without lines that are no rows, such as one cut off by a kill.

    Raises:
        UserError: the file cannot be read.
    """
    rows = []
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from None
    for line in lines:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if _is_row(row):
            rows.append(row)
    return rows


def disk_full(path: Path | None = None) -> str:
    """The line for a full disk, on which ``path`` could not be written, with the way to go on."""
    what = f"{path} could not be written; " if path else ""
    return (
        f"the disk is full: {what}free some space and run the same command again, it goes on from "
        "the last whole checkpoint"
    )


def unwritable(path: Path, error: OSError) -> UserError:
    """The error for a file or folder that could not be written, with the way to go on."""
    if error.errno in FULL:
        return UserError(disk_full(path))
    where = Path(error.filename) if isinstance(error.filename, str) else path
    return UserError(
        f"{where} cannot be written: {error.strerror or error}; once it can, the same command goes on "
        "from the last whole checkpoint"
    )


def writes(function: _Function) -> _Function:
    """Turn an OSError of a function or method that writes to a folder into a UserError.

    Args:
        function: its first argument is the folder, or an object with the folder as ``path``.
    """

    @functools.wraps(function)
    def inner(where: Any, *args: Any, **options: Any) -> Any:
        try:
            return function(where, *args, **options)
        except OSError as error:
            raise unwritable(getattr(where, "path", where), error) from None

    return inner  # type: ignore[return-value]
