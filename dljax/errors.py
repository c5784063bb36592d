"""Errors that a user can mend: one line, exit status 2, no traceback."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """An error that its user can mend, in one line: the fault, what was expected, what to do."""


def nearest(word: str, known: Iterable[str]) -> str:
    """The tail of an error message: a known word near to this one, and all known words."""
    known = sorted(known)
    match = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    hint = f"did you mean {match[0]!r}? " if match else ""
    return f"{hint}known: {', '.join(known) or 'none'}"
