"""The architectures there are, at their tiny variants, for tests that hold for many of them."""

import inspect
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dljax import catalog, models
from dljax.data.sources.graph import undirected
from dljax.tasks.linen import streams

ALL = catalog.architectures()


def module_of(architecture: catalog.Architecture) -> ModuleType:
    return import_module(architecture.module)


def _takes(architecture: catalog.Architecture, name: str) -> bool:
    return name in inspect.signature(module_of(architecture).MODEL.__call__).parameters


def over(architectures: list[catalog.Architecture]):
    """Parametrize a test's ``architecture``; one architecture's tests run in a row and share programs."""
    return pytest.mark.parametrize(
        "architecture", architectures, ids=[a.name for a in architectures], scope="module"
    )


DECODERS = [
    a for a in ALL if _takes(a, "decode")
]  # going on from a cache: models of the next token
GRAPHS = [a for a in ALL if list(module_of(a).inputs("tiny")) == ["node", "senders", "receivers"]]


class Tiny(NamedTuple):
    """A small model off its start, where layers that begin at zero hide what is below them."""

    module: nn.Module
    params: dict
    extra: dict
    inputs: dict[str, jax.Array]


@cache
def tiny(home: ModuleType, jitter: float = 0.05) -> Tiny:
    """The "tiny" variant of a model file: kernels of He's gain, vectors about 0 (a norm's scale about 1)
    with a deviation of ``jitter``."""
    key = jax.random.key(0)
    module = models.build(home, "tiny")
    inputs = {name: _example(spec, key) for name, spec in home.inputs("tiny").items()}

    def init():
        return dict(module.init({"params": key, **streams(key)}, **inputs, train=False))

    # The parameters are NumPy's: to compile jax's draws of them takes as long as all else. Of the other
    # collections jax's own; what is not asked for is not computed.
    shapes = jax.eval_shape(init)["params"]
    extra = jax.jit(lambda: {k: v for k, v in init().items() if k != "params"})()
    rng = np.random.default_rng(1)  # at which no unit of a net of few channels is dead

    def drawn(path, spec):
        draws = rng.normal(size=spec.shape).astype(np.float32)
        if len(spec.shape) > 1:
            return jnp.asarray(draws * np.float32((2 / np.prod(spec.shape[:-1])) ** 0.5))
        return jnp.asarray(np.float32(path[-1].key == "scale") + np.float32(jitter) * draws)

    params = jax.tree_util.tree_map_with_path(drawn, shapes)
    return Tiny(module, params, extra, inputs)


def _example(spec: jax.ShapeDtypeStruct, key) -> jax.Array:
    if jnp.issubdtype(spec.dtype, jnp.integer):
        return jax.random.randint(key, spec.shape, 0, 2, spec.dtype)
    return jax.random.uniform(key, spec.shape, spec.dtype)


def sizes(home: ModuleType, variant: str) -> dict[str, int]:
    """Trainable parameters per layer."""
    model, key = models.build(home, variant), jax.random.key(0)
    shapes = jax.eval_shape(lambda i: model.init(key, **i, train=False), home.inputs(variant))
    return {
        name: sum(x.size for x in jax.tree.leaves(layer))
        for name, layer in shapes["params"].items()
    }


def graph(n: int = 7, d: int = 8, seed: int = 0):
    """(node, senders, receivers); the last node has no edge."""
    rng = np.random.default_rng(seed)
    pairs = rng.integers(0, n - 1, (9, 2))
    return on_device(rng.normal(size=(n, d)), *undirected(pairs, n))


def on_device(node, senders, receivers):
    return jnp.asarray(node, jnp.float32), jnp.asarray(senders), jnp.asarray(receivers)
