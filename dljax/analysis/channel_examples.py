"""The examples of a set that excite a channel most, beside the input that was optimized to.

Olah et al. 2017, Feature Visualization, doi:10.23915/distill.00007, "Diversity" and "The Enemy of Feature
Visualization", put the two next to each other: the optimum shows a cause, the examples what occurs with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dljax.analysis import feature_visualization, heat
from dljax.analysis.activations import Function, activations
from dljax.analysis.predictions import Predicts
from dljax.data.pipeline import EvalSet
from dljax.errors import UserError
from dljax.types import Array, Key, Variables

_BATCH = 128
_RED = (0.9, 0.1, 0.1)


class Strongest(NamedTuple):
    """The examples of largest activation, of each channel by itself, the largest first.

    Attributes:
        value: float32 [k, channels], the largest activation among the places of an example.
        example: int64 [k, channels], its position in the set.
        place: int64 [k, channels], where in the layer, counted along its rows; 0 where it has no places.
        places: the layer's own axes of places: (h, w) of maps, (t,) of tokens, () of neither.
        seen: number of examples that were passed over.
    """

    value: np.ndarray
    example: np.ndarray
    place: np.ndarray
    places: tuple[int, ...]
    seen: int


def strongest(
    function: Function,
    variables: Variables,
    data: EvalSet,
    layer: str,
    k: int = 8,
    limit: int | None = None,
) -> Strongest:
    """The ``k`` examples that excite each channel of a layer most, in one pass over a set.

    The pass keeps the best so far, so a set may be of any size; of equal activations the earlier example
    comes first, and NaN last.

    Args:
        function: (variables, batch) -> output, calling Linen modules; not jitted itself.
        layer: path of one that returns [b, *place, channels].
        k: at most as many as there are examples.
        limit: number of examples, from the first on; by default all.

    Raises:
        UserError: the layer is not called, or returns no such array; ``k`` below 1.
    """
    if k < 1:
        raise UserError(f"the {k} strongest examples: expected 1 or more")
    places: list[tuple[int, ...]] = []

    @jax.jit
    def largest(variables, batch) -> tuple[Array, Array]:
        out = activations(function, variables, batch, layers=[layer])[layer]
        if not isinstance(out, jax.Array) or out.ndim < 2:
            raise UserError(f"layer {layer!r} returns no array of channels: name one that does")
        places.append(out.shape[1:-1])
        flat = out.reshape(out.shape[0], -1, out.shape[-1]).astype(jnp.float32)
        flat = jnp.where(jnp.isnan(flat), -jnp.inf, flat)
        return jnp.max(flat, axis=1), jnp.argmax(flat, axis=1)

    kept: list[np.ndarray] = []  # values, positions in the set, places
    seen = 0
    for batch in data.batches(min(_BATCH, limit or _BATCH)):
        given = {name: x for name, x in batch.items() if x.dtype.kind not in "OUS"}
        real = int((np.asarray(batch["mask"]) > 0).sum())
        real = min(real, limit - seen) if limit else real
        found, where = (np.asarray(x)[:real] for x in largest(variables, given))
        at = np.broadcast_to(np.arange(seen, seen + real)[:, None], found.shape)
        new = [found, at, where]
        if kept:  # the earlier ones first
            new = [np.concatenate(pair) for pair in zip(kept, new, strict=True)]
        order = np.argsort(-new[0], axis=0, kind="stable")[:k]
        kept = [np.take_along_axis(x, order, 0) for x in new]
        seen += real
        if limit and seen >= limit:
            break
    value, example, place = kept
    return Strongest(value, example.astype(np.int64), place.astype(np.int64), places[-1], seen)


def images_at(data: EvalSet, index: np.ndarray) -> np.ndarray:
    """Images [n, h, w, c] of the set's examples at these positions, int64 [n], transformed as it is."""
    return np.asarray(data.transform(data.source.gather(index), index.astype(np.uint64))["image"])


def reach(
    function: Function, variables: Variables, image, layer: str, channel, place
) -> np.ndarray:
    """The size of the gradient of one unit of each image for its pixels, float32 [n, h, w].

    Where it is 0 the unit does not look: the receptive field, as far as it is in use.

    Args:
        function: (variables, batch with ``image``) -> output; not jitted itself.
        image: [n, h, w, c].
        layer: path of one that returns [n, *place, channels].
        channel, place: int [n], as of ``Strongest``.
    """

    @jax.jit
    def slope(variables, image):
        def total(image):
            out = activations(function, variables, {"image": image}, layers=[layer])[layer]
            flat = out.reshape(len(image), -1, out.shape[-1])
            return jnp.sum(flat[jnp.arange(len(image)), place, channel])

        return jnp.sum(jnp.abs(jax.grad(total)(image)), axis=-1)

    place, channel = jnp.asarray(place), jnp.asarray(channel)
    return np.asarray(slope(variables, jnp.asarray(image)), np.float32)


