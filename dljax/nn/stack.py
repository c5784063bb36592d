"""Equal blocks in a row, compiled as the profile says (``dljax.blocks``). The parameters are those of the blocks
in any case, each under its own name, so checkpoints and imported weights fit all ways.
"""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dljax.blocks import blocks


def stack(
    layers: Sequence[nn.Module], x: Float[Array, "b t d"], *shared: Any, train: bool
) -> Float[Array, "b t d"]:
    """``x`` through ``layer(x, *shared, train=train)`` of each layer in turn; a layer that draws in training says
    its rate as ``dropout``.

    A row is scanned where its layers are functions of their parameters alone: not while a model is
    initialized, keeps a cache or is asked for its intermediate values, nor where layers have dropout
    in training, whose draws would have other addresses. Each step then copies the parameters side by
    side. A function that jit has traced before keeps its way.
    """
    if not layers:
        return x
    choice = blocks()
    # A bound layer is no function of its parameters to jax: nn.remat lifts it, with its own draws.
    remat = choice.remat and train and not layers[0].is_initializing()

    def one(layer: nn.Module, x: Array) -> Array:
        return layer(x, *shared, train=train)

    apply = nn.remat(one) if remat else one
    if not (choice.scan and len(layers) > 1 and _alike(layers, train)):
        for layer in layers:
            x = apply(layer, x)
        return x
    params = [layer.variables.get("params", {}) for layer in layers]
    free = _free(layers[0])

    def body(x: Any, params: Any) -> tuple[Any, None]:
        return free.apply({"params": params}, x, *shared, train=train), None

    body = jax.checkpoint(body) if remat else body
    return jax.lax.scan(body, x, jax.tree.map(lambda *each: jnp.stack(each), *params))[0]


def _alike(layers: Sequence[nn.Module], train: bool) -> bool:
    """True where the layers are one function of different parameters."""
    first = layers[0]
    kept = ("cache", "intermediates")
    if first.is_initializing() or any(first.is_mutable_collection(name) for name in kept):
        return False
    if train and getattr(first, "dropout", 0.0) > 0:
        return False
    if any(_free(layer) != _free(first) for layer in layers):
        return False
    shapes = [jax.tree.map(jnp.shape, layer.variables.get("params", {})) for layer in layers]
    return all(x == shapes[0] for x in shapes) and set(first.variables) <= {"params"}


def _free(layer: nn.Module) -> nn.Module:
    """The layer without its place in the model."""
    return layer.clone(parent=None, name=None)
