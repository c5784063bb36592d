"""Shapes of what passes through a model, without computing it."""

from types import ModuleType

import jax

from dljax import models


def outputs(home: ModuleType, variant: str, **changes) -> dict[str, tuple[int, ...]]:
    """Shape of the first example's output of each layer and block at a variant's full size."""
    model, inputs = models.build(home, variant, **changes), home.inputs(variant)
    _, state = jax.eval_shape(
        lambda i: model.init_with_output(
            jax.random.key(0), **i, train=False, mutable=True, capture_intermediates=True
        ),
        inputs,
    )
    found = {}
    for name, tree in state["intermediates"].items():
        for out in tree.get("__call__", ()) if hasattr(tree, "get") else ():
            found[name] = out.shape[1:]
    return found
