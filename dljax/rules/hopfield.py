"""Rules that store patterns in a Hopfield net, as Learners of three functions written by hand."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from dljax import axes
from dljax.learner import Learner, State, named
from dljax.tasks.linen import initialize
from dljax.tasks.supervised import MODEL, means
from dljax.types import Array, Batch, Key, Predict, Variables


def hebb(model: nn.Module, *, noise: float = 0.0) -> Learner:
    """Hebb's rule, which needs each pattern once. Hopfield 1982, equation 2; Amit et al. 1985.

        W += sum_b s s^T / d,   W_ii = 0

    Up to about 0.138 d random patterns stay where they are, or nearly.
    """
    return storing(model, lambda s, h: s.T @ s / s.shape[-1], noise=noise)


def projection(model: nn.Module, *, lr: float = 1.0, noise: float = 0.0) -> Learner:
    """The local rule by which each unit learns to be what its inputs are told. Diederich & Opper 1987,
    doi:10.1103/PhysRevLett.58.949.

        D = mean_b (s - h) s^T / d,   W += lr (D + D^T) / 2,   W_ii = 0

    It stores correlated patterns as well, up to d that are linearly independent (the projection rule of
    Personnaz et al. 1985); made symmetric here, so that the net keeps its energy.

    Args:
        lr: step size; any below 2 is stable.
    """

    def change(s, h):
        pull = (s - h).T @ s / s.size
        return lr * (pull + pull.T) / 2

    return storing(model, change, whole=axes.mean, noise=noise)


def storing(
    model: nn.Module,
    change: Callable[[Array, Array], Array],
    *,
    whole: Callable[[Array], Array] = axes.total,
    noise: float = 0.0,
) -> Learner:
    """Learner of a Hopfield net whose weights change by a function of the patterns and their fields.

    Args:
        model: has a parameter ``weight`` [d, d] and methods ``field`` and ``energy``; called, it comes to rest.
        change: (s [b, d], h [b, d]) -> what is added to the weights, [d, d]; of it the diagonal is left out.
        whole: joins the devices' shares of the change.
        noise: part of the bits that an evaluation turns before it lets the net come to rest.

    Batch: ``image`` [b, ...] of -1 and 1. Metrics: ``stored``, the number of patterns until now, repeated ones
    again, and as ``model/loss`` the mean energy of the batch once stored, per unit. Evaluation: ``overlap``
    with the pattern at rest, mean_i s_i r_i; ``recalled``, 1 where it is whole; and
    ``unstable``, the part of the bits of the pattern itself that turn at once.
    """

    def init(key: Key, batch: Batch) -> State:
        params, _ = initialize(named(key, "init"), {MODEL: (model, (batch["image"],))})
        extra = {MODEL: {"count": {"stored": jnp.zeros(())}}}
        return State(jnp.zeros((), jnp.int32), key, params, extra, {}, None)

    def with_weight(params, image, method):
        return model.apply({"params": params[MODEL]}, image, method=method)

    def update(state: State, batch: Batch):
        s = jnp.reshape(batch["image"], (len(batch["image"]), -1))
        added = whole(change(s, with_weight(state.params, s, "field")))
        weight = state.params[MODEL]["weight"]
        weight = weight + added * (1 - jnp.eye(s.shape[-1], dtype=weight.dtype))
        params = {**state.params, MODEL: {"weight": weight}}
        energy = jnp.mean(with_weight(params, s, "energy")) / s.shape[-1]
        stored = state.extra[MODEL]["count"]["stored"] + axes.total(jnp.float32(len(s)))
        metrics = {f"{MODEL}/loss": axes.mean(energy), "stored": stored}
        extra = {MODEL: {"count": {"stored": stored}}}
        return state._replace(step=state.step + 1, params=params, extra=extra), metrics

    rest = resting(model)

    def evaluate(state: State, batch: Batch):
        pattern = jnp.reshape(batch["image"], (len(batch["image"]), -1))
        start = turned(named(state.key, "evaluate"), pattern, noise)
        found = rest(Variables(state.params, state.extra), {"image": start})
        overlap = jnp.mean(found * pattern, -1)
        h = with_weight(state.params, pattern, "field")
        return means(
            {
                "overlap": overlap,
                "recalled": jnp.all(found == pattern, -1).astype(jnp.float32),
                "unstable": jnp.mean((h * pattern < 0).astype(jnp.float32), -1),
            },
            batch,
        )

    return Learner(init, update, evaluate, predict=rest)


def resting(model: nn.Module) -> Predict:
    """The function (variables, batch) -> the states where the net comes to rest from those of ``image``."""

    def of(variables: Variables, batch: Batch) -> Array:
        return model.apply({"params": variables.params[MODEL]}, batch["image"], train=False)  # type: ignore[return-value]

    return of


def turned(key: Key, pattern: Array, noise: float) -> Array:
    """Patterns [b, d] of -1 and 1 with each bit turned at a chance of ``noise``, one draw for each example."""
    flips = axes.rows(lambda shape: jax.random.bernoulli(key, noise, shape), pattern.shape)
    return jnp.where(flips, -pattern, pattern)
