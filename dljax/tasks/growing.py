"""Networks that grow from phase to phase. Karras et al. 2018, Progressive Growing of GANs, arXiv:1710.10196,
section 2 and Fig. 2.
"""

from collections.abc import Mapping

import jax.numpy as jnp

from dljax.errors import UserError
from dljax.learner import Learner, State
from dljax.nn import doubled, faded, halved
from dljax.types import Array, Batch, PyTree

_FADE = (
    "fade"  # the collection of the models' ``part``, and name of what ``fading`` adds to a state
)


def fading(learner: Learner, steps: int) -> Learner:
    """The learner whose newest layers come in over the first ``steps`` of a phase.

        part = (step - first step of the phase) / steps, and 1 from there on

    is a function of the state's step alone. Before each update it is put where the models read it,
    ``fade/part`` of every player that has one, so that whoever uses the state later uses the same
    networks; and the images of the batch are brought from twice their ``halved`` to themselves.
    To be started by ``grown``.

    Args:
        steps: 0 where nothing comes in.
    """

    def init(key, batch: Batch) -> State:
        state = learner.init(key, batch)
        return state._replace(extra={**state.extra, _FADE: {"since": jnp.copy(state.step)}})

    def update(state: State, batch: Batch):
        part: Array = jnp.ones(())
        if steps:
            passed = (state.step - state.extra[_FADE]["since"]).astype(jnp.float32)
            part = jnp.clip(passed / steps, 0.0, 1.0)
            image = batch["image"]
            batch = {**batch, "image": faded(doubled(halved(image)), image, part)}
        return learner.update(state._replace(extra=_with(state.extra, part)), batch)

    def rewrap(wrap) -> Learner:
        assert learner.rewrap is not None
        return fading(learner.rewrap(wrap), steps)

    return learner._replace(init=init, update=update, rewrap=learner.rewrap and rewrap)


def _with(extra: Mapping[str, PyTree], part: Array) -> dict[str, PyTree]:
    def one(tree: PyTree) -> PyTree:
        return {**tree, _FADE: {**tree[_FADE], "part": part}} if _FADE in tree else tree

    return {name: one(tree) for name, tree in extra.items()}


def grown(before: State | None, fresh: State) -> State:
    """Start a phase of ``fading``: layers that were trained before go on, new ones begin, in the moving
    average as well.

    The step goes on, and the optimizers begin anew, as in the authors' code.

    Raises:
        UserError: a layer has another shape than before.
    """
    if before is None:
        return fresh

    def merged(old: PyTree, new: PyTree, path: str) -> PyTree:
        if isinstance(new, Mapping):
            return {
                name: merged(old[name], tree, f"{path}/{name}") if name in old else tree
                for name, tree in new.items()
            }
        if old.shape != new.shape:
            raise UserError(
                f"{path} was {old.shape} in the last phase and is {new.shape} in this one: expected the "
                "same network at another size"
            )
        return jnp.copy(old)  # two leaves of a state must not be one buffer

    params = merged(before.params, fresh.params, "params")
    ema = None
    if fresh.ema is not None:
        ema = merged(before.ema or before.params, fresh.ema, "ema")
    extra = {**fresh.extra, _FADE: {"since": jnp.copy(before.step)}}
    return fresh._replace(step=before.step, params=params, extra=extra, ema=ema)
