"""The nouns that everything shares, each defined once.

Dimensions, everywhere: ``b h w c`` batch, height, width, channels; ``t`` time; ``d`` features;
``n`` nodes; ``e`` edges; ``v`` vocabulary; ``k`` heads.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax

Array = jax.Array
Key = jax.Array  # a typed key, jax.random.key(seed)
Scalar = jax.Array
PyTree = Any
Batch = Mapping[str, Any]  # leading axis: global batch; optional "mask", 1 where an example counts
Metrics = Mapping[str, Array]
Params = Mapping[str, PyTree]  # player -> its parameters
Extra = Mapping[str, PyTree]  # player -> its other collections (batch_stats, ...)


class Aux(NamedTuple):
    """What a loss hands back beside its value: scalar metrics, and the collections it changed."""

    metrics: Metrics
    extra: Extra


Loss = Callable[[Params, Extra, Batch, Key], tuple[Scalar, Aux]]
InitVariables = Callable[[Key, Batch], tuple[Params, Extra]]
Evaluate = Callable[[Params, Extra, Batch, Key], Metrics]  # per example: every value is [b]


class Task(NamedTuple):
    """What is minimised: one loss per player. Supervised tasks and GANs return the same type."""

    init: InitVariables
    losses: Mapping[str, Loss]
    evaluate: Evaluate
