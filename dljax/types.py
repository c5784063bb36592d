"""The nouns that everything shares, each defined once.

Dimensions, everywhere: ``b h w c`` batch, height, width, channels; ``t`` time; ``d`` features;
``n`` nodes; ``e`` edges; ``v`` vocabulary; ``k`` heads.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

Array = jax.Array
Key = jax.Array  # a typed key, jax.random.key(seed)
Scalar = jax.Array
PyTree = Any
Batch = Mapping[str, Any]  # leading axis: examples or packs; optional "mask", 1 where a row counts
Params = Mapping[str, PyTree]  # player -> its parameters
Extra = Mapping[str, PyTree]  # player -> its other collections (batch_stats, ...)


class Mean(NamedTuple):
    """A mean that is still a sum: it adds over batches, devices and seeds, and is divided once.

    Attributes:
        total: float32 scalar, or one per model [seeds]: sum of the weighted values.
        count: float32 of the same shape: sum of the weights.
    """

    total: Array
    count: Array | float  # type: ignore[assignment]

    @classmethod
    def of(cls, values: Array, weight: Array | None = None) -> "Mean":
        """The mean of all ``values``.

        Args:
            values: of any shape and real type; where the weight is 0 they may be NaN.
            weight: numbers of the leading axes of ``values``; by default 1 everywhere. One below 0
                is 0.
        """
        values = jnp.asarray(values, jnp.float32)
        if weight is None:
            return cls(jnp.sum(values), float(values.size))
        weight = jnp.maximum(jnp.asarray(weight, jnp.float32), 0.0)
        weight = jnp.reshape(weight, (*weight.shape, *[1] * (values.ndim - weight.ndim)))
        weight = jnp.broadcast_to(weight, values.shape)
        counted = jnp.where(weight > 0, values, 0.0)
        return cls(jnp.sum(counted * weight), jnp.sum(weight))

    @property
    def value(self) -> Array:
        """The mean; 0 where nothing counts."""
        count = self.count
        return self.total / (count if isinstance(count, float) else jnp.where(count > 0, count, 1))


Metrics = Mapping[str, Array]
Measures = Mapping[str, Mean]


class Variables(NamedTuple):
    """The parameters and collections that a trained model is used with, both keyed by player."""

    params: Params
    extra: Extra


class Aux(NamedTuple):
    """A loss's results beside its value.

    Attributes:
        metrics: name -> scalar or ``Mean``, reported.
        extra: player -> its collections after the loss.
    """

    metrics: Mapping[str, Scalar | Mean]
    extra: Extra


Loss = Callable[[Params, Extra, Batch, Key], tuple[Scalar | Mean, Aux]]
InitVariables = Callable[[Key, Batch], tuple[Params, Extra]]
Evaluate = Callable[[Params, Extra, Batch, Key], Measures]
Sample = Callable[[Variables, Key, int], Array]  # n made examples, images in 0..1
Predict = Callable[[Variables, Batch], Any]  # the model's output in use
# (abstract variables, a host batch): raises UserError where the two do not fit
Check = Callable[[Variables, Batch], None]


def unchecked(variables: Variables, batch: Batch) -> None:
    """Accept every batch."""


class Task(NamedTuple):
    """Functions that initialize, train, evaluate and use one model or several.

    Supervised tasks and GANs are of this one type.

    Attributes:
        init: (key, batch) -> (params, extra), keyed by player.
        losses: player -> its loss, a scalar or a ``Mean``.
        evaluate: (params, extra, batch, key) -> name -> ``Mean``.
        predict: (variables, batch) -> the model's output, where it has one.
        sample: (variables, key, n) -> n examples, where the model makes something.
        check: (abstract variables, host batch): raises UserError where the two do not fit.
    """

    init: InitVariables
    losses: Mapping[str, Loss]
    evaluate: Evaluate
    predict: Predict | None = None
    sample: Sample | None = None
    check: Check = unchecked
