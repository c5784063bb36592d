"""The one kind of error that is the user's to mend: one line, exit status 2, no traceback."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """What was wrong, what was expected and what to do, in one line."""


def nearest(word: str, known: Iterable[str]) -> str:
    """``did you mean 'lr'? `` or the whole list, for the tail of an error message."""
    known = sorted(known)
    match = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    hint = f"did you mean {match[0]!r}? " if match else ""
    return f"{hint}known: {', '.join(known) or 'none'}"
