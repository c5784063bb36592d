"""Learning in a Boltzmann machine, as a Learner of functions written by hand. Ackley, Hinton & Sejnowski 1985,
doi:10.1207/s15516709cog0901_7, section 3.

    dW_ij ~ <s_i s_j>_clamped - <s_i s_j>_free
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from dljax import axes
from dljax.learner import Learner, State, named
from dljax.rules.descent import descended
from dljax.tasks.linen import initialize
from dljax.tasks.supervised import MODEL, means
from dljax.types import Array, Batch, Key, PyTree

# (parameters, visible states [b, v], key) -> means with these clamped, and free, of s s^T and s
Statistics = Callable[[PyTree, Array, Key], tuple[PyTree, PyTree]]
# The encoder's: the temperature of each sweep, in units of the last, and of the sweeps that are counted then.
SCHEDULE = (2.0, 2.0, 1.5, 1.5, 1.2, 1.2, 1.0, 1.0, 1.0, 1.0)


def boltzmann_learning(
    model: nn.Module,
    tx: optax.GradientTransformation,
    *,
    sampled: bool = False,
    lost: float = 0.0,
    gained: float = 0.0,
    sigma: float = 0.1,
) -> Learner:
    """Learner of a small Boltzmann machine, by expectations over all of its states or by annealed sampling.

    Args:
        model: has parameters ``weight`` [d, d] and ``bias`` [d] and methods ``energy``, ``pairs``,
            ``connected``, ``every`` and ``completed``; called, it gives the free energy of a visible state.
        tx: the optimizer, given free less clamped means as a gradient.
        sampled: take the means from one chain for each row of the batch, annealed by ``SCHEDULE``.
        lost, gained: the chance of a clamped 1 to be 0 and of a 0 to be 1: noisy clamping, which keeps weights
            finite where the data leave states out.
        sigma: deviation of the weights at the start, which break the hidden units' symmetry.

    Batch: ``image`` [b, v] of 0 and 1. Metrics and evaluation: ``loss``, minus the log-likelihood in nats a
    state, exact; without noise.
    """
    mask, every = (jnp.asarray(array()) for array in (model.connected, model.every))  # type: ignore[attr-defined]
    means_of = by_sampling(model) if sampled else by_enumeration(model)

    def loss(params: PyTree, image: Array) -> Array:
        log_z = jax.nn.logsumexp(-_apply(model, params, every, "energy"))
        return _apply(model, params, image) + log_z

    def init(key: Key, batch: Batch) -> State:
        below = named(key, "init")
        params, extra = initialize(below, {MODEL: (model, (batch["image"],))})
        weight = params[MODEL]["weight"]
        drawn = sigma * jax.random.normal(named(below, "weight"), weight.shape)
        params = {MODEL: {**params[MODEL], "weight": (drawn + drawn.T) / 2**0.5 * mask}}
        opt = {MODEL: tx.init(params[MODEL])}
        return State(jnp.zeros((), jnp.int32), key, params, extra, opt, None)

    def update(state: State, batch: Batch):
        params = state.params[MODEL]
        at_step = jax.random.fold_in(state.key, state.step)
        chance = axes.rows(
            lambda shape: jax.random.uniform(named(at_step, "clamp"), shape), batch["image"].shape
        )
        clamped = jnp.where(batch["image"] > 0, chance >= lost, chance < gained).astype(jnp.float32)
        fixed, free = means_of(params, clamped, named(at_step, "chains"))
        grads = jax.tree.map(jnp.subtract, free, fixed)
        grads = {**grads, "weight": grads["weight"] * mask}
        return descended(state, tx, grads, jnp.mean(loss(params, batch["image"])))

    def evaluate(state: State, batch: Batch):
        return means({"loss": loss(state.params[MODEL], batch["image"])}, batch)

    return Learner(init, update, evaluate)


def _apply(model: nn.Module, params: PyTree, x: Array | None, method: str = "") -> Array:
    given: tuple = () if x is None else (x,)
    how = {"method": method} if method else {"train": False}
    return model.apply({"params": params}, *given, **how)  # type: ignore[arg-type, return-value]


def by_enumeration(model: nn.Module) -> Statistics:
    """Expectations over all states: of the hidden units, and of all."""
    every = jnp.asarray(model.every())  # type: ignore[attr-defined]

    def expected(s: Array, chance: Array) -> PyTree:
        return {"weight": s.T @ (chance[:, None] * s), "bias": chance @ s}

    def of(params: PyTree, image: Array, key: Key) -> tuple[PyTree, PyTree]:
        del key
        found = _apply(model, params, image, "completed")
        flat = jnp.reshape(found, (-1, found.shape[-1]))
        energy = jnp.reshape(_apply(model, params, flat, "energy"), found.shape[:2])
        chance = jax.nn.softmax(-energy, -1) / len(image)
        free = jax.nn.softmax(-_apply(model, params, every, "energy"))
        return expected(flat, chance.ravel()), expected(every, free)

    return of


def by_sampling(model: nn.Module) -> Statistics:
    """Means of two chains for each row, annealed by ``SCHEDULE``, over as many sweeps at its last temperature."""
    counted = len(SCHEDULE)
    ladder = jnp.asarray(SCHEDULE + SCHEDULE[-1:] * counted)
    weigh = jnp.asarray((0.0,) * counted + (1 / counted,) * counted)

    def of(params: PyTree, image: Array, key: Key) -> tuple[PyTree, PyTree]:
        weight, bias = _apply(model, params, None, "pairs"), params["bias"]
        rows, d, visible = len(image), len(bias), image.shape[1]

        def uniform(name: str, number: Array | int) -> Array:
            below = jax.random.fold_in(named(key, name), number)
            return axes.rows(lambda shape: jax.random.uniform(below, shape), (rows, d))

        def chain(name: str, first: int) -> PyTree:
            """Chains whose units from ``first`` on are free."""
            start = (uniform(name, 0) < 0.5).astype(jnp.float32)
            start = start.at[:, :first].set(image[:, :first])

            def sweep(at, given):
                s, total = at
                number, temperature, share = given
                draws = uniform(name, number + 1)

                def ask(i, s):
                    field = s @ weight[:, i] + bias[i]
                    on = draws[:, i] < jax.nn.sigmoid(field / temperature)
                    return s.at[:, i].set(on.astype(s.dtype))

                s = jax.lax.fori_loop(first, d, ask, s)
                found = {"weight": s.T @ s / rows, "bias": jnp.mean(s, 0)}
                return (s, jax.tree.map(lambda a, x: a + share * x, total, found)), None

            zeros = {"weight": jnp.zeros((d, d)), "bias": jnp.zeros(d)}
            steps = jnp.arange(2 * counted), ladder, weigh
            return jax.lax.scan(sweep, (start, zeros), steps)[0][1]

        return chain("clamped", visible), chain("free", 0)

    return of
