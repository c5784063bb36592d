"""Charts as pictures, uint8 [h, w, 3], for an experiment's looks."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained", dpi=100)


def _drawn(figure: Any) -> np.ndarray:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def reliability(size, confidence, accuracy, *, title: str = "") -> np.ndarray:
    """A reliability diagram: accuracy by confidence, above the number of predictions in each bin.

    A bar ends at its bin's accuracy; the gap to the mean confidence is red where the model is too
    sure, blue where it is not sure enough.

    Args:
        size, confidence, accuracy: [bins], of bins of equal width from 0 to 1.
    """
    size, confidence, accuracy = map(np.asarray, (size, confidence, accuracy))
    bins = len(size)
    middle, some = (np.arange(bins) + 0.5) / bins, size > 0
    figure = _figure(4.6, 5.2)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    wide = 0.92 / bins
    top.bar(middle[some], accuracy[some], wide, color="0.75", label="accuracy")
    gap = confidence - accuracy
    for color, which, word in (
        ("tab:red", some & (gap > 0), "too sure"),
        ("tab:blue", some & (gap < 0), "not sure enough"),
    ):
        top.bar(
            middle[which], gap[which], wide, accuracy[which], color=color, alpha=0.6, label=word
        )
    top.plot([0, 1], [0, 1], color="black", lw=0.8, ls="--")
    top.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy", title=title)
    top.legend(loc="upper left", fontsize=8)
    bottom.bar(middle, size, wide, color="0.5")
    bottom.set(xlabel="confidence", ylabel="predictions", yscale="log", ylim=(0.7, None))
    return _drawn(figure)


def confusion(counts, names: Sequence[str] = (), *, title: str = "") -> np.ndarray:
    """A confusion matrix: the truth down, the guess across; color is the part of the row's truth.

    Args:
        counts: [classes, classes] integers.
        names: of the classes; their numbers by default.
    """
    counts = np.asarray(counts)
    n = len(counts)
    names = list(names) or [str(i) for i in range(n)]
    part = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = max(4.2, 0.42 * n + 1.6)
    figure = _figure(side, side)
    axis = figure.subplots()
    axis.imshow(part, cmap="Blues", vmin=0, vmax=1)
    axis.set_xticks(range(n), names, rotation=90 if max(map(len, names)) > 2 else 0)
    axis.set_yticks(range(n), names)
    axis.set(xlabel="guess", ylabel="truth", title=title)
    if n <= 30:  # beyond, numbers would be too small to read
        for i, j in zip(*np.nonzero(counts), strict=True):
            color = "white" if part[i, j] > 0.5 else "black"
            axis.text(j, i, f"{counts[i, j]:g}", ha="center", va="center", color=color, fontsize=8)
    return _drawn(figure)


def curves(
    x: Sequence[float], lines: Mapping[str, Sequence[float]], *, xlabel: str, ylabel: str
) -> np.ndarray:
    """Lines over one axis, such as robust accuracies over epsilon; y from 0 to 1.

    Args:
        x: [n].
        lines: name -> [n].
    """
    figure = _figure(4.6, 3.4)
    axis = figure.subplots()
    for name, y in lines.items():
        axis.plot(x, y, marker="o", ms=3, lw=1.2, label=name)
    axis.set(xlabel=xlabel, ylabel=ylabel, ylim=(0, 1.02))
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    return _drawn(figure)


def bars(values: Mapping[str, Sequence[float]], *, ylabel: str) -> np.ndarray:
    """A bar for each name, as high as its mean, with the standard deviation and each value as a dot.

    Args:
        values: name -> numbers, as of several seeds; one that is not finite is left out.
    """
    figure = _figure(1.6 + 0.9 * len(values), 3.4)
    axis = figure.subplots()
    for at, given in enumerate(values.values()):
        found = np.asarray(given, float)
        found = found[np.isfinite(found)]
        if not found.size:
            continue
        spread = found.std(ddof=1) if found.size > 1 else None
        axis.bar(at, found.mean(), 0.6, yerr=spread, capsize=4, color="0.75")
        axis.plot(np.linspace(at - 0.12, at + 0.12, found.size), found, "o", ms=3, color="tab:blue")
        axis.text(at, 0, f"{found.mean():.3g}", ha="center", va="bottom", fontsize=8)
    axis.set_xticks(range(len(values)), list(values), fontsize=8)
    axis.set(ylabel=ylabel)
    axis.grid(axis="y", alpha=0.3)
    axis.set_axisbelow(True)
    return _drawn(figure)
