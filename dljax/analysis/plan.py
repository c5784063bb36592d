"""Cost of a step, from shapes alone: parameters, FLOPs, bytes on each device, compilation."""

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from dljax.analysis.summary import size
from dljax.experiment import Experiment, Phase
from dljax.nn import forms
from dljax.runtime.execute import make_executor
from dljax.runtime.profile import Profile
from dljax.types import PyTree


def _inner(given: dict[str, Any]) -> Iterator[Any]:
    """The programs among an operation's parameters: a loop's body, a conditional's branches."""
    for value in given.values():
        for part in value if isinstance(value, tuple | list) else (value,):
            part = getattr(part, "jaxpr", part)
            if hasattr(part, "eqns"):
                yield part


def flops(jaxpr: Any) -> int:
    """Multiplications and additions of a program's matrix products and convolutions.

    A loop counts as often as it turns (once where that is unknown), a conditional as its dearest
    branch. Elementwise operations do not count; products with the zeros of padding do.
    """
    total = 0
    for equation in jaxpr.eqns:
        name, given = equation.primitive.name, equation.params
        if name == "dot_general":
            (contracted, _), _ = given["dimension_numbers"]
            left, out = equation.invars[0].aval.shape, equation.outvars[0].aval.shape
            total += 2 * math.prod(out) * math.prod(left[i] for i in contracted)
        elif name == "conv_general_dilated":
            kernel, out = equation.invars[1].aval.shape, equation.outvars[0].aval.shape
            spec = given["dimension_numbers"].rhs_spec
            taps = math.prod(kernel) // kernel[spec[0]]
            # Zeros between rows, put in by the input gradient of a strided convolution, are no work.
            total += 2 * math.prod(out) * taps // math.prod(given["lhs_dilation"])
        inner = [flops(sub) for sub in _inner(given)]
        if inner:
            turns = given["length"] if name == "scan" else 1
            total += turns * (max(inner) if name == "cond" else sum(inner))
    return total


def _bytes(tree: PyTree) -> int:
    """Bytes of a tree on one device."""
    total = 0
    for x in jax.tree.leaves(tree):
        if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key):
            continue
        shape = x.sharding.shard_shape(x.shape) if x.sharding is not None else x.shape
        total += math.prod(shape) * np.dtype(x.dtype).itemsize
    return total


def _phase(phase: Phase, profile: Profile) -> dict[str, Any]:
    # Two of one kind, for an executor keeps its trace: one counts the model's arithmetic, whatever the
    # form in which the other runs it.
    counted, executor = (
        make_executor(replace(profile, executor="jit"), phase.learner, phase.data) for _ in range(2)
    )
    state = executor.abstract
    batch = jax.tree.map(  # where host and device are one, these are host arrays
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=getattr(x, "sharding", None)),
        executor.place(0, 1),
    )

    def step_of(executor):
        return lambda state, batch: executor.step(state, batch, 1)

    with forms.all_plain():
        work = flops(jax.make_jaxpr(step_of(counted))(state, batch).jaxpr)
    begun = time.perf_counter()
    compiled = jax.jit(step_of(executor), donate_argnums=(0,)).lower(state, batch).compile()
    seconds = time.perf_counter() - begun
    memory: Any = compiled.memory_analysis()
    parts = {
        "params": _bytes(state.params),
        "optimizer": _bytes(state.opt),
        "average": _bytes(state.ema),
        "state": _bytes(state.extra),
        "batch": _bytes(batch),
        "temporary": int(memory.temp_size_in_bytes),
    }
    return {
        "parameters": size(state.params),
        "batch": phase.data.size,
        "flops_per_step": work,
        "bytes_per_device": {**parts, "total": sum(parts.values())},
        "compile_seconds": round(seconds, 2),
    }


def plan(experiment: Experiment, profile: Profile) -> dict[str, Any]:
    """The plan of every phase of an experiment on a profile's mesh; nothing is trained.

    Temporary memory is the compiler's figure for one step, gradients and activations included.

    Returns:
        ``phases``, a list of dicts: ``parameters``, ``batch`` (rows), ``flops_per_step``,
        ``bytes_per_device`` by kind and ``compile_seconds``.
    """
    cached = jax.config.jax_enable_compilation_cache  # type: ignore[attr-defined]
    jax.config.update("jax_enable_compilation_cache", False)  # or compiling would cost nothing
    try:
        return {"phases": [_phase(phase, profile) for phase in experiment.phases]}
    finally:
        jax.config.update("jax_enable_compilation_cache", cached)
