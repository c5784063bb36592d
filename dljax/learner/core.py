"""State, Player, Learner: training as pure functions.

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
from dljax.errors import UserError, nearest
from dljax.learner.gradient_norm import global_norm
from dljax.types import (
    Aux,
    Batch,
    Check,
    Evaluate,
    Extra,
    InitVariables,
    Key,
    Loss,
    Mean,
    Measures,
    Metrics,
    Params,
    Predict,
    PyTree,
    Scalar,
    Task,
    Variables,
    unchecked,
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


# (the state at the end of the phase before, or None, a fresh state) -> the first state of a phase
Start = Callable[[State | None, State], State]


class Player(NamedTuple):
    """A loss and the optimizer of one player's parameters.

    Attributes:
        loss: differentiated for the parameters of the player's own name alone.
        tx: optimizer of these parameters.
        every: n, where the player moves in every n-th step only. Its loss is computed in each step
            all the same, and moves its collections.
    """

    loss: Loss
    tx: optax.GradientTransformation
    every: int = 1


# (params, extra, batch, key) -> ((loss, aux), gradient of the loss's mean for the player's own
# parameters). The loss says how much it counts, so that the shares of a batch add up.
Gradient = Callable[[Params, Extra, Batch, Key], tuple[tuple[Mean, Aux], PyTree]]
WrapGradient = Callable[[str, Gradient], Gradient]


def in_use(state: State) -> Variables:
    """The variables that a state is used with: the moving average where there is one."""
    return Variables(state.params if state.ema is None else state.ema, state.extra)


class Learner(NamedTuple):
    """Pure functions that the loop trains with; it knows nothing else of a model.

    Attributes:
        init: (key, batch) -> State.
        update: (state, batch) -> (state, scalar metrics).
        evaluate: (state, batch) -> name -> ``Mean``; padded rows (``mask`` 0) do not count.
        chosen: state -> the variables that are evaluated, looked at, sampled and exported.
        rewrap: rebuilds the learner with each player's gradient function passed through a wrapper;
            None for a learner that has no gradients.
        check: (abstract variables, host batch): raises UserError where the two do not fit.
        predict: (variables, batch) -> the model's output in use; None where there is none.
    """

    init: Callable[[Key, Batch], State]
    update: Callable[[State, Batch], tuple[State, Metrics]]
    evaluate: Callable[[State, Batch], Measures]
    chosen: Callable[[State], Variables] = in_use
    rewrap: Callable[[WrapGradient], "Learner"] | None = None
    check: Check = unchecked
    predict: Predict | None = None


def named(key: Key, name: str) -> Key:
    """The key at address ``name`` below ``key``."""
    return jax.random.fold_in(key, zlib.crc32(name.encode()))


def learn(
    task: Task,
    tx: optax.GradientTransformation | Mapping[str, optax.GradientTransformation],
    *,
    every: Mapping[str, int] | None = None,
    ema: float | None = None,
) -> Learner:
    """The learner of a task.

    Args:
        task: its players move in the order of its losses.
        tx: one optimizer for all players, or one for each by name.
        every: player -> n, where it moves in every n-th step only; 1 by default.
        ema: decay of the moving average of the parameters (see ``make_learner``).

    Raises:
        UserError: a name in ``tx`` or ``every`` that is no player, or a player without an optimizer.
    """
    by_name = tx if isinstance(tx, Mapping) else dict.fromkeys(task.losses, tx)
    every = every or {}
    for name in (*by_name, *every):
        if name not in task.losses:
            raise UserError(f"no player {name!r} in this task; {nearest(name, task.losses)}")
    for name in task.losses:
        if not isinstance(by_name.get(name), optax.GradientTransformation):
            found = type(by_name.get(name)).__name__
            raise UserError(f"player {name!r}: expected an optax optimizer, found {found}")
    players = {n: Player(loss, by_name[n], every.get(n, 1)) for n, loss in task.losses.items()}
    return make_learner(
        task.init,
        players,
        evaluate=task.evaluate,
        ema=ema,
        check=task.check,
        predict=task.predict,
    )


def _gradient(name: str, loss: Loss) -> Gradient:
    def gradient(params: Params, extra: Extra, batch: Batch, key: Key):
        def of_own(own: PyTree):
            value, aux = loss({**params, name: own}, extra, batch, key)
            share = value if isinstance(value, Mean) else Mean(value, 1.0)
            return share.value, (share, aux)

        (_, out), grads = jax.value_and_grad(of_own, has_aux=True)(params[name])
        return out, grads

    return gradient


def _over_devices(loss: Mean, grads: PyTree) -> tuple[Mean, PyTree]:
    """The whole batch's loss and gradient, from each device's share of them."""
    if not axes.per_device():
        return loss, grads
    whole = axes.total(loss)
    share = loss.count / jnp.maximum(whole.count, 1e-30)
    return whole, axes.total(jax.tree.map(lambda g: g * share, grads))


def measured(metrics: Mapping[str, Scalar | Mean]) -> dict[str, Scalar]:
    """Reported metrics as numbers of the whole batch."""
    return {
        name: axes.total(x).value if isinstance(x, Mean) else axes.mean(x)
        for name, x in metrics.items()
    }


def make_learner(
    init_variables: InitVariables,
    players: Mapping[str, Player],
    *,
    evaluate: Evaluate,
    ema: float | None = None,
    check: Check = unchecked,
    predict: Predict | None = None,
    wrap: WrapGradient = lambda name, gradient: gradient,
) -> Learner:
    """The learner in which every player descends its own loss, in the order of ``players``.

    Its metrics are, per player, ``<name>/loss`` and ``<name>/grad_norm``, and the losses' own.

    Args:
        init_variables: (key, batch) -> (params, extra), both keyed by player.
        players: name -> Player. Each loss sees all parameters, already moved where their player came
            earlier in the step, and is differentiated for its own player's alone.
        evaluate: (params, extra, batch, key) -> name -> ``Mean``; given the moving average of the
            parameters where there is one.
        ema: decay of the moving average of the parameters, or None. The decay is warmed up, so that
            the start is forgotten: min(ema, (1 + step) / (10 + step)), as TensorFlow's
            ``ExponentialMovingAverage`` does where it is given ``num_updates``.
        check: (abstract variables, host batch): raises UserError where the two do not fit.
        predict: (variables, batch) -> the model's output in use.
        wrap: (player, gradient function) -> gradient function; the combinators' way in.
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
            loss, grads = _over_devices(loss, grads)
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
                f"{name}/loss": loss.value,
                f"{name}/grad_norm": global_norm(grads),
                **measured(aux.metrics),
            }
        average = state.ema
        if ema is not None:
            decay = jnp.minimum(ema, (1.0 + state.step) / (10.0 + state.step))
            average = optax.incremental_update(params, average, 1.0 - decay)
        return State(state.step + 1, state.key, params, extra, opt, average), metrics

    def evaluate_state(state: State, batch: Batch) -> Measures:
        return evaluate(*in_use(state), batch, named(state.key, "evaluate"))

    def rewrap(outer: WrapGradient) -> Learner:
        return make_learner(
            init_variables,
            players,
            evaluate=evaluate,
            ema=ema,
            check=check,
            predict=predict,
            wrap=lambda name, gradient: outer(name, wrap(name, gradient)),
        )

    return Learner(init, update, evaluate_state, rewrap=rewrap, check=check, predict=predict)
