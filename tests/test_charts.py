"""Charts have the heights of their numbers."""

import numpy as np

from dljax.analysis import charts


def test_bars_are_as_high_as_their_means():
    """Gray pixels in proportion, and none of what was not measured."""
    shown = charts.bars({"a": [1.0, 1.0], "b": [3.0, 1.0], "c": [], "d": [np.nan]}, ylabel="x")
    gray = (shown == 191).all(-1)  # 0.75
    columns = np.flatnonzero(gray.sum(0) > 20)
    groups = np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1)
    heights = [int(np.median(gray[:, group].sum(0))) for group in groups if len(group) > 20]
    assert len(heights) == 2
    assert abs(heights[1] / heights[0] - 2) < 0.15  # lines of the grid and dots lie across
