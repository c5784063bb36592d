"""State, Player, Learner: the whole of training as three pure functions.

    update:  for each player in order:  g = d loss_player / d params_player;  params += tx(g)

One player is supervised learning, two are a GAN. Keys are found by address, ``named(fold_in(key,
step), name)``, and the root key never changes, so a step depends on (state, batch) alone.
"""

import zlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from dljax import axes
from dljax.learner.norm import global_norm
from dljax.types import (
    Aux,
    Batch,
    Evaluate,
    Extra,
    InitVariables,
    Key,
    Loss,
    Metrics,
    Params,
    PyTree,
    Scalar,
)


class State(NamedTuple):
    """Everything that training changes, as one pytree.

    Attributes:
        step: int32 scalar, updates done.
        key: the root key; constant.
        params: player -> parameters.
        extra: player -> every other collection (moving statistics, ...).
        opt: player -> optimizer state.
        ema: player -> moving average of its parameters, or None.
    """

    step: Scalar
    key: Key
    params: Params
    extra: Extra
    opt: Mapping[str, optax.OptState]
    ema: Params | None


class Player(NamedTuple):
    """A loss, the optimizer of the parameters it is differentiated for, and how often it moves."""

    loss: Loss
    tx: optax.GradientTransformation
    every: int = 1


# (params, extra, batch, key) -> ((loss, aux), gradient for the player's own parameters)
Gradient = Callable[[Params, Extra, Batch, Key], tuple[tuple[Scalar, Aux], PyTree]]
WrapGradient = Callable[[str, Gradient], Gradient]


class Learner(NamedTuple):
    """A tuple of pure functions; the loop knows nothing else of what it trains.

    Attributes:
        init: (key, batch) -> State.
        update: (state, batch) -> (state, scalar metrics).
        evaluate: (state, batch) -> metrics per example, each of shape [b].
        rewrap: rebuilds the learner with each player's gradient function passed through a wrapper;
            None for a learner that has no gradients.
    """

    init: Callable[[Key, Batch], State]
    update: Callable[[State, Batch], tuple[State, Metrics]]
    evaluate: Callable[[State, Batch], Metrics]
    rewrap: Callable[[WrapGradient], "Learner"] | None = None


def named(key: Key, name: str) -> Key:
    """The key at address ``name`` below ``key``."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()))


def players(
    losses: Mapping[str, Loss],
    tx: optax.GradientTransformation | Mapping[str, optax.GradientTransformation],
    every: Mapping[str, int] | None = None,
) -> dict[str, Player]:
    """A player per loss: with one optimizer for all, or one by name."""
    by_name = tx if isinstance(tx, Mapping) else dict.fromkeys(losses, tx)
    return {
        name: Player(losses[name], by_name[name], (every or {}).get(name, 1)) for name in losses
    }


def _gradient(name: str, loss: Loss) -> Gradient:
    def gradient(params: Params, extra: Extra, batch: Batch, key: Key):
        def of_own(own: PyTree):
            return loss({**params, name: own}, extra, batch, key)

        return jax.value_and_grad(of_own, has_aux=True)(params[name])

    return gradient


def make_learner(
    init_variables: InitVariables,
    players: Mapping[str, Player],
    *,
    evaluate: Evaluate,
    ema: float | None = None,
    wrap: WrapGradient = lambda name, gradient: gradient,
) -> Learner:
    """The learner in which every player descends its own loss, in the order of ``players``.

    Args:
        init_variables: (key, batch) -> (params, extra), both keyed by player.
        players: name -> Player. Each loss sees all parameters, those of players that moved earlier
            in the same step already moved, and is differentiated for its own alone.
        evaluate: (params, extra, batch, key) -> metrics per example; given the moving average of the
            parameters where there is one.
        ema: decay of the moving average of the parameters, or None. The decay is warmed up, so that the
            start is forgotten: min(ema, (1 + step) / (10 + step)), as TensorFlow's
            ``ExponentialMovingAverage`` does where it is given ``num_updates``.
        wrap: applied to every player's gradient function (the combinators' seam).

    Metrics carry, per player, ``<name>/loss`` and ``<name>/grad_norm`` beside what the losses report.
    """
    gradients = {name: wrap(name, _gradient(name, player.loss)) for name, player in players.items()}

    def init(key: Key, batch: Batch) -> State:
        params, extra = init_variables(named(key, "init"), batch)
        opt = {name: player.tx.init(params[name]) for name, player in players.items()}
        average = None if ema is None else jax.tree.map(jnp.copy, params)
        return State(jnp.zeros((), jnp.int32), key, params, extra, opt, average)

    def update(state: State, batch: Batch) -> tuple[State, Metrics]:
        params, extra, opt = dict(state.params), state.extra, dict(state.opt)
        metrics: dict[str, Scalar] = {}
        at_step = jax.random.fold_in(state.key, state.step)
        for name, player in players.items():
            (loss, aux), grads = gradients[name](params, extra, batch, named(at_step, name))
            loss, grads, reported = axes.mean((loss, grads, dict(aux.metrics)))
            updates, moved_opt = player.tx.update(grads, opt[name], params[name])
            moved = optax.apply_updates(params[name], updates)
            if player.every > 1:
                now = (state.step + 1) % player.every == 0
                moved, moved_opt = jax.tree.map(
                    lambda new, old, now=now: jnp.where(now, new, old),
                    (moved, moved_opt),
                    (params[name], opt[name]),
                )
            params[name], opt[name], extra = moved, moved_opt, aux.extra
            metrics |= {
                f"{name}/loss": loss,
                f"{name}/grad_norm": global_norm(grads),
                **reported,
            }
        average = state.ema
        if ema is not None:
            decay = jnp.minimum(ema, (1.0 + state.step) / (10.0 + state.step))
            average = optax.incremental_update(params, average, 1.0 - decay)
        return State(state.step + 1, state.key, params, extra, opt, average), metrics

    def evaluate_state(state: State, batch: Batch) -> Metrics:
        params = state.params if state.ema is None else state.ema
        return evaluate(params, state.extra, batch, named(state.key, "evaluate"))

    def rewrap(outer: WrapGradient) -> Learner:
        return make_learner(
            init_variables,
            players,
            evaluate=evaluate,
            ema=ema,
            wrap=lambda name, gradient: outer(name, wrap(name, gradient)),
        )

    return Learner(init, update, evaluate_state, rewrap)
