"""Parts of a set: some of its classes, some of its examples."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dljax.data.pipeline import Arrays, Examples, Source
from dljax.errors import UserError


def of_classes(
    source: Arrays, classes: Sequence[int], each: int | None = None, seed: int = 0
) -> Arrays:
    """The examples of some classes, labeled 0, 1, ... in the order of ``classes``.

    Args:
        source: ``label`` [n] integers, beside other arrays.
        each: number of examples of every class, drawn by the seed; by default all, in the source's
            order. A smaller number draws some of those that a larger one does.

    Raises:
        UserError: a class that has none, or fewer than ``each``.
    """
    label = np.asarray(source.arrays["label"])
    rng, rows = np.random.default_rng(seed), []
    for c in classes:
        found = np.flatnonzero(label == c)
        if len(found) < (each or 1):
            raise UserError(
                f"class {c} has {len(found)} examples: expected {each or 1} or more; the set has the "
                f"classes {', '.join(map(str, np.unique(label)[:20]))}"
            )
        rows.append(found if each is None else rng.permutation(found)[:each])
    at = np.sort(np.concatenate(rows))
    order = np.argsort(classes)
    new = order[np.searchsorted(np.asarray(classes)[order], label[at])].astype(label.dtype)
    arrays = {name: array[at] for name, array in source.arrays.items()}
    names = [source.names[c] for c in classes] if source.names else ()
    return Arrays({**arrays, "label": new}, names)


@dataclass(frozen=True)
class Part:
    """Some examples of a source that is not held in memory.

    Attributes:
        at: their numbers in it, int64 [n].
    """

    source: Source
    at: np.ndarray

    def __len__(self) -> int:
        return len(self.at)

    def gather(self, indices: np.ndarray) -> Examples:
        return self.source.gather(self.at[indices])

    @property
    def names(self) -> Sequence[str]:
        """Of the classes, as the source has them."""
        return getattr(self.source, "names", ())


def drawn(source: Source, n: int, seed: int = 0) -> Source:
    """``n`` examples of a set, drawn by a seed; of one seed, fewer are among the more.

    Args:
        n: their number; 0 for the whole set, as it is.

    Raises:
        UserError: fewer than none, or more than there are; or of packs, of one whole example or of streams.
    """
    if n and (
        getattr(source, "per", 1) > 1 or hasattr(source, "ordered") or hasattr(source, "whole")
    ):
        raise UserError(
            f"{n:,} examples of a {type(source).__name__}: expected a set of single examples"
        )
    if not 0 <= n <= len(source):
        raise UserError(
            f"{n:,} examples of {len(source):,}: expected at most as many, or 0 for all"
        )
    if n == 0:
        return source
    at = np.random.default_rng([seed, len(source)]).permutation(len(source))[:n]
    if not isinstance(source, Arrays):
        return Part(source, at)
    return Arrays({name: array[at] for name, array in source.arrays.items()}, source.names)
