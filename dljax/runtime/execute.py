"""Compilation: the learner's pure step as one program over a mesh of devices.

``jit`` with NamedShardings is the spine: the batch is divided over the mesh, parameters and
optimizer state over its ``fsdp`` axis. ``pmap`` runs the same pure step per device, with the mean
over devices taken where ``dljax.axes`` says. Both give the numbers of one device.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from dljax import axes
from dljax.data.pipeline import Pipeline
from dljax.errors import UserError
from dljax.learner import Learner, State, accumulate, mixed_precision
from dljax.runtime.profile import Profile
from dljax.types import Key, PyTree

# Below this many elements a parameter is not worth dividing: gathering costs more than it saves.
_FSDP_MIN_SIZE = 1024


class Executor(NamedTuple):
    """A learner compiled for a mesh.

    Attributes:
        init: key -> placed state.
        abstract: the whole state's shapes, dtypes and shardings (what a checkpoint restores onto).
        enter, whole: from a restored state to the executor's form, and back.
        place: (first step, how many) -> the batch or stacked batches, ready for ``step``.
        step: (state, placed, how many) -> (state, packed metrics [k, m, ...]).
        names: the m metric names.
        evaluate: (whole state, placed eval batch, its number) -> ({name: sum over examples}, how many
            examples). What is drawn differs from batch to batch.
        place_eval: a host batch, padded to the mesh, on the devices.
        compilations: () -> how many times the step has been traced and compiled.
        on_host: host and device are one and share their cores.
    """

    init: Callable[[Key], PyTree]
    abstract: State
    enter: Callable[[State], PyTree]
    whole: Callable[[PyTree], State]
    place: Callable[[int, int], PyTree]
    step: Callable[[PyTree, PyTree, int], tuple[PyTree, jax.Array]]
    names: tuple[str, ...]
    evaluate: Callable[[State, PyTree, int], tuple[dict[str, jax.Array], jax.Array]]
    place_eval: Callable[[dict[str, np.ndarray], bool], PyTree]
    compilations: Callable[[], int]
    on_host: bool


def make_mesh(profile: Profile, devices: list | None = None) -> Mesh:
    """The profile's mesh over the devices there are.

    Raises:
        UserError: the profile's kind of device is absent, or the mesh does not fit its number.
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


def with_profile(learner: Learner, profile: Profile, batch: int | None, devices: int) -> Learner:
    """The learner at the profile's precision, its batch in microbatches that fit.

    Args:
        batch: examples in it, or None for one that is a whole.
    """
    if profile.precision != "float32":
        learner = mixed_precision(learner, jnp.dtype(profile.precision))
    if batch and profile.microbatch and batch > profile.microbatch * devices:
        fitting = [
            k
            for k in range(1, batch + 1)
            if batch % (k * devices) == 0 and batch <= k * devices * profile.microbatch
        ]
        learner = accumulate(learner, fitting[0])
    return learner


def fsdp_spec(shape: tuple[int, ...], size: int) -> PartitionSpec:
    """Divide the largest axis that divides by the mesh's fsdp axis; small arrays stay whole."""
    if size > 1 and np.prod(shape, dtype=int) >= _FSDP_MIN_SIZE:
        for axis in sorted(range(len(shape)), key=lambda i: -shape[i]):
            if shape[axis] % size == 0:
                return PartitionSpec(*(None,) * axis, "fsdp")
    return PartitionSpec()


