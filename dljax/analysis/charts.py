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


def histograms(
    values: Mapping[str, np.ndarray],
    *,
    xlabel: str,
    bounds: tuple[float, float],
    bins: int = 25,
) -> np.ndarray:
    """Histograms of several sets over one axis, as lines; each set's parts add to 1.

    Args:
        values: name -> [n], where n may differ.
        bounds: of the axis.
    """
    figure = _figure(5.6, 3.6)
    axis = figure.subplots()
    edges = np.linspace(*bounds, bins + 1)
    for name, x in values.items():
        part = np.histogram(x, edges)[0] / max(len(x), 1)
        axis.stairs(part, edges, label=name, lw=1.5)
    axis.set(xlabel=xlabel, ylabel="part of the set", xlim=bounds, ylim=(0, None))
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    return _drawn(figure)


def points(at, label, names: Sequence[str] = ()) -> np.ndarray:
    """Points of the plane, a color for each class.

    Args:
        at: [n, 2].
        label: [n] integers.
        names: of the classes; their numbers by default.
    """
    at, label = np.asarray(at), np.asarray(label)
    figure = _figure(5.6, 5.0)
    axis = figure.subplots()
    for i in np.unique(label):
        some = at[label == i]
        name = names[i] if names else str(i)
        axis.plot(some[:, 0], some[:, 1], ".", ms=4, color=f"C{i % 10}", label=name)
    axis.grid(alpha=0.3)
    figure.legend(loc="outside right center", fontsize=8, markerscale=2)
    return _drawn(figure)


# Of one metric: line -> (x, the values at x), an x for each configuration.
Spread = Mapping[str, Sequence[tuple[float, Sequence[float]]]]


