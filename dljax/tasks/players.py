"""Tasks beside each other: players under other names, and models that others rest on."""

from collections.abc import Mapping
from typing import Any

import jax

from dljax.types import Aux, Batch, Key, Params, Task, Variables


def called(task: Task, **names: str) -> Task:
    """The same task, its players under other names: ``called(variational(net), model="vae")``.

    Players of other tasks in the same state are left alone, and seen by no loss of this one.

    Args:
        names: a player of the task -> its name in the state.
    """
    known = {name: names.get(name, name) for name in task.losses}

    def inner(tree: Mapping[str, Any]) -> dict[str, Any]:
        return {old: tree[new] for old, new in known.items() if new in tree}

    def outer(tree: Mapping[str, Any]) -> dict[str, Any]:
        return {known[old]: x for old, x in tree.items()}

    def init(key: Key, batch: Batch):
        params, extra = task.init(key, batch)
        return outer(params), outer(extra)

    def renamed(loss):
        def of(params: Params, extra, batch: Batch, key: Key):
            value, aux = loss(inner(params), inner(extra), batch, key)
            return value, Aux(aux.metrics, {**extra, **outer(aux.extra)})

        return of

    def within(function):
        def of(variables: Variables, *rest):
            return function(Variables(*map(inner, variables)), *rest)

        return function and of

    return Task(
        init,
        {known[name]: renamed(loss) for name, loss in task.losses.items()},
        lambda params, extra, *rest: task.evaluate(inner(params), inner(extra), *rest),
        within(task.predict),
        within(task.sample),
        within(task.check),
    )


def resting_on(task: Task, base: Task, see: Any, show: Any = None) -> Task:
    """The task on batches that a fixed model makes of the data, as latent diffusion is.

    The base's players are in the state, so that they are saved and go on from the phase that trained
    them, and none of them moves: no gradient reaches them.

    Args:
        task: of the players that move.
        base: initializes the fixed players; its losses are not used.
        see: (variables, batch) -> the batch that ``task`` is given.
        show: (variables, samples of the task) -> samples; by default they stay as they are.
    """

    def seen(params, extra, batch):
        return see(jax.lax.stop_gradient(Variables(params, extra)), batch)

    def init(key: Key, batch: Batch):
        below, above = jax.random.split(key)
        fixed, state = base.init(below, batch)
        params, extra = task.init(above, seen(fixed, state, batch))
        return {**fixed, **params}, {**state, **extra}

    def on(loss):
        def of(params, extra, batch, key):
            return loss(params, extra, seen(params, extra, batch), key)

        return of

    def sample(variables, key, n):
        made = task.sample(variables, key, n)  # type: ignore[misc]
        return show(variables, made) if show else made

    return Task(
        init,
        {name: on(loss) for name, loss in task.losses.items()},
        on(task.evaluate),
        sample=sample if task.sample else None,
    )
