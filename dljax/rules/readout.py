"""Readouts in closed form: least squares on fixed features, as a Learner of functions written by hand."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from dljax import axes
from dljax.learner import Learner, State, named
from dljax.tasks.linen import initialize
from dljax.tasks.supervised import MODEL, means
from dljax.types import Array, Batch, Key, PyTree, Variables


def ridge_classifier(model: nn.Module, *, ridge: float = 1e-3) -> Learner:
    """Ridge regression of classes on a model's features, exact over the examples seen, in batches.

        readout = (H^T H + ridge n I)^-1 H^T T,   T = 1 for the class, -1 for the others

    over the n examples seen, of which H^T H and H^T T are kept. Where ``ridge`` goes to 0 it is the
    pseudo-inverse of H times T (Huang et al. 2006, section 3).

    Args:
        model: has a parameter ``readout`` [h, classes] and a method ``features``; called, it gives what the
            readout makes of these.
        ridge: weight of the squared norm of the readout against the mean squared error; with float32 sums
            one below 1e-6 is lost in rounding.

    Batch: ``image`` [b, ...], ``label`` [b] integers. Metrics and evaluation: ``loss``, the mean over classes of
    the squared error, and ``accuracy``; in training those of the readout before the batch.
    """

    def init(key: Key, batch: Batch) -> State:
        params, _ = initialize(named(key, "init"), {MODEL: (model, (batch["image"],))})
        h, classes = params[MODEL]["readout"].shape
        sums = {"count": jnp.zeros(()), "gram": jnp.zeros((h, h)), "cross": jnp.zeros((h, classes))}
        return State(jnp.zeros((), jnp.int32), key, params, {MODEL: {"sums": sums}}, {}, None)

    def measured(params: PyTree, batch: Batch) -> tuple[dict[str, Array], Array]:
        """Loss and accuracy of each example, and the targets."""
        out: Any = model.apply({"params": params}, batch["image"], train=False)
        target = 2.0 * jax.nn.one_hot(batch["label"], out.shape[-1]) - 1.0
        right = (jnp.argmax(out, -1) == batch["label"]).astype(jnp.float32)
        return {"loss": jnp.mean((out - target) ** 2, -1), "accuracy": right}, target

    def update(state: State, batch: Batch):
        params, before = state.params[MODEL], state.extra[MODEL]["sums"]
        found, target = measured(params, batch)
        h: Any = model.apply({"params": params}, batch["image"], method="features")
        added = {"count": jnp.float32(len(h)), "gram": h.T @ h, "cross": h.T @ target}
        sums = jax.tree.map(jnp.add, before, axes.total(added))
        diagonal = ridge * sums["count"] * jnp.eye(h.shape[-1])
        readout = jax.scipy.linalg.solve(sums["gram"] + diagonal, sums["cross"], assume_a="pos")
        metrics = {
            f"{MODEL}/loss": jnp.mean(found["loss"]),
            "accuracy": jnp.mean(found["accuracy"]),
        }
        state = state._replace(
            step=state.step + 1,
            params={MODEL: {**params, "readout": readout}},
            extra={MODEL: {"sums": sums}},
        )
        return state, axes.mean(metrics)

    def evaluate(state: State, batch: Batch):
        return means(measured(state.params[MODEL], batch)[0], batch)

    def predict(variables: Variables, batch: Batch) -> Array:
        """The readouts of the classes, [b, classes]."""
        given = {"params": variables.params[MODEL]}
        return model.apply(given, batch["image"], train=False)  # type: ignore[return-value]

    return Learner(init, update, evaluate, predict=predict)
