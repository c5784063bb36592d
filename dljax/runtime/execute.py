"""Executors: the learner's pure step as one program over a mesh of devices.

``jit`` with NamedShardings is the spine: the batch is divided over the mesh, parameters and
optimizer state over its ``fsdp`` axis. ``pmap`` (``dljax.runtime.pmap``) runs the same pure step per
device. Either gives the same numbers as a single device.
"""

from collections.abc import Callable, Mapping
from functools import cached_property, wraps
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from dljax import axes
from dljax.blocks import Blocks, compiled_as
from dljax.data.pipeline import Pipeline
from dljax.errors import UserError
from dljax.learner import Learner, State, accumulate, mixed_precision
from dljax.runtime.feed import Feed
from dljax.runtime.mesh import laid_out, make_mesh
from dljax.runtime.profile import Profile
from dljax.types import Batch, Key, Mean, Measures, PyTree

_EVAL_BATCH = 64  # rows of an evaluation at least, where the profile does not say


def with_profile(learner: Learner, profile: Profile, batch: int | None, devices: int) -> Learner:
    """The learner at the profile's precision, its batch divided into microbatches of its size.

    Args:
        batch: rows of the global batch; None for one whole example, which is not divided.
        devices: number of devices over which the rows are divided.
    """
    if profile.precision != "float32" and learner.rewrap:
        learner = mixed_precision(learner, jnp.dtype(profile.precision))
    if batch and profile.microbatch and batch > profile.microbatch * devices:
        fitting = [
            k
            for k in range(1, batch + 1)
            if batch % (k * devices) == 0 and batch <= k * devices * profile.microbatch
        ]
        learner = accumulate(learner, fitting[0])
    return _in_blocks(learner, Blocks(profile.remat, profile.scan_layers))


def _in_blocks(learner: Learner, choice: Blocks) -> Learner:
    """The learner, its step and its evaluation traced with this choice."""

    def chosen(function: Callable) -> Callable:
        @wraps(function)
        def traced(*given: Any) -> Any:
            with compiled_as(choice):
                return function(*given)

        return traced

    if choice == Blocks():
        return learner
    return learner._replace(update=chosen(learner.update), evaluate=chosen(learner.evaluate))


