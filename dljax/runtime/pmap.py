"""The same pure step per device, by ``jax.pmap``: means over devices are taken in the step."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from dljax import axes
from dljax.data.pipeline import Pipeline
from dljax.errors import UserError
from dljax.learner import Learner, State
from dljax.runtime.execute import Jit
from dljax.runtime.profile import Profile
from dljax.types import PyTree


class Pmap(Jit):
    """A learner compiled per device; every device holds a copy of the state."""

    def __init__(self, profile: Profile, learner: Learner, data: Pipeline, mesh: Mesh):
        """Compile the step for each device of the mesh.

        Raises:
            UserError: the profile asks for several processes, fsdp, or several steps a call.
        """
        if jax.process_count() > 1 or mesh.shape["fsdp"] > 1 or profile.steps_per_call > 1:
            raise UserError(
                f"profile {profile.name!r}: executor = 'pmap' is for one process, fsdp = 1 and "
                "steps_per_call = 1; use executor = 'jit'"
            )
        super().__init__(profile, learner, data, mesh)
        line = Mesh(mesh.devices.reshape(-1), (axes.DEVICES,))
        self._across = NamedSharding(line, PartitionSpec(axes.DEVICES))
        self._mapped = jax.pmap(
            self._one, axis_name=axes.DEVICES, devices=list(line.devices), donate_argnums=(0,)
        )

    def enter(self, state: State) -> PyTree:
        models = state.step.ndim  # axes of several seeds, before the rows

        def copies(path, x):
            if axes.of_rows(path):
                rows = (self.mesh.size, x.shape[models] // self.mesh.size)
                spread = x.reshape(*x.shape[:models], *rows, *x.shape[models + 1 :])
                spread = jnp.moveaxis(spread, models, 0)
            else:
                spread = jnp.broadcast_to(x[None], (self.mesh.size, *x.shape))
            return jax.device_put(spread, self._across)

        return jax.tree_util.tree_map_with_path(copies, state)

    def whole(self, state: PyTree) -> State:
        models = state.step.ndim - 1

        def joined(path, x):
            if not axes.of_rows(path):
                return x[0]
            x = jnp.moveaxis(x, 0, models)
            return x.reshape(*x.shape[:models], -1, *x.shape[models + 2 :])

        one: Any = jax.tree_util.tree_map_with_path(joined, state)
        return jax.device_put(one, jax.tree.map(lambda x: x.sharding, self.abstract))

    def place(self, first: int, k: int) -> PyTree:
        n = self.mesh.size
        batch = jax.tree.map(
            lambda x: x.reshape(n, len(x) // n, *x.shape[1:]), self.feed.host(first)
        )
        return jax.device_put(batch, self._across)

    def step(self, state: PyTree, batch: PyTree, k: int) -> tuple[PyTree, jax.Array]:
        state, values = self._mapped(state, batch)
        return state, values[0]