def make_executor(profile: Profile, learner: Learner, data: Pipeline) -> Executor:
    """Compile ``learner`` for the profile's mesh and the pipeline's batches.

    Raises:
        UserError: the batch does not divide by the mesh, or the profile asks for what the learner
            cannot do without a change of meaning.
    """
    mesh = make_mesh(profile)
    n = mesh.size
    if data.divisible and data.size % n:
        raise UserError(
            f"batch {data.size} does not divide by the mesh of {n} devices (data "
            f"{mesh.shape['data']} x fsdp {mesh.shape['fsdp']}): use a multiple of {n}"
        )
    host = data.batch(0, slice(0, 1) if data.divisible else slice(None))
    rows = data.size if data.divisible else None
    if rows is None and (profile.microbatch or (profile.executor == "pmap" and n > 1)):
        what = f"microbatch = {profile.microbatch}" if profile.microbatch else "executor = 'pmap'"
        raise UserError(
            f"profile {profile.name!r}: {what} divides batches, and this experiment's is one whole "
            "(a graph): take it out"
        )
    learner = with_profile(learner, profile, rows, n)
    spec = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct((rows or x.shape[0], *x.shape[1:]), x.dtype), host
    )
    abstract = jax.eval_shape(learner.init, jax.random.key(0), spec)
    if profile.microbatch and data.divisible and jax.tree.leaves(abstract.extra):
        raise UserError(
            f"profile {profile.name!r}: microbatch = {profile.microbatch} would change this "
            "learner's batch statistics; take it out, or use accumulate() in the experiment"
        )
    shardings = jax.tree.map(
        lambda x: NamedSharding(mesh, fsdp_spec(x.shape, mesh.shape["fsdp"])), abstract
    )
    abstract = jax.tree.map(
        lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s), abstract, shardings
    )
    replicated = NamedSharding(mesh, PartitionSpec())
    over = ("data", "fsdp") if data.divisible else None

    names = tuple(sorted(jax.eval_shape(learner.update, abstract, spec)[1]))

    programs: list[str] = []  # one entry a tracing: Python runs then only

    def packed(state, batch):
        programs.append("step")
        state, metrics = learner.update(state, batch)
        return state, jnp.stack([metrics[name].astype(jnp.float32) for name in names])

    def one(state, batch):
        state, values = packed(state, batch)
        return state, values[None]

    def scanned(state, batches):
        return jax.lax.scan(packed, state, batches)

    def sharded(spec: PartitionSpec) -> NamedSharding:
        return NamedSharding(mesh, spec)

    single, stacked = sharded(PartitionSpec(over)), sharded(PartitionSpec(None, over))
    spans = [
        index[0].indices(data.size)[:2]
        for index in single.addressable_devices_indices_map((data.size,)).values()
        if index is not None
    ]
    mine = slice(min(s[0] for s in spans), max(s[1] for s in spans))

    def local(first: int, k: int) -> Any:
        if not data.divisible:
            mine_or_all = slice(None)
        else:
            mine_or_all = mine
        if k == 1:
            return data.batch(first, mine_or_all)
        batches = [data.batch(first + i, mine_or_all) for i in range(k)]
        return jax.tree.map(lambda *x: np.stack(x), *batches)

    # Where host and device are one, the compiled step takes host arrays in 1/20 of the time that
    # placing them ahead takes: 1 ms of a LeNet's 11 ms step, on two cores.
    on_host = n == 1 and mesh.devices.flat[0].platform == "cpu"

    def put(tree: PyTree, sharding: NamedSharding, axis: int, total: int | None) -> PyTree:
        if jax.process_count() == 1:
            return tree if on_host else jax.device_put(tree, sharding)

        def from_rows(x):
            shape = list(x.shape)
            if total is not None:
                shape[axis] = total
            return jax.make_array_from_process_local_data(sharding, x, tuple(shape))

        return jax.tree.map(from_rows, tree)

    def make_eval():
        def at(key, number):
            if key.ndim:  # one for each of several models
                return jax.vmap(at, (0, None))(key, number)
            return jax.random.fold_in(key, number)

        def summed(state, batch, number):
            values = learner.evaluate(state._replace(key=at(state.key, number)), batch)
            mask = batch["mask"]
            sums = {
                name: jnp.sum(jnp.where(jnp.broadcast_to(mask, v.shape) > 0, v, 0.0), -1)
                for name, v in values.items()
            }
            return sums, jnp.sum(mask)

        return jax.jit(summed, out_shardings=replicated)

    def place_eval(batch: dict[str, np.ndarray], divisible: bool) -> PyTree:
        if not divisible:
            return jax.device_put(batch, replicated)
        short = -len(batch["mask"]) % n
        if short:
            batch = {
                k: np.concatenate([v, np.zeros_like(v[:1]).repeat(short, 0)])
                for k, v in batch.items()
            }
        over_rows = sharded(PartitionSpec(("data", "fsdp")))
        if jax.process_count() == 1:
            return jax.device_put(batch, over_rows)
        return jax.tree.map(
            lambda x: jax.make_array_from_callback(x.shape, over_rows, lambda i: x[i]), batch
        )

    # Drawing parameters once is not worth LLVM's time: a sixth of the compilation on CPU.
    cheap = {"xla_backend_optimization_level": 0} if mesh.devices.flat[0].platform == "cpu" else {}
    init = jax.jit(learner.init, out_shardings=shardings, compiler_options=cheap)

    def example() -> PyTree:
        return put(local(0, 1), single, 0, rows)

    if profile.executor == "pmap" and n > 1:
        if jax.process_count() > 1 or mesh.shape["fsdp"] > 1 or profile.steps_per_call > 1:
            raise UserError(
                f"profile {profile.name!r}: executor = 'pmap' is for one process, fsdp = 1 and "
                "steps_per_call = 1; use executor = 'jit'"
            )
        line = Mesh(mesh.devices.reshape(-1), (axes.DEVICES,))
        across = NamedSharding(line, PartitionSpec(axes.DEVICES))
        mapped = jax.pmap(
            one, axis_name=axes.DEVICES, devices=list(line.devices), donate_argnums=(0,)
        )

        def enter(state: State) -> PyTree:
            def copies(x):
                spread = jnp.broadcast_to(x[None], (n, *x.shape))
                return jax.device_put(spread, across)

            return jax.tree.map(copies, state)

        def whole(state: PyTree) -> State:
            first = jax.tree.map(lambda x: x[0], state)
            return jax.device_put(first, shardings)

        def place(first: int, k: int) -> PyTree:
            batch = jax.tree.map(lambda x: x.reshape(n, -1, *x.shape[1:]), local(first, 1))
            return jax.device_put(batch, across)

        def step(state, batch, k):
            state, values = mapped(state, batch)
            return state, values[0]

        return Executor(
            lambda key: enter(init(key, example())),
            abstract,
            enter,
            whole,
            place,
            step,
            names,
            make_eval(),
            place_eval,
            lambda: len(programs),
            on_host,
        )

    def compiled(function, batch_sharding):
        return jax.jit(
            function,
            in_shardings=(shardings, batch_sharding),
            out_shardings=(shardings, replicated),
            donate_argnums=(0,),
        )

    once, many = compiled(one, single), compiled(scanned, stacked)
    always = jax.device_put(example(), single) if data.constant else None

    def batches(first: int, k: int) -> PyTree:
        if k == 1 and always is not None:
            return always
        return put(local(first, k), single if k == 1 else stacked, 0 if k == 1 else 1, rows)

    return Executor(
        init=lambda key: init(key, example()),
        abstract=abstract,
        enter=lambda state: state,
        whole=lambda state: state,
        place=batches,
        step=lambda state, batch, k: (once if k == 1 else many)(state, batch),
        names=names,
        evaluate=make_eval(),
        place_eval=place_eval,
        compilations=lambda: len(programs),
        on_host=on_host,
    )
