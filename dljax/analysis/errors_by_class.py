"""Errors of a classifier by class and by group: where the mean accuracy hides a failure."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dljax.analysis import charts
from dljax.analysis.predictions import Predicts, predict
from dljax.data.pipeline import EvalSet
from dljax.errors import UserError, nearest
from dljax.types import Key, Variables


def confusion(label, guess, classes: int) -> np.ndarray:
    """Counts int64 [classes, classes]: row the true class, column the guess.

    Args:
        label, guess: [n] integers, 0 to ``classes`` - 1.

    Raises:
        UserError: a label or a guess that is no class.
    """
    label, guess = np.asarray(label).astype(int), np.asarray(guess).astype(int)
    for name, x in (("labels", label), ("guesses", guess)):
        if x.size and not (0 <= x.min() and x.max() < classes):
            raise UserError(
                f"{name} of {x.min()} to {x.max()}: expected classes 0 to {classes - 1}"
            )
    return np.bincount(label * classes + guess, minlength=classes**2).reshape(classes, classes)


class Groups(NamedTuple):
    """Accuracy by group.

    Attributes:
        group: [g], the groups that occur, in order.
        size: [g], examples of each.
        accuracy: [g].
    """

    group: np.ndarray
    size: np.ndarray
    accuracy: np.ndarray

    def worst(self, n: int = 1, least: int = 1) -> "Groups":
        """The ``n`` groups of lowest accuracy, worst first, among those of ``least`` examples or more."""
        order = np.argsort(self.accuracy, kind="stable")
        order = order[self.size[order] >= least][:n]
        return Groups(*(x[order] for x in self))


def by_group(right, group) -> Groups:
    """The accuracy of each group: of each class where ``group`` is the label.

    Args:
        right: [n], whether an answer is right.
        group: [n] integers or strings; or [n, k], where each combination of k values is a group
            (class and background, say).
    """
    group = np.asarray(group)
    found, place = np.unique(group, axis=0 if group.ndim > 1 else None, return_inverse=True)
    size = np.bincount(place.ravel(), minlength=len(found))
    return Groups(found, size, np.bincount(place.ravel(), np.asarray(right), len(found)) / size)


def f1(counts) -> np.ndarray:
    """F1 of each class, 2 TP / (2 TP + FP + FN), float64 [classes]; NaN where it never occurs.

    Args:
        counts: of ``confusion``.
    """
    counts = np.asarray(counts)
    both = np.diagonal(counts)
    total = counts.sum(0) + counts.sum(1)
    return np.where(total > 0, 2 * both / np.maximum(total, 1), np.nan)


def f1_macro(counts) -> float:
    """The mean F1 of the classes that occur as truth or guess."""
    return float(np.nanmean(f1(counts)))


def scores(examples: Mapping[str, np.ndarray], logits: np.ndarray) -> dict[str, float]:
    """The "f1" (macro) and the "worst" accuracy of a class, for a ``predictions.Score``.

    Args:
        examples: ``label``, integers [n].
        logits: [n, classes].
    """
    guess = logits.argmax(-1)
    found = by_group(guess == examples["label"], examples["label"])
    counts = confusion(examples["label"], guess, logits.shape[-1])
    return {"f1": f1_macro(counts), "worst": float(found.accuracy.min())}


def _lines(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    table = [heads, *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]

    def line(row):
        rest = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        return "  ".join([row[0].ljust(widths[0]), *rest])

    return "".join(line(row) + "\n" for row in table)


def class_table(label, guess, counts, names: Sequence[str] = (), worst: int | None = None) -> str:
    """Lines of the classes, worst first, with F1 and the class that each is most taken for.

    Args:
        label, guess: [n] integers.
        counts: their ``confusion``.
        names: of the classes; their numbers by default.
        worst: number of classes shown; by default all.
    """
    label, guess = np.asarray(label), np.asarray(guess)
    names = list(names) or [str(i) for i in range(len(counts))]
    rows = []
    of_class, found = f1(counts), by_group(guess == label, label)
    for c, n, accuracy in zip(*found.worst(worst or len(found.group)), strict=True):
        wrong = counts[c].copy()
        wrong[c] = 0
        taken = f"{names[wrong.argmax()]} ({wrong.max()})" if wrong.any() else "-"
        rows.append([names[c], str(n), f"{accuracy:.4f}", f"{of_class[c]:.4f}", taken])
    return _lines(["class", "n", "accuracy", "F1", "most taken for"], rows)


def group_table(right, group, name: str, worst: int = 20, least: int = 1) -> str:
    """Lines of the groups, worst first, with their accuracies.

    Args:
        right: [n], whether an answer is right.
        group: [n] integers or strings.
        name: of the column.
        worst: number of groups shown.
        least: examples that a group must have to be shown.
    """
    shown = by_group(right, group).worst(worst, least)
    rows = [[str(g), str(n), f"{a:.4f}"] for g, n, a in zip(*shown, strict=True)]
    return _lines([name, "n", "accuracy"], rows)


def by_brightness(image, parts: int = 4) -> np.ndarray:
    """The group of each image by its mean pixel, strings [n]: quarters of the set, with their ranges.

    A group that every set of images has. Systems that judge faces fail by the brightness of skin, which
    their mean accuracy hides (Buolamwini & Gebru 2018, Gender Shades, PMLR 81).

    Args:
        image: [n, h, w, c].
        parts: number of groups, about equal in size.
    """
    image = np.asarray(image)
    mean = image.reshape(len(image), -1).mean(1)
    bounds = np.quantile(mean, np.linspace(0, 1, parts + 1))
    place = np.clip(np.searchsorted(bounds, mean, "right") - 1, 0, parts - 1)
    names = np.array([f"{low:.3f} to {high:.3f}" for low, high in itertools.pairwise(bounds)])
    return names[place]


@dataclass(frozen=True)
class Confusion:
    """A look: the confusion matrix of a classifier on a set.

    Attributes:
        data: ``image`` and ``label``.
        names: of the classes; their numbers by default.
    """

    task: Predicts
    data: EvalSet
    names: Sequence[str] = ()

    def __call__(self, variables: Variables, key: Key) -> np.ndarray:
        examples, logits = predict(self.task, variables, self.data)
        counts = confusion(examples["label"], logits.argmax(-1), logits.shape[-1])
        right = np.trace(counts) / counts.sum()
        return charts.confusion(
            counts, self.names, title=f"{100 * right:.2f} % of {counts.sum()} right"
        )


@dataclass(frozen=True)
class ByClass:
    """A look: a table of the classes, worst first, with F1 and the class each is most taken for.

    Attributes:
        data: ``image`` and ``label``.
        names: of the classes; their numbers by default.
    """

    task: Predicts
    data: EvalSet
    names: Sequence[str] = ()

    def __call__(self, variables: Variables, key: Key) -> str:
        examples, logits = predict(self.task, variables, self.data)
        label, guess = examples["label"], logits.argmax(-1)
        counts = confusion(label, guess, logits.shape[-1])
        return class_table(label, guess, counts, self.names)


@dataclass(frozen=True)
class ByGroup:
    """A look: a table of groups, worst first, with their accuracies.

    Attributes:
        data: ``image``, ``label`` and ``group``.
        group: name of the array of groups in ``data``, [n] integers or strings.
        worst: number of groups shown.
        least: examples that a group must have to be shown.

    Raises:
        UserError: ``data`` has no such array (raised when it is looked at).
    """

    task: Predicts
    data: EvalSet
    group: str
    worst: int = 20
    least: int = 1

    def __call__(self, variables: Variables, key: Key) -> str:
        examples, logits = predict(self.task, variables, self.data)
        if self.group not in examples:
            raise UserError(f"no array {self.group!r} in the set; {nearest(self.group, examples)}")
        right = logits.argmax(-1) == examples["label"]
        return group_table(right, examples[self.group], self.group, self.worst, self.least)
