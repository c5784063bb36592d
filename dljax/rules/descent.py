"""The end of a step whose gradient is written by hand."""

import optax

from dljax import axes
from dljax.learner import State
from dljax.learner.gradient_norm import global_norm
from dljax.tasks.supervised import MODEL
from dljax.types import Array, Metrics, PyTree


def descended(
    state: State, tx: optax.GradientTransformation, grads: PyTree, loss: Array
) -> tuple[State, Metrics]:
    """The state after an optimizer's step, and the metrics "model/loss" and "model/grad_norm".

    Args:
        grads: of the player "model", means over the rows at hand.
        loss: a mean over them, too.
    """
    params = state.params[MODEL]
    grads, loss = axes.mean((grads, loss))
    updates, opt = tx.update(grads, state.opt[MODEL], params)
    state = state._replace(
        step=state.step + 1,
        params={MODEL: optax.apply_updates(params, updates)},
        opt={MODEL: opt},
    )
    return state, {f"{MODEL}/loss": loss, f"{MODEL}/grad_norm": global_norm(grads)}
