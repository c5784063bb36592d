"""Linen modules as functions of (params, extra): the one place that knows flax's collections."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax

from dljax.tasks.plain_flax import over_the_whole_batch
from dljax.types import Extra, Key, Params, PyTree


def streams(key: Key) -> dict[str, Key]:
    """Streams of randomness for a module: "dropout", and "noise" for latent draws."""
    return {name: jax.random.fold_in(key, i) for i, name in enumerate(("dropout", "noise"))}


def initialize(key: Key, modules: Mapping[str, Any]) -> tuple[Params, Extra]:
    """Params and other collections of each named module, from its example inputs.

    Args:
        key: every module and stream of randomness gets its own key below this one.
        modules: player -> (module, positional inputs), or name -> such a pair where a player is
            several modules. Modules take a keyword ``train``.
    """
    params, extra = {}, {}
    for index, (name, given) in enumerate(modules.items()):
        below = jax.random.fold_in(key, index)
        if isinstance(given, Mapping):
            params[name], extra[name] = initialize(below, given)
            continue
        module, inputs = given
        init_key, other = jax.random.split(below)
        variables = module.init({"params": init_key, **streams(other)}, *inputs, train=False)
        extra[name] = {k: v for k, v in variables.items() if k != "params"}
        params[name] = variables.get("params", {})
    return params, extra


@nn.intercept_methods(over_the_whole_batch)
def forward(
    module: nn.Module, params: PyTree, extra: PyTree, *inputs: Any, key: Key | None, train: bool
) -> tuple[Any, PyTree]:
    """The module's output, and its collections after the pass (unchanged unless ``train``).

    Args:
        extra: the collections beside ``params``.
        inputs: positional arguments.
        key: of the module's randomness; None where it draws nothing.
    """
    variables = {"params": params, **extra}
    rngs = None if key is None else streams(key)
    if not (train and extra):
        return module.apply(variables, *inputs, train=train, rngs=rngs), extra
    out, changed = module.apply(
        variables, *inputs, train=True, rngs=rngs, mutable=list(extra.keys())
    )
    return out, {**extra, **changed}
