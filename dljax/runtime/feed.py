"""The feed: batches on their way to the devices; each process makes its rows of them."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from dljax.data.pipeline import Pipeline
from dljax.errors import UserError
from dljax.runtime.mesh import is_host
from dljax.types import Batch, PyTree


def _filled(arrays: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
    """Arrays of one shape; batches of other widths are filled up with zeros behind to the widest."""
    if len({x.shape for x in arrays}) == 1:
        return arrays
    most = np.max([x.shape for x in arrays], axis=0)
    return [np.pad(x, [(0, n) for n in most - x.shape]) for x in arrays]


class Feed:
    """The batches of a pipeline, placed on a mesh: divided over it, or whole on every device.

    Attributes:
        spec: shapes and dtypes of a global batch.
        rows: of a global batch; None for one whole example.
        single, stacked: shardings of a batch, and of several along a new leading axis.
        on_host: host and device are one and share their cores.
    """

    def __init__(self, data: Pipeline, mesh: Mesh):
        """Lay the pipeline's batches out over the mesh.

        Raises:
            UserError: the batch does not divide by the mesh.
        """
        self.data, self.mesh = data, mesh
        if not data.whole and data.size % mesh.size:
            raise UserError(
                f"batch {data.size} does not divide by the mesh of {mesh.size} devices (data "
                f"{mesh.shape['data']} x fsdp {mesh.shape['fsdp']}): use a multiple of {mesh.size}"
            )
        self.rows = None if data.whole else data.size
        host = data.batch(0, slice(None) if data.whole else slice(0, 1))
        self.spec = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct((self.rows or x.shape[0], *x.shape[1:]), x.dtype), host
        )
        over = None if data.whole else ("data", "fsdp")
        self.single = NamedSharding(mesh, PartitionSpec(over))
        self.stacked = NamedSharding(mesh, PartitionSpec(None, over))
        # Where host and device are one, host arrays go to the compiled step as they are: placing them
        # first takes 20 times as long, 1 ms of a LeNet's 11 ms step on two cores.
        self.on_host = is_host(mesh)
        spans = [
            index[0].indices(data.size)[:2]
            for index in self.single.addressable_devices_indices_map((data.size,)).values()
            if index is not None
        ]
        mine = slice(min(s[0] for s in spans), max(s[1] for s in spans))
        self._mine = slice(None) if data.whole else mine
        self._always = jax.device_put(self.example(), self.single) if data.constant else None

    def host(self, first: int, k: int = 1) -> Any:
        """This process's rows of batch ``first``, or of ``k`` batches from there on, stacked."""
        if k == 1:
            return self.data.batch(first, self._mine)
        batches = [self.data.batch(first + i, self._mine) for i in range(k)]
        return jax.tree.map(lambda *x: np.stack(_filled(x)), *batches)

    def place(self, first: int, k: int) -> PyTree:
        """``k`` batches from ``first`` on, ready for the compiled step."""
        if k == 1 and self._always is not None:
            return self._always
        return self._put(self.host(first, k), stacked=k > 1)

    def placed(self) -> PyTree:
        """Shapes, dtypes and shardings of a batch as ``place`` gives it, none of which is read."""
        if self._always is not None:
            return self._always
        if self.on_host and jax.process_count() == 1:
            return self.spec
        return jax.tree.map(
            lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=self.single), self.spec
        )

    def example(self) -> PyTree:
        """Batch 0, placed."""
        return self._put(self.host(0), stacked=False)

    def _put(self, tree: PyTree, *, stacked: bool) -> PyTree:
        sharding, axis = (self.stacked, 1) if stacked else (self.single, 0)
        if jax.process_count() == 1:
            return tree if self.on_host else jax.device_put(tree, sharding)

        def from_rows(x):
            shape = list(x.shape)
            if self.rows is not None:
                shape[axis] = self.rows
            return jax.make_array_from_process_local_data(sharding, x, tuple(shape))

        return jax.tree.map(from_rows, tree)

    def place_eval(self, batch: Batch, whole: bool) -> PyTree:
        """An evaluation's host batch, padded to a multiple of the mesh, on the devices.

        Args:
            whole: the batch is one whole example, for every device.
        """
        if whole:
            return jax.device_put(batch, NamedSharding(self.mesh, PartitionSpec()))
        short = -len(batch["mask"]) % self.mesh.size
        if short:
            batch = {
                k: np.concatenate([v, np.zeros_like(v[:1]).repeat(short, 0)])
                for k, v in batch.items()
            }
        over = NamedSharding(self.mesh, PartitionSpec(("data", "fsdp")))
        if jax.process_count() == 1:
            return jax.device_put(batch, over)
        return jax.tree.map(
            lambda x: jax.make_array_from_callback(x.shape, over, lambda i: x[i]), batch
        )
