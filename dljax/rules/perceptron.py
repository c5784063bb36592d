"""The perceptron's learning rule, a Learner of three functions written by hand."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from dljax import axes
from dljax.learner import Learner, State, named
from dljax.tasks.linen import initialize
from dljax.tasks.supervised import MODEL, means
from dljax.types import Batch, Key


def perceptron_rule(model: nn.Module, lr: float = 1.0) -> Learner:
    """Rosenblatt's rule, by which a wrongly classified example pulls the weights towards itself.

        w += lr * mean((t - y) x),  w0 += lr * mean(t - y),  y = step(w0 + w . x)

    With a batch of one this is the classic rule, which makes finitely many mistakes on classes that a
    hyperplane separates (Novikoff 1962).

    Args:
        model: has parameters ``weight`` [d] and ``bias`` [] and a method ``weighted_sum``.
        lr: step size; from a start at zero it only scales the weights.

    Batch: ``image`` [b, ...] float32, ``label`` [b], 0 or 1. Metrics: ``accuracy``, and as
    ``model/loss`` the perceptron criterion, mean(max(0, -z) where t is 1, max(0, z) where 0).
    """

    def init(key: Key, batch: Batch) -> State:
        params, extra = initialize(named(key, "init"), {MODEL: (model, (batch["image"],))})
        return State(jnp.zeros((), jnp.int32), key, params, extra, {}, None)

    def outputs(state: State, batch: Batch):
        """Sum z, target t and error t - y, each [b]."""
        variables = {"params": state.params[MODEL]}
        z = model.apply(variables, batch["image"], method="weighted_sum")
        y = model.apply(variables, batch["image"], train=False)
        t = batch["label"].astype(z.dtype)  # type: ignore[union-attr]
        return z, t, t - y

    def measured(z, t, error):
        return jax.nn.relu(jnp.where(t > 0, -z, z)), (error == 0).astype(jnp.float32)

    def update(state: State, batch: Batch):
        z, t, error = outputs(state, batch)
        x = jnp.reshape(batch["image"], (z.shape[0], -1))
        pull = {"weight": error @ x / z.shape[0], "bias": jnp.mean(error)}
        loss, right = measured(z, t, error)
        metrics = {f"{MODEL}/loss": jnp.mean(loss), "accuracy": jnp.mean(right)}
        pull, metrics = axes.mean((pull, metrics))
        moved = jax.tree.map(lambda w, p: w + lr * p, state.params[MODEL], pull)
        params = {**state.params, MODEL: moved}
        return state._replace(step=state.step + 1, params=params), metrics

    def evaluate(state: State, batch: Batch):
        loss, right = measured(*outputs(state, batch))
        return means({"loss": loss, "accuracy": right}, batch)

    return Learner(init, update, evaluate)
