"""Activations within any function that calls Linen modules: read, changed or differentiated for.

A layer is named by its path from the root module, such as "stage2/block1/conv1" (``dljax describe``
lists them). Flax lets calls of modules be intercepted, so neither a model's file nor its variables
change. Of a layer that is called more than once, its first call is meant. A layer within ``nn.scan`` or ``nn.remat`` is out of
reach, for its output belongs to the loop.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.core.tracers import current_trace

from dljax.errors import UserError, nearest
from dljax.types import Array, PyTree

# Arrays -> arrays, calling Linen modules; such as a task's ``predict``: (variables, batch) -> output.
Function = Callable[..., Any]


def _visited(function: Function, visit: Callable[[str, Any], Any]) -> Function:
    """``function`` in which each layer's output is ``visit(path, output)``; also returns the paths,
    each with whether it was within reach."""
    if isinstance(function, jax.stages.Wrapped):
        # Its trace is kept: one made before has no visits, and one made now would keep them.
        raise UserError(
            "the layers of a jitted function are out of reach: give the function that was jitted, and "
            "jit what is made of it"
        )

    def of(*arguments):
        paths: dict[str, bool] = {}
        outside = current_trace()

        def intercept(call, args, kwargs, context):
            path = "/".join(context.module.path)
            # Marked before the call, for the ``super().__call__`` of a subclass has the same path.
            first = context.method_name == "__call__" and bool(path) and path not in paths
            if first:
                # A loop's body is traced by itself, perhaps twice: no output there is of one call.
                paths[path] = current_trace() == outside
            out = call(*args, **kwargs)
            return visit(path, out) if first and paths[path] else out

        with nn.intercept_methods(intercept):
            out = function(*arguments)
        return out, paths

    return of


def _check(layers: Sequence[str], called: Mapping[str, bool]) -> None:
    for layer in layers:
        if layer not in called:
            reached = [path for path in called if called[path]]
            raise UserError(f"no layer {layer!r} is called; {nearest(layer, reached)}")
        if not called[layer]:
            raise UserError(
                f"layer {layer!r} is within a scan, remat, vmap or jit of its network, out of reach: "
                "name the layer around it"
            )


def activations(
    function: Function, *arguments: Any, layers: Sequence[str] | None = None
) -> dict[str, PyTree]:
    """The outputs of layers within ``function(*arguments)``, by path.

    Args:
        function: calls Linen modules; not jitted itself, though all of this may be.
        arguments: its arguments, such as variables and a batch.
        layers: paths; by default of all layers within reach, in the order of their ends.

    Raises:
        UserError: a layer that is not called, or within a loop.
    """
    found: dict[str, PyTree] = {}

    def keep(path, out):
        if layers is None or path in layers:
            found[path] = out
        return out

    _, called = _visited(function, keep)(*arguments)
    if layers is None:
        return found
    _check(layers, called)
    return {layer: found[layer] for layer in layers}


def with_changes(function: Function, changes: Mapping[str, Callable[[PyTree], PyTree]]) -> Function:
    """The same function, in which ``changes[path](output)`` stands for the output of each layer named.

    To ablate unit 3 of "conv2": ``{"conv2": lambda x: x.at[..., 3].set(0.0)}``.

    Args:
        function: calls Linen modules; not jitted itself.
        changes: path -> function of the layer's output.

    Raises:
        UserError: a layer that is not called, or within a loop (raised when the function is).
    """

    def visit(path, out):
        return changes[path](out) if path in changes else out

    def changed(*arguments):
        out, called = _visited(function, visit)(*arguments)
        _check(list(changes), called)
        return out

    return changed


def with_perturbation(function: Function, layer: str) -> Function:
    """(delta, *arguments) -> ``function(*arguments)`` with ``delta`` added to a layer's output.

    At ``delta`` 0 the gradient for it is the gradient for the activation.

    Args:
        function: calls Linen modules; not jitted itself.
        layer: its path.

    Raises:
        UserError: the layer is not called, or its output is no array (raised when the function is).
    """

    def perturbed(delta, *arguments):
        return with_changes(function, {layer: lambda out: _array(layer, out) + delta})(*arguments)

    return perturbed


def activation_and_gradient(function: Function, *arguments: Any, layer: str) -> tuple[Array, Array]:
    """The output of a layer, and the gradient for it of ``sum(function(*arguments))``.

    Args:
        function: calls Linen modules; not jitted itself.
        arguments: its arguments, such as variables and a batch.
        layer: its path.

    Raises:
        UserError: the layer is not called, or its output is no array.
    """

    def output(*arguments):
        return _array(layer, activations(function, *arguments, layers=[layer])[layer])

    def total(delta):
        kept = []

        def visit(path, out):
            if path != layer:
                return out
            kept.append(out)
            return out + delta

        out, _ = _visited(function, visit)(*arguments)
        return jnp.sum(out), kept[0]

    shape = jax.eval_shape(output, *arguments)
    gradient, kept = jax.grad(total, has_aux=True)(jnp.zeros(shape.shape, shape.dtype))
    return kept, gradient


def places(shape: Sequence[int]) -> tuple[int, int] | None:
    """The sides (h, w) of a layer's maps, given its output's shape without the batch; None where it has none.

    Tokens [t, c] lie in a square, as a ViT's patches do; of t = s^2 + 1 the first is beside it.
    """
    if len(shape) == 3:
        return shape[0], shape[1]
    if len(shape) != 2 or shape[0] < 4:
        return None
    side = math.isqrt(shape[0])
    return (side, side) if shape[0] - side**2 in (0, 1) else None


def as_maps(layer: str, out: Array) -> Array:
    """A layer's output as maps [b, h, w, c] of its ``places``.

    Raises:
        UserError: it has none.
    """
    found = places(out.shape[1:])
    if found is None:
        raise UserError(
            f"layer {layer!r} returns {out.shape}: expected maps [b, h, w, channels], or tokens of a square"
        )
    return (
        out[:, -found[0] * found[1] :].reshape(-1, *found, out.shape[-1]) if out.ndim == 3 else out
    )


def _array(layer: str, out: Any) -> Array:
    if not isinstance(out, jax.Array):
        kind = type(out).__name__
        raise UserError(f"layer {layer!r} returns a {kind}: name one that returns an array")
    return out