def _framed(image: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Colors [n, h, w, 3] with a red frame about the pixels of a tenth of the largest weight or more."""
    out = heat.colored(np.clip(image, 0, 1)).copy()
    for one, map_ in zip(out, weight, strict=True):
        inside = map_ >= max(0.1 * float(map_.max()), 1e-30)
        if not inside.any():  # of a unit that is off
            continue
        (top, bottom), (left, right) = (
            (max(0, at[0] - 1), min(n - 1, at[-1] + 1))
            for at, n in (
                (np.flatnonzero(inside.any(axis)), inside.shape[1 - axis]) for axis in (1, 0)
            )
        )
        one[[top, bottom], left : right + 1] = _RED
        one[top : bottom + 1, [left, right]] = _RED
    return out


def optimized_channels(
    function: Function,
    variables: Variables,
    layer: str,
    channels: Sequence[int],
    shape: tuple[int, int, int],
    key: Key,
    steps: int = 256,
) -> np.ndarray:
    """Images [n, h, w, c] in 0..1, each optimized for the mean of one channel of a layer.

    Args:
        function: (variables, batch with ``image`` in 0..1) -> output; not jitted itself.
        channels: n numbers.
        shape: (h, w, c) of an image.
    """
    index = jnp.asarray(list(channels))

    def goal(image: Array) -> Array:
        given = {"image": image}
        out = activations(function, variables, given, layers=[layer])[layer]
        return feature_visualization.channels(out, index)

    return feature_visualization.optimized_inputs(goal, key, shape, batch=len(index), steps=steps)


@dataclass(frozen=True)
class ChannelExamples:
    """A look: of some channels a row each, the optimized input and the examples that excite it most.

    A red frame marks the pixels by which the example excites the channel, where it is of maps.

    Attributes:
        data: ``image`` [n, h, w, c] in 0..1.
        layer: path of one that returns [b, *place, channels].
        channels: their numbers.
        k: examples in a row.
        steps: of the optimization.
        limit: number of examples, from the first on; by default all.
    """

    task: Predicts
    data: EvalSet
    layer: str
    channels: Sequence[int] = (0, 1, 2, 3, 4, 5)
    k: int = 8
    steps: int = 256
    limit: int | None = None

    def found(self, variables: Variables) -> Strongest:
        """The examples, of all channels.

        Raises:
            UserError: the task has no ``predict``, or a channel is none of the layer's.
        """
        if self.task.predict is None:
            raise UserError("this task predicts nothing: it has no channels to excite")
        given = variables, self.data, self.layer, self.k, self.limit
        found = strongest(self.task.predict, *given)
        n = found.value.shape[1]
        if wrong := [c for c in self.channels if not 0 <= c < n]:
            raise UserError(f"channel {wrong[0]} of layer {self.layer!r}: expected 0 to {n - 1}")
        return found

    def picture(self, variables: Variables, key: Key, found: Strongest) -> np.ndarray:
        """The picture of what was ``found``."""
        assert self.task.predict is not None
        shape = images_at(self.data, np.zeros(1, np.int64)).shape[1:]
        optima = optimized_channels(
            self.task.predict, variables, self.layer, self.channels, shape, key, self.steps
        )
        channels = np.array(self.channels)
        at, place = found.example[:, channels], found.place[:, channels]
        images = images_at(self.data, at.ravel())
        shown = heat.colored(np.clip(images, 0, 1))
        if len(found.places) == 2:
            of = np.broadcast_to(channels, at.shape).ravel()
            given = self.task.predict, variables, images, self.layer, of, place.ravel()
            shown = _framed(images, reach(*given))
        columns = [heat.colored(optima), *shown.reshape(*at.shape, *shown.shape[1:])]
        words = []
        for channel in self.channels:
            words += [f"channel {channel}", *(f"{x:.3g}" for x in found.value[:, channel])]
        return heat.rows(columns, words)

    def __call__(self, variables: Variables, key: Key) -> np.ndarray:
        return self.picture(variables, key, self.found(variables))
