"""The layers of a network with their shapes and counts, found by tracing: no array is made."""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np

from dljax.nn import forms
from dljax.types import PyTree


class Layer(NamedTuple):
    """A row of the table.

    Attributes:
        path: names from the root module down; () is a root.
        kind: the module's class, or the last operation between two modules.
        shape: of the output, without the leading axis of examples.
        params: number of trainable parameters, inner layers included.
        state: number of values in every other collection, inner layers included.
    """

    path: tuple[str, ...]
    kind: str
    shape: tuple[int, ...]
    params: int = 0
    state: int = 0


def size(tree: PyTree) -> int:
    """The number of values in all arrays of a tree."""
    return sum(int(np.prod(x.shape)) for x in jax.tree.leaves(tree))


def initialize(module: nn.Module) -> Callable[..., PyTree]:
    """A module's init as a function (key, inputs by name) -> variables."""

    def init(key, inputs):
        keys = dict(zip(("params", "dropout", "noise"), jax.random.split(key, 3), strict=True))
        return module.init(keys, **inputs, train=False)

    return init


def counts(module: nn.Module, inputs: dict[str, jax.ShapeDtypeStruct]) -> tuple[int, int]:
    """Numbers of a module's trainable parameters, and of values in every other collection."""
    variables = jax.eval_shape(initialize(module), jax.random.key(0), inputs)
    params = size(variables.get("params", {}))
    return params, size(variables) - params


def roots(init: Callable[..., PyTree], *arguments: Any) -> list[nn.Module]:
    """Outermost modules that ``init(*arguments)`` calls, in order, each once.

    Args:
        init: initializes one or more Linen modules; traced, not run.
        arguments: arrays or their shapes.
    """
    found: list[nn.Module] = []

    def record(call, args, kwargs, context):
        module = context.module
        if not module.path and context.method_name == "__call__":
            found.append(module.clone(parent=None))
        return call(*args, **kwargs)

    with nn.intercept_methods(record):
        jax.eval_shape(
            lambda *given: init(*given), *arguments
        )  # a known function is not traced again
    return [module for i, module in enumerate(found) if module not in found[:i]]


def _shape(out: PyTree) -> tuple[int, ...]:
    leaves = [x for x in jax.tree.leaves(out) if hasattr(x, "shape")]
    return tuple(leaves[0].shape[1:]) if leaves else ()


def _between(jaxpr: Any) -> dict[tuple[str, ...], list[Layer]]:
    """Changes of shape between two modules of a root: path of the later module -> rows.

    Flax names every operation after its module ("LeNet5/c1"), so an operation named after the root
    alone is the root's own: pooling, reshaping, concatenating.
    """
    out: dict[tuple[str, ...], list[Layer]] = {}
    seen: set[tuple[str, ...]] = set()
    rows: list[Layer] = []
    last: tuple[int, ...] = ()
    for equation in jaxpr.eqns:
        path = tuple(filter(None, str(equation.source_info.name_stack).split("/")))
        shape = tuple(getattr(equation.outvars[0].aval, "shape", ()))
        if len(path) > 1:
            if path[:2] not in seen:
                seen.add(path[:2])
                out[path[:2]], rows = rows, []
            last = shape if len(shape) > 1 else last
        elif len(path) == 1 and len(shape) > 1 and shape[:1] == last[:1]:
            if rows and rows[-1].shape == shape[1:]:
                rows[-1] = rows[-1]._replace(kind=equation.primitive.name)
            elif shape != last:
                rows.append(Layer((path[0], "-"), equation.primitive.name, shape[1:]))
            last = shape
    return out


def layers(init: Callable[..., PyTree], *arguments: Any) -> list[Layer]:
    """Modules that ``init(*arguments)`` calls, in order, and operations between the outermost.

    Args:
        init: initializes one or more Linen modules; traced, not run.
        arguments: arrays or their shapes.
    """
    found: list[Layer | None] = []
    roots: list[Any] = []
    seen: set[tuple[Any, ...]] = set()

    def record(call, args, kwargs, context):
        module = context.module
        root = module.scope.root
        at = next((i for i, known in enumerate(roots) if known is root), None)
        if at is None:
            roots.append(root)
            at = len(roots) - 1
        identity = (at, *module.path)
        if context.method_name != "__call__" or identity in seen:
            return call(*args, **kwargs)
        seen.add(identity)
        place = len(found)
        found.append(None)  # outer modules before inner ones, though they end later
        out = call(*args, **kwargs)
        held = module.variables
        params = size(held.get("params", {}))
        found[place] = Layer(
            module.path, type(module).__name__, _shape(out), params, size(held) - params
        )
        return out

    with nn.intercept_methods(record), forms.all_plain():
        between = _between(jax.make_jaxpr(init)(*arguments).jaxpr)
    rows: list[Layer] = []
    held: list[Layer] = []  # modules that compute nothing (dropout here): glue may come before them
    root = ""
    for layer in filter(None, found):
        if not layer.path:
            root = layer.kind
        elif len(layer.path) == 1:
            if (root, layer.path[0]) not in between:
                held.append(layer)
                continue
            rows += [row._replace(path=("-",)) for row in between.pop((root, layer.path[0]))]
        rows += [*held, layer]
        held = []
    return rows + held
