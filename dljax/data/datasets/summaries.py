"""Texts and what they say in a sentence: the documentation of numpy's, scipy's and jax's functions, whose first
sentence sums up the rest, behind their names; or pairs of texts in files, such as Gigaword's headlines (Rush et al. 2015,
arXiv:1509.00685). The installed text differs a little between versions.
"""

import ast
import functools
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from dljax.data import fake as fake_data
from dljax.data.sources import embedded, package_folder
from dljax.data.sources.pairs import Pair, Pairs, Parallel, read_pairs, vocabulary
from dljax.errors import UserError

_PACKAGES = ("numpy", "scipy", "jax")
_WORD = re.compile(r"[a-z]+|\d+|[.,:;()]")
_SENTENCE = re.compile(r"(?<=[.?!])\s+(?=[A-Z])")
_TITLES = range(3, 25)  # words of a summary
_FEWEST = 12  # words of a text
_NAMED = "|"  # after a function's name, which stands in front of its text
_FAKE = (4000, 2000)


def words(text: str) -> str:
    """Lower-case words, numbers and marks apart by spaces; letters of other alphabets are left out."""
    return " ".join(_WORD.findall(text.lower().replace("_", " ")))


def _documented(home: Path) -> Iterator[tuple[str, str, str, str]]:
    """(file, name, first paragraph, the rest) of the documentation of each function and class of a package."""
    for file in sorted(home.rglob("*.py")):
        if "tests" in file.parts:
            continue
        try:
            tree = ast.parse(file.read_text("utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                first, _, rest = (ast.get_docstring(node) or "").partition("\n\n")
                yield str(file.relative_to(home)), node.name, first, rest


@functools.lru_cache(maxsize=1)
def _documentation(longest: int) -> tuple[list[Pair], list[Pair]]:
    """(for training, for validation): by file, and no summary twice."""
    splits: tuple[list[Pair], list[Pair]] = ([], [])
    seen: set[str] = set()
    for package in _PACKAGES:
        for file, name, first, rest in _documented(package_folder(package)):
            title = words(_SENTENCE.split(" ".join(first.split()))[0]).removesuffix(" .")
            body = words(rest).split()
            text = [*words(name).split(), _NAMED, *body][: longest - 1]
            fits = len(title.split()) in _TITLES and len(title.split()) < longest
            fits = fits and len(body) >= _FEWEST
            if fits and title not in seen:
                seen.add(title)
                held_out = zlib.crc32(f"{package}/{file}".encode()) % 10 == 0
                splits[held_out].append((" ".join(text), title))
    return splits


def load(
    name: Literal["documentation", "gigaword"],
    data: str = "",
    *,
    longest: int = 50,
    least: int = 3,
    fake: bool = False,
) -> Parallel:
    """Texts to summaries, about 4,500 for training and 500 of other files for validation.

    Args:
        name: "documentation" is the installed one.
        data: for "gigaword", or other pairs, a folder with train.text, train.summary, valid.text and
            valid.summary, a line for each, tokens apart by spaces, perhaps with .gz behind.
        longest: tokens of either side at most, with its end; a longer one loses its end.
        least: number of times that a word occurs in training at least; others are ``<unk>``.
        fake: made-up texts.

    Raises:
        UserError: a file is missing or no text, or the two of a pair differ in their lines.
    """
    if fake:
        return fake_data.parallel(400, 80, *_FAKE, longest).joint()
    if name == "gigaword":
        if not data or not Path(data).is_dir():
            raise UserError(
                f"no folder {data!r}: give the folder with train.text, train.summary, valid.text and "
                "valid.summary with --data FOLDER; or try --fake true"
            )
        train, valid = (
            [
                (" ".join(text.split()[: longest - 1]), " ".join(title.split()[: longest - 1]))
                for text, title in read_pairs(Path(data, f"{x}.text"), Path(data, f"{x}.summary"))
            ]
            for x in ("train", "valid")
        )
    else:
        embedded(data)
        train, valid = _documentation(longest)
    both = vocabulary((side for pair in train for side in pair), least)
    return Parallel(*(Pairs(part, both, both, longest) for part in (train, valid)))


def first_sentence(text: str, most: int = 24) -> str:
    """The words of a text up to its first full stop, ``most`` of them at most, without the name of what it is
    about: the summary to beat.
    """
    name, _, body = text.partition(f" {_NAMED} ")
    return " ".join((body or name).partition(" .")[0].split()[:most])
