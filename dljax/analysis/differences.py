"""The place where two networks part: their layers in order of execution, on the same input.

Of a layer two things are compared, its output and its first argument. Where the first differs and the
second does not, the layer is the wrong one; where both differ, what lies before it is: an activation, a
pooling, a sum.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.core.tracers import current_trace

from dljax.nn import forms

OUTPUT = "(output)"  # the function's own result, as a layer's
_COMPARED = 1e-30  # smaller values are no share of anything


class Step(NamedTuple):
    """A layer's first argument and its output; None where that is no array of numbers."""

    given: Any
    out: Any


class Difference(NamedTuple):
    """One comparison.

    Attributes:
        name: of the array, or of the layer.
        shapes: in A and in B; None where one has it not.
        out: the largest difference as a share of the largest value; None where shapes differ, infinite
            where one is not finite and the other is.
        given: the same of a layer's first argument, where both have it.
    """

    name: str
    shapes: tuple[tuple[int, ...] | None, tuple[int, ...] | None]
    out: float | None
    given: float | None = None

    def parts(self, tolerance: float) -> bool:
        """True where the two differ by more than that."""
        return self.out is None or not self.out <= tolerance


def steps(function: Callable[..., Any], *arguments: Any) -> dict[str, Step]:
    """The layers within ``function(*arguments)`` by path, in the order of their ends, then ``OUTPUT``.

    Float32 products are in full precision and layers in XLA's own form, so that what differs is the
    network. Of a layer that is called more than once, its first call is taken; layers within a loop of
    the network (``nn.scan``, ``nn.remat``) are passed over.

    Args:
        function: calls Linen modules; not jitted itself.
        arguments: its arguments, such as variables and a batch.
    """
    names: list[str] = []

    def run(*arguments):
        names.clear()
        found: list[Step] = []
        called: set[str] = set()
        outside = current_trace()

        def intercept(call, args, kwargs, context):
            path = "/".join(context.module.path)
            first = context.method_name == "__call__" and bool(path) and path not in called
            if first:  # before the call, for the super().__call__ of a subclass has the same path
                called.add(path)
            out = call(*args, **kwargs)
            if first and current_trace() == outside:
                names.append(path)
                found.append(Step(_array(args[:1]), _array(out)))
            return out

        with nn.intercept_methods(intercept):
            out = function(*arguments)
        names.append(OUTPUT)
        return [*found, Step(None, _array(out))]

    with jax.default_matmul_precision("highest"), forms.all_plain():
        found = jax.jit(run)(*arguments)
    return dict(zip(names, jax.tree.map(np.asarray, found), strict=True))


def _array(value: Any) -> Any:
    """The first array of numbers in a value; None where there is none."""
    arrays = (x for x in jax.tree.leaves(value) if isinstance(x, jax.Array))
    return next((x for x in arrays if jnp.issubdtype(x.dtype, jnp.number)), None)


def relative(a: Any, b: Any) -> float:
    """The largest difference of two arrays of one shape, as a share of the largest value in them."""
    kind = np.complex128 if np.iscomplexobj(a) or np.iscomplexobj(b) else np.float64
    a, b = np.asarray(a, kind), np.asarray(b, kind)
    if not a.size:
        return 0.0
    with np.errstate(invalid="ignore"):
        apart = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
    if not np.isfinite(apart).all():
        return float("inf")
    sizes = np.abs(np.concatenate([a.ravel(), b.ravel()]))
    largest = np.max(sizes, where=np.isfinite(sizes), initial=0.0)
    return float(apart.max() / max(largest, _COMPARED))


def _given(a: Any, b: Any) -> float | None:
    """The difference of two first arguments; rows of features may be in another order (flattened maps)."""
    if a is None or b is None or np.size(a) != np.size(b) or len(a) != len(b):
        return None
    flat = np.ndim(a) == 2 == np.ndim(b)
    a, b = np.reshape(a, (len(a), -1)), np.reshape(b, (len(b), -1))
    return min(relative(a, b), relative(np.sort(a), np.sort(b)) if flat else float("inf"))


def of_arrays(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Difference]:
    """Arrays compared by name, in the order of ``a``; those of ``b`` alone come last."""
    found = []
    for name in [*a, *(name for name in b if name not in a)]:
        shapes = (_shape(a, name), _shape(b, name))
        same = shapes[0] == shapes[1]
        found.append(Difference(name, shapes, relative(a[name], b[name]) if same else None))
    return found


def of_layers(a: Mapping[str, Step], b: Mapping[str, Step]) -> list[Difference]:
    """Layers that both have, compared in the order of ``a``; those without an array are passed over."""
    found = []
    for name, (given, out) in a.items():
        if name not in b or out is None or b[name].out is None:
            continue
        shapes = (np.shape(out), np.shape(b[name].out))
        apart = relative(out, b[name].out) if shapes[0] == shapes[1] else None
        found.append(Difference(name, shapes, apart, _given(given, b[name].given)))
    return found


def _shape(arrays: Mapping[str, Any], name: str) -> tuple[int, ...] | None:
    return np.shape(arrays[name]) if name in arrays else None


def first(found: Iterable[Difference], tolerance: float) -> Difference | None:
    """The first comparison that exceeds a tolerance."""
    return next((one for one in found if one.parts(tolerance)), None)


def recorded(
    arrays: Mapping[str, np.ndarray],
    names: Mapping[str, str],
    like: Mapping[str, Step],
    channels_first: bool = True,
) -> dict[str, Step]:
    """Layers that another framework recorded, by our names.

    Args:
        arrays: its name of a layer -> the output; with ":given" behind it, the first argument; the name
            "" is the network's.
        names: our path -> its name; a path without one is looked for as it is, and with dots.
        like: our layers.
        channels_first: images are [b, c, h, w], and sequences of features [b, d, t] where that is what
            fits, as in torch.
    """
    found = {}
    for path, ours in like.items():
        usual = [names.get(path), path, path.replace("/", "."), "" if path == OUTPUT else None]
        name = next((name for name in usual if name is not None and name in arrays), None)
        if name is None:
            continue
        given = arrays.get(f"{name}:given")
        found[path] = Step(
            None if given is None else _ordered(given, ours.given, channels_first),
            _ordered(arrays[name], ours.out, channels_first),
        )
    return found


def _ordered(there: np.ndarray, here: Any, channels_first: bool) -> np.ndarray:
    if channels_first and there.ndim == 4:
        return there.transpose(0, 2, 3, 1)
    swapped = there.swapaxes(1, 2) if there.ndim == 3 else there
    fits = there.shape != np.shape(here) and swapped.shape == np.shape(here)
    return swapped if channels_first and fits else there


def layer_names(entries: Iterable[Any]) -> dict[str, str]:
    """Our path of each layer with parameters -> its name elsewhere, by a map of weights.

    Args:
        entries: of ``dljax.weights``.

    Returns:
        The layers that are one layer in both; "conv1" -> "features.0" for the entry of
        "params/conv1/kernel" and "features.0.weight".
    """
    pairs: dict[str, set[str]] = {}
    for entry in entries:
        parts = entry.path.split("/")
        if parts[0] == "params" and len(parts) > 2:
            there = {name.rpartition("/" if "/" in name else ".")[0] for name in entry.names}
            pairs.setdefault("/".join(parts[1:-1]), set()).update(there)
    single = {path: next(iter(there)) for path, there in pairs.items() if len(there) == 1}
    shared = [name for there in pairs.values() for name in there]
    return {path: name for path, name in single.items() if name and shared.count(name) == 1}