def against(metrics: Mapping[str, Spread], *, xlabel: str) -> np.ndarray:
    """Panels of metrics over a number: the mean of several values as a line, +- a standard deviation.

    Each value is a dot. The axis is logarithmic where its numbers are above 0 and span a decade.

    Args:
        metrics: name -> line -> pairs of the number and the values there. The line "" has no label.
    """
    columns = min(3, len(metrics))
    rows = -(-len(metrics) // columns)
    figure = _figure(4.4 * columns, 3.3 * rows)
    for place, (metric, lines) in enumerate(metrics.items()):
        axis = figure.add_subplot(rows, columns, place + 1)
        numbers: set[float] = set()
        for name, points in lines.items():
            ordered = sorted((x, y) for x, y in points if len(y))
            if not ordered:
                continue
            x = np.array([x for x, _ in ordered])
            mean = np.array([np.mean(y) for _, y in ordered])
            std = np.array([np.std(y, ddof=1) if len(y) > 1 else 0.0 for _, y in ordered])
            (line,) = axis.plot(x, mean, marker="o", ms=4, lw=1.3, label=name or None)
            axis.fill_between(x, mean - std, mean + std, color=line.get_color(), alpha=0.2, lw=0)
            for at, y in ordered:
                axis.plot([at] * len(y), y, ".", color=line.get_color(), ms=3, alpha=0.6)
            numbers.update(x.tolist())
        if numbers and min(numbers) > 0 and max(numbers) >= 10 * min(numbers):
            axis.set_xscale("log")
            axis.minorticks_off()
            if len(numbers) <= 8:
                axis.set_xticks(sorted(numbers), [f"{x:g}" for x in sorted(numbers)])
        axis.set(xlabel=xlabel, title=metric)
        axis.grid(alpha=0.3)
        if any(lines):
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


def ranked(share, size: int, *, ylabel: str) -> np.ndarray:
    """Bars of shares, the largest first, beside the line of ``size`` equal ones.

    Args:
        share: [n], adding up to 1, with n at most ``size``; the rest have none.
    """
    share = np.sort(np.asarray(share))[::-1]
    share = share[share > 0]
    figure = _figure(5.2, 3.0)
    axes = figure.subplots()
    axes.bar(np.arange(1, len(share) + 1), share, 1.0, color="tab:blue", edgecolor="white", lw=0.3)
    axes.axhline(1 / size, color="black", lw=0.8, ls="--", label=f"1/{size}")
    axes.set(xlabel=f"rank: {len(share)} of {size} occur", ylabel=ylabel, xlim=(0.5, size + 0.5))
    axes.set(yscale="log")
    axes.legend(loc="upper right", fontsize=8)
    return _drawn(figure)


def forecasts(past, futures: Mapping[str, Any]) -> np.ndarray:
    """Windows of a series, one below the other, each with several futures.

    Args:
        past: [n, t].
        futures: name -> [n, ahead]; the first is the truth, in black.
    """
    past = np.asarray(past)
    n, t = past.shape
    figure = _figure(7.2, 1.5 * n + 0.4)
    rows = figure.subplots(n, 1, sharex=True, squeeze=False)[:, 0]
    for i, axis in enumerate(rows):
        axis.plot(np.arange(1 - t, 1), past[i], color="0.5", lw=1)
        for k, (name, future) in enumerate(futures.items()):
            line = np.concatenate([past[i, -1:], np.asarray(future)[i]])
            color = "black" if not k else f"C{k - 1}"
            axis.plot(range(len(line)), line, color=color, lw=1.4, label=name)
        axis.axvline(0, color="0.8", lw=0.8)
    rows[0].legend(fontsize=8, loc="upper left", ncols=len(futures))
    rows[-1].set(xlabel="times after the last that is known")
    return _drawn(figure)


def alignment(
    maps: Sequence[tuple[np.ndarray, Sequence[str], Sequence[str]]], *, columns: int = 2
) -> np.ndarray:
    """Attention as gray squares, white for all of it: what is written down, what is read across, in order.

    Bahdanau et al. 2014, arXiv:1409.0473, Figure 3.

    Args:
        maps: for each sentence its weights [t, s], the t tokens written and the s tokens read.
    """
    columns = min(columns, len(maps))
    rows = -(-len(maps) // columns)
    longest = [max(len(m[i]) for m in maps) for i in (1, 2)]
    figure = _figure(columns * (0.27 * longest[1] + 1.6), rows * (0.27 * longest[0] + 1.4))
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes[len(maps) :]:
        axis.axis("off")
    for axis, (weights, written, read) in zip(axes, maps, strict=False):
        axis.imshow(np.asarray(weights), cmap="gray", vmin=0, vmax=1)
        axis.set_xticks(range(len(read)), read, rotation=90, fontsize=8)
        axis.set_yticks(range(len(written)), written, fontsize=8)
        axis.tick_params(length=0, labeltop=True, labelbottom=False)
    return _drawn(figure)


def plane(points, centers, radius: float) -> np.ndarray:
    """Points of a plane, and circles where they should lie.

    Args:
        points: [n, 2].
        centers: [m, 2], of the circles.
    """
    from matplotlib.collections import EllipseCollection

    points, centers = np.asarray(points), np.asarray(centers)
    figure = _figure(5.6, 5.6)
    axis = figure.subplots()
    axis.scatter(*points.T, s=2, color="tab:blue", alpha=0.5, lw=0)
    size = np.full(len(centers), 2 * radius)
    circles = EllipseCollection(
        size,
        size,
        0 * size,
        units="xy",
        offsets=centers,
        offset_transform=axis.transData,
        facecolors="none",
        edgecolors="tab:red",
        linewidths=0.8,
    )
    axis.add_collection(circles)
    bound = 1.25 * float(np.abs(centers).max())
    outside = int((np.abs(points).max(1) > bound).sum())
    axis.set(xlim=(-bound, bound), ylim=(-bound, bound), aspect="equal")
    axis.set_title(f"{len(points)} samples, {outside} of them outside", fontsize=9)
    return _drawn(figure)


def bundle(lines, *, xlabel: str, ylabel: str) -> np.ndarray:
    """Lines of one kind, thin and gray, and their mean; y from 0 to 1.

    Args:
        lines: [times, n].
    """
    lines = np.asarray(lines)
    figure = _figure(5.6, 3.6)
    axis = figure.subplots()
    x = np.arange(1, len(lines) + 1)
    axis.plot(x, lines, color="0.6", lw=0.5)
    axis.plot(x, lines.mean(1), color="tab:blue", lw=1.6, label="mean")
    axis.set(xlabel=xlabel, ylabel=ylabel, ylim=(0, 1.02))
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8, loc="lower right")
    return _drawn(figure)


def graphs(drawn: Mapping[str, tuple[Any, Any, Any]], columns: int = 5) -> np.ndarray:
    """Graphs side by side, each under its title.

    Args:
        drawn: title -> (places [n, 2], y downwards; shades [n], 1 is black; edges [e, 2]).
        columns: graphs to a row.
    """
    rows = -(-len(drawn) // columns)
    figure = _figure(1.7 * columns, 1.9 * rows)
    for i, (title, (at, shade, edges)) in enumerate(drawn.items()):
        axis = figure.add_subplot(rows, columns, i + 1)
        at, edges = np.asarray(at), np.asarray(edges)
        lines = at[edges]  # [e, 2, 2]
        axis.plot(lines[..., 0].T, lines[..., 1].T, color="tab:blue", lw=0.4, zorder=1)
        axis.scatter(*at.T, c=shade, cmap="Greys", vmin=0, vmax=1, s=26, lw=0.4, ec="0.4", zorder=2)
        axis.set_title(title, fontsize=8)
        axis.set_aspect("equal")
        axis.margins(0.1)  # or the outermost nodes are cut
        axis.invert_yaxis()
        axis.axis("off")
    return _drawn(figure)


def predicted(measured, found, *, unit: str, title: str = "") -> np.ndarray:
    """Measured values across and predicted ones up, beside the line on which they are equal.

    Args:
        measured, found: [n].
        unit: on both axes.
    """
    both = np.concatenate([np.asarray(measured), np.asarray(found)])
    low, high = float(both.min()), float(both.max())
    edge = 0.05 * max(high - low, 1e-6)
    figure = _figure(4.6, 4.6)
    axis = figure.subplots()
    axis.plot([low, high], [low, high], color="black", lw=0.8, ls="--")
    axis.plot(measured, found, "o", ms=4, color="tab:blue", alpha=0.6)
    bounds = (low - edge, high + edge)
    axis.set(xlim=bounds, ylim=bounds, xlabel=f"measured ({unit})", ylabel=f"predicted ({unit})")
    axis.set_title(title, fontsize=10)
    axis.set_aspect("equal")
    axis.grid(alpha=0.3)
    return _drawn(figure)
