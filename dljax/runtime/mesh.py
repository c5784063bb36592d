"""The mesh of devices, and the layout of a state over it."""

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from dljax.axes import of_rows
from dljax.errors import UserError
from dljax.runtime.profile import Profile
from dljax.types import PyTree

# A parameter of fewer elements is not divided: gathering would cost more than it saves.
_FSDP_MIN_SIZE = 1024


def make_mesh(profile: Profile, devices: list | None = None) -> Mesh:
    """The profile's mesh, with axes "data" and "fsdp", over the devices there are.

    Args:
        devices: by default those that jax finds.

    Raises:
        UserError: the profile's kind of device is absent, or the mesh does not fit the number.
    """
    if devices is None:
        try:
            devices = jax.devices()
        except (RuntimeError, AssertionError) as error:  # jax asserts where it has no CUDA
            first = (str(error) or "there is none").splitlines()[0]
            raise UserError(
                f"profile {profile.name!r} wants {profile.device}, which jax cannot use here "
                f"({first}); try --on cpu, or see `dljax doctor`"
            ) from None
        if profile.device not in ("auto", devices[0].platform):
            raise UserError(
                f"profile {profile.name!r} wants {profile.device}, jax found "
                f"{devices[0].platform}: try --on {devices[0].platform}, or see `dljax doctor`"
            )
    data, fsdp = profile.mesh.data, profile.mesh.fsdp
    data = len(devices) // fsdp if data == -1 else data
    fsdp = len(devices) // data if fsdp == -1 else fsdp
    need = data * fsdp
    if not 1 <= need <= len(devices) or (jax.process_count() > 1 and need != len(devices)):
        raise UserError(
            f"profile {profile.name!r}: a mesh of data {data} x fsdp {fsdp} needs {need} devices, "
            f"there are {len(devices)}"
        )
    return jax.make_mesh(
        (data, fsdp), ("data", "fsdp"), axis_types=(AxisType.Auto,) * 2, devices=devices[:need]
    )


def fsdp_spec(shape: tuple[int, ...], size: int) -> PartitionSpec:
    """The spec that divides an array's largest divisible axis over fsdp; small arrays stay whole."""
    if size > 1 and np.prod(shape, dtype=int) >= _FSDP_MIN_SIZE:
        for axis in sorted(range(len(shape)), key=lambda i: -shape[i]):
            if shape[axis] % size == 0:
                return PartitionSpec(*(None,) * axis, "fsdp")
    return PartitionSpec()


def laid_out(abstract: PyTree, mesh: Mesh) -> PyTree:
    """Shapes and dtypes of a state with the shardings that they have on the mesh."""
    models = (None,) * getattr(
        getattr(abstract, "step", None), "ndim", 0
    )  # an axis of several seeds

    def one(path, x):
        spec = fsdp_spec(x.shape, mesh.shape["fsdp"])
        if of_rows(path):
            spec = PartitionSpec(*models, ("data", "fsdp"))
        return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=NamedSharding(mesh, spec))

    return jax.tree_util.tree_map_with_path(one, abstract)


def is_host(mesh: Mesh) -> bool:
    """True where host and device are one and share their cores."""
    return mesh.size == 1 and mesh.devices.flat[0].platform == "cpu"
