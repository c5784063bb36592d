"""Parts of a labeled set."""

from collections.abc import Sequence

import numpy as np

from dljax.data.pipeline import Arrays
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
