"""A check that code refuses wrong input with a UserError of one line."""

import re

import pytest

from dljax.errors import UserError


def refused(*words: str):
    """``pytest.raises`` of one line of a UserError with these words in this order."""
    return pytest.raises(UserError, match=r"\A.*" + ".*".join(map(re.escape, words)) + r".*\Z")
