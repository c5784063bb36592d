"""Tasks that share a state: under other names, side by side, or on the output of a fixed model."""

from collections.abc import Mapping
from typing import Any

import jax

from dljax.errors import UserError
from dljax.types import Aux, Batch, Key, Loss, Params, Task, Variables


def called(task: Task, **names: str) -> Task:
    """The same task with its players under other names: ``called(variational(net), model="vae")``.

    Its losses neither see nor change the players of other tasks in the same state.

    Args:
        names: player of the task -> its name in the state.
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


def beside(**tasks: Task) -> Task:
    """Networks to be compared, learned on the same batches: ``beside(plain=task, robust=other)``.

    Those of one kind begin with the same variables. Every number of a task is called by its name,
    as "plain_accuracy".

    Args:
        tasks: name -> a task of one player, which is called so in the state.

    Raises:
        UserError: a task of several players.
    """
    for name, task in tasks.items():
        if len(task.losses) != 1:
            raise UserError(
                f"{name} has the players {', '.join(task.losses)}: expected a task of one player"
            )
    named = {name: called(task, **{p: name for p in task.losses}) for name, task in tasks.items()}

    def init(key: Key, batch: Batch):
        pairs = [task.init(key, batch) for task in named.values()]
        params, extra = (
            {k: v for each in part for k, v in each.items()} for part in zip(*pairs, strict=True)
        )
        return params, extra

    def numbered(name: str, loss: Loss) -> Loss:
        def of(params: Params, extra, batch: Batch, key: Key):
            value, aux = loss(params, extra, batch, key)
            return value, Aux({f"{name}_{k}": x for k, x in aux.metrics.items()}, aux.extra)

        return of

    def evaluate(params: Params, extra, batch: Batch, key: Key):
        return {
            f"{name}_{metric}": mean
            for name, task in named.items()
            for metric, mean in task.evaluate(params, extra, batch, key).items()
        }

    def check(variables: Variables, batch: Batch) -> None:
        for task in named.values():
            task.check(variables, batch)

    losses = {name: numbered(name, task.losses[name]) for name, task in named.items()}
    return Task(init, losses, evaluate, check=check)


def beside_untrained(task: Task, name: str) -> Task:
    """A task twice, its players called ``name`` and "supervised", of which the first is meant to go on from an
    earlier phase. ``predict`` is its own.
    """
    (player,) = task.losses
    both = beside(**{name: task, "supervised": task})
    return both._replace(predict=called(task, **{player: name}).predict)


def resting_on(task: Task, base: Task, see: Any, show: Any = None) -> Task:
    """The task on batches that a fixed model makes of the data, as in latent diffusion.

    The fixed players are in the state, so that they are saved and go on from the phase that trained
    them. No gradient reaches them.

    Args:
        task: trains the other players.
        base: initializes the fixed players; its losses are not used.
        see: (variables, batch) -> the batch for ``task``.
        show: (variables, samples of ``task``) -> samples; by default they stay as they are.
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

    def predict(variables, batch):
        return task.predict(variables, see(variables, batch))  # type: ignore[misc]

    def check(variables, batch):
        shapes = jax.eval_shape(see, variables, batch)
        task.check(variables, {**shapes, **{k: x for k, x in batch.items() if k in shapes}})

    def sample(variables, key, n):
        made = task.sample(variables, key, n)  # type: ignore[misc]
        return show(variables, made) if show else made

    return Task(
        init,
        {name: on(loss) for name, loss in task.losses.items()},
        on(task.evaluate),
        predict if task.predict else None,
        sample if task.sample else None,
        check,
    )
