"""Looks at models of packs: the worst mistakes drawn, measured values beside predicted ones."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dljax.analysis import charts
from dljax.analysis.predictions import Predicts, predict
from dljax.data.pipeline import EvalSet
from dljax.types import Key, Variables

# (node [n, d]) -> (places [n, 2] with y downwards, shades [n] in 0..1)
Place = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def members(pack: Mapping[str, np.ndarray], slot: int) -> tuple[np.ndarray, np.ndarray]:
    """(nodes [n, d], edges [e, 2]) of one graph of a pack, numbered from 0."""
    at = np.flatnonzero(pack["graph_id"] == slot)
    edges = np.stack([pack["senders"], pack["receivers"]], 1)[pack["edge_mask"] > 0]
    inside = np.isin(edges[:, 1], at)
    return pack["node"][at], edges[inside] - at[0]


@dataclass(frozen=True)
class GraphMistakes:
    """A look: the graphs that a classifier gets most wrong, drawn, under "truth as guess".

    Attributes:
        data: packs of small graphs.
        place: of a graph's nodes.
        most: number of graphs drawn.
    """

    task: Predicts
    data: EvalSet
    place: Place
    most: int = 15

    def __call__(self, variables: Variables, key: Key) -> Any:
        packs, logits = predict(self.task, variables, self.data)
        truth = packs["label"]
        margin = logits.max(-1) - np.take_along_axis(logits, truth[..., None], -1)[..., 0]
        margin = np.where(packs["graph_mask"] > 0, margin, 0)
        order = np.argsort(-margin, axis=None, kind="stable")[: self.most]
        worst = [(p, g) for p, g in zip(*np.unravel_index(order, margin.shape), strict=True)]
        worst = [at for at in worst if margin[at] > 0]
        if not worst:
            return f"no mistakes among {int((packs['graph_mask'] > 0).sum())} graphs\n"
        drawn = {}
        for number, (p, g) in enumerate(worst, 1):
            node, edges = members({name: x[p] for name, x in packs.items()}, g)
            title = f"{number}: {truth[p, g]} as {logits[p, g].argmax()}"
            drawn[title] = (*self.place(node), edges)
        return charts.graphs(drawn)


@dataclass(frozen=True)
class Quantities:
    """A look: "rmse", the root mean square error in the values' own unit, "linear", and "gain", the second less
    the first.

    Attributes:
        data: packs, with ``label`` (value - center) / scale.
        linear: the error of a simple model.
    """

    task: Predicts
    data: EvalSet
    center: float
    scale: float
    linear: float = 0.0

    def both(self, variables: Variables) -> tuple[np.ndarray, np.ndarray]:
        """(measured, predicted) values in their own unit, [n]."""
        packs, out = predict(self.task, variables, self.data)
        real = packs["graph_mask"] > 0
        measured, predicted = (
            x[real] * self.scale + self.center for x in (packs["label"], out[..., 0])
        )
        return measured, predicted

    def __call__(self, variables: Variables, key: Key) -> Mapping[str, float]:
        rmse = error(*self.both(variables))
        return {"rmse": rmse, "linear": self.linear, "gain": self.linear - rmse}


@dataclass(frozen=True)
class Scatter:
    """A look: ``values`` measured across and predicted up.

    Attributes:
        unit: of the values.
    """

    values: Quantities
    unit: str

    def __call__(self, variables: Variables, key: Key) -> np.ndarray:
        measured, predicted = self.values.both(variables)
        title = f"RMSE {error(measured, predicted):.3g}, linear {self.values.linear:.3g}"
        return charts.predicted(measured, predicted, unit=self.unit, title=title)


def error(measured: np.ndarray, predicted: np.ndarray) -> float:
    """Root mean square error."""
    return float(np.sqrt(np.mean((measured - predicted) ** 2)))
