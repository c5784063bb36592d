"""GIN as the authors' program (weihua916/powerful-gnns) and PyG's example ``mutag_gin`` have it."""

from typing import Any

import numpy as np

from dljax.weights.layers import batch_norm, dense
from dljax.weights.mapping import Entry, Join


def entries(model: Any) -> list[Entry]:
    """The map for a GIN: the authors' names where it reads every depth, else PyG's."""
    authors, layers = model.read == "every depth", range(model.layers)
    out = []
    for i in layers:
        perceptron, lins = (f"mlps.{i}", "linears") if authors else (f"convs.{i}.nn", "lins")
        norm = f"{perceptron}.batch_norms.0" if authors else f"{perceptron}.norms.0.module"
        out += dense(f"perceptron{i}/linear0", f"{perceptron}.{lins}.0")
        out += batch_norm(f"perceptron{i}/norm", norm)
        out += dense(f"perceptron{i}/linear1", f"{perceptron}.{lins}.1")
        out += batch_norm(f"norm{i}", f"batch_norms.{i}") if authors else []
    head = "linears_prediction" if authors else "mlp.lins"
    for i in range(model.layers + 1 if authors else 2):
        out += dense(f"head{i}", f"{head}.{i}")
    if model.epsilon and authors:
        out.append(Entry("params/epsilon", "eps"))
    elif model.epsilon:
        join = Join(lambda *each: np.concatenate(each), lambda x: np.split(x, len(x)))
        out.append(Entry("params/epsilon", tuple(f"convs.{i}.eps" for i in layers), join=join))
    return out