class Jit:
    """A learner compiled for a mesh by ``jax.jit`` with shardings.

    Attributes:
        learner: at the profile's precision, in its microbatches.
        feed: the batches on their way to the mesh.
        abstract: shapes, dtypes and shardings of a ``State`` (a checkpoint is restored onto them).
        eval_rows: rows of an evaluation's batch.

    A state passes through training in the executor's form: here the ``State`` itself, placed on the
    mesh; under ``pmap`` one copy per device. ``enter`` and ``whole`` go between the two.
    """

    def __init__(self, profile: Profile, learner: Learner, data: Pipeline, mesh: Mesh):
        self.mesh, self.feed = mesh, Feed(data, mesh)
        self.learner = learner = with_profile(learner, profile, self.feed.rows, mesh.size)
        abstract = jax.eval_shape(learner.init, jax.random.key(0), self.feed.spec)
        if profile.microbatch and not data.whole and jax.tree.leaves(abstract.extra):
            raise UserError(
                f"profile {profile.name!r}: microbatch = {profile.microbatch} would change this "
                "learner's batch statistics; take it out, or use accumulate() in the experiment"
            )
        self.abstract = laid_out(abstract, mesh)
        self._rows = self.feed.single if mesh.size > 1 and not data.whole else None
        self.eval_rows = profile.eval_batch or max(data.size, _EVAL_BATCH)
        # Than ``_once``: of several steps a call, or per device.
        self._other_program = profile.steps_per_call > 1 or profile.executor == "pmap"
        self._names: tuple[str, ...] = ()  # of the step's metrics, once it was traced
        self._programs: list[str] = []  # gains an entry at each tracing, when alone Python runs
        shardings = jax.tree.map(lambda x: x.sharding, self.abstract)
        replicated = NamedSharding(mesh, PartitionSpec())
        # The program that draws parameters runs once. Without LLVM's optimization it compiles in a
        # sixth of the time on CPU.
        on_cpu = mesh.devices.flat[0].platform == "cpu"
        cheap = {"xla_backend_optimization_level": 0} if on_cpu else {}
        self._init = jax.jit(learner.init, out_shardings=shardings, compiler_options=cheap)
        self._evaluate = jax.jit(self.measured, out_shardings=replicated)

        def compiled(function, batch_sharding):
            return jax.jit(
                function,
                in_shardings=(shardings, batch_sharding),
                out_shardings=(shardings, replicated),
                donate_argnums=(0,),
            )

        self._once = compiled(self._one, self.feed.single)
        self._many = compiled(self._scanned, self.feed.stacked)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the step's metrics, sorted."""
        if self._other_program:
            _, metrics = jax.eval_shape(self.learner.update, self.abstract, self.feed.spec)
            return tuple(sorted(metrics))
        # Traced here, the program is known to the calls that follow.
        self._once.eval_shape(self.abstract, self.feed.placed())
        return self._names

    @property
    def on_host(self) -> bool:
        """True where host and device are one and share their cores."""
        return self.feed.on_host

    def compilations(self) -> int:
        """Count of the step's compilations so far."""
        return len(self._programs)

    def _packed(self, state: State, batch: Batch) -> tuple[State, jax.Array]:
        self._programs.append("step")
        with axes.placed(self._rows):
            state, metrics = self.learner.update(state, batch)
        self._names = tuple(sorted(metrics))
        return state, jnp.stack([jnp.asarray(metrics[n], jnp.float32) for n in self._names])

    def _one(self, state: State, batch: Batch) -> tuple[State, jax.Array]:
        state, values = self._packed(state, batch)
        return state, values[None]

    def _scanned(self, state: State, batches: Batch) -> tuple[State, jax.Array]:
        return jax.lax.scan(self._packed, state, batches)

    def measured(self, state: State, batch: Batch, number: int) -> Measures:
        """Measures of a placed batch, traced; raises UserError where one is no ``Mean`` of scalars."""

        def at(key, number):
            if key.ndim:  # a key for each of several models
                return jax.vmap(at, (0, None))(key, number)
            return jax.random.fold_in(key, number)

        with axes.placed(self._rows):
            found = self.learner.evaluate(state._replace(key=at(state.key, number)), batch)
        if not isinstance(found, Mapping):
            raise UserError(f"evaluate gave {type(found).__name__}: expected a dict, name -> Mean")
        for name, value in found.items():
            # A sum that still has rows would be taken for one model's value each.
            sums = value if isinstance(value, Mean) else ()
            if not sums or any(jnp.shape(x) != state.step.shape for x in sums):
                given = f"a Mean of shape {jnp.shape(value.total)}" if sums else "no Mean"
                raise UserError(
                    f"evaluate gave {given} for {name!r}: expected "
                    "Mean.of(values, batch.get('mask')), so that padded rows do not count"
                )
        return found

    def init(self, key: Key) -> PyTree:
        """A fresh state, in the executor's form."""
        return self.enter(self.fresh(key))

    def fresh(self, key: Key) -> State:
        """A fresh State, placed on the mesh."""
        return self._init(key, self.feed.example())

    def laid(self, state: State) -> PyTree:
        """A State from anywhere, placed on the mesh and in the executor's form.

        Raises:
            UserError: it is no State of this learner.
        """
        if not isinstance(state, State):
            given = type(state).__name__
            raise UserError(f"the start of a phase gave {given}: expected State, as fresh is one")
        wanted, found = (
            {
                jax.tree_util.keystr(path): f"{x.dtype} {x.shape}"
                for path, x in jax.tree_util.tree_leaves_with_path(tree)
            }
            for tree in (self.abstract, jax.eval_shape(lambda x: x, state))
        )
        if wanted != found:
            at = min(k for k in {**wanted, **found} if wanted.get(k) != found.get(k))
            raise UserError(
                f"the start of a phase gave state{at} {found.get(at, 'absent')}: expected "
                f"{wanted.get(at, 'absent')}, as fresh has it"
            )
        seen: set[int] = set()

        def own(x: jax.Array) -> jax.Array:
            """A leaf that no other is: the step is given each of them to overwrite."""
            known = id(x) in seen
            seen.add(id(x))
            return jnp.copy(x) if known else x

        state = jax.tree.map(own, state)
        return self.enter(jax.device_put(state, jax.tree.map(lambda x: x.sharding, self.abstract)))

    def enter(self, state: State) -> PyTree:
        """A placed State, in the executor's form."""
        return state

    def whole(self, state: PyTree) -> State:
        """The State, out of the executor's form."""
        return state

    def place(self, first: int, k: int) -> PyTree:
        """``k`` batches from ``first`` on, ready for ``step``."""
        return self.feed.place(first, k)

    def step(self, state: PyTree, batch: PyTree, k: int) -> tuple[PyTree, jax.Array]:
        """The state after ``k`` steps, and their metrics, float32 [k, names, ...]; nothing is waited for."""
        return (self._once if k == 1 else self._many)(state, batch)

    def measures(self, batch: Batch, whole: bool) -> set[str]:
        """Names of a host batch's measures; traced for them, the program is known to ``evaluate``."""
        return set(self._evaluate.eval_shape(self.abstract, self.feed.place_eval(batch, whole), 0))

    def evaluate(self, state: State, batch: Batch, number: int, whole: bool) -> Measures:
        """Measures of a host batch.

        Args:
            number: of the batch, by which random draws differ between batches.
            whole: the batch is one whole example, for every device.
        """
        return self._evaluate(state, self.feed.place_eval(batch, whole), number)


def make_executor(profile: Profile, learner: Learner, data: Pipeline) -> Jit:
    """Compile ``learner`` for the profile's mesh and the pipeline's batches.

    Raises:
        UserError: the batch does not divide by the mesh, or the profile would change the meaning of
            the learner.
    """
    mesh = make_mesh(profile)
    per_device = profile.executor == "pmap" and mesh.size > 1
    if data.whole and (profile.microbatch or per_device):
        what = f"microbatch = {profile.microbatch}" if profile.microbatch else "executor = 'pmap'"
        raise UserError(
            f"profile {profile.name!r}: {what} divides batches, but this experiment's batch is one "
            "whole example (a graph): take it out"
        )
    if not per_device:
        return Jit(profile, learner, data, mesh)
    from dljax.runtime.pmap import Pmap

    return Pmap(profile, learner, data, mesh)
