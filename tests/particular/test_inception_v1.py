"""Inception v1: the paper's map sizes, pooling that rounds up, and the auxiliary heads' averages."""

import jax
import jax.numpy as jnp
import numpy as np
from architectures import tiny
from shapes import outputs

from dljax.models.convnets import inception_v1


def test_maps_of_table_1():
    found = outputs(inception_v1, "torchvision")
    expected = {
        "conv1": (112, 112, 64),
        "conv2": (56, 56, 64),
        "conv3": (56, 56, 192),
        "inception3a": (28, 28, 256),
        "inception3b": (28, 28, 480),
        "inception4a": (14, 14, 512),
        "inception4b": (14, 14, 512),
        "inception4c": (14, 14, 512),
        "inception4d": (14, 14, 528),
        "inception4e": (14, 14, 832),
        "inception5a": (7, 7, 832),
        "inception5b": (7, 7, 1024),
        "output": (1000,),
    }
    assert {name: found[name] for name in expected} == expected


def test_maps_of_the_small_form():
    """A third of the paper's sides: 28, 14 and 7 became 16, 8 and 4."""
    found = outputs(inception_v1, "small")
    expected = {"conv1": (32, 32, 16), "conv3": (16, 16, 48)}
    expected |= {"inception3b": (16, 16, 120), "inception4e": (8, 8, 208)}
    expected |= {"inception5b": (4, 4, 256), "output": (10,)}
    assert {name: found[name] for name in expected} == expected


def test_pooling_rounds_up():
    """The last window of 3 from 6 pixels has two of them; from 5 pixels none is left over."""
    x = jnp.arange(6.0)[None, :, None, None] * jnp.ones((1, 1, 5, 1))
    assert inception_v1.half(x)[0, :, :, 0].tolist() == [[2, 2], [4, 4], [5, 5]]
    assert inception_v1.half(-x)[0, :, 0, 0].tolist() == [0, -2, -4]
    assert inception_v1.half(x, 2)[0, :, :, 0].tolist() == [[1] * 3, [3] * 3, [5] * 3]


def test_average_to_areas():
    """14 pixels to 4: areas of 4 that begin at 0, 3, 7 and 10; 2 pixels to 4: each twice."""
    x = jnp.arange(14.0)[None, :, None, None] ** 2 * jnp.ones((1, 1, 2, 1))
    out = inception_v1.average_to(x, 4)[0, :, :, 0]
    # Of squares: 0 to 3, 3 to 6, 7 to 10, 10 to 13.
    expected = np.array([14, 86, 294, 534]) / 4
    np.testing.assert_allclose(out, np.repeat(expected[:, None], 4, 1), rtol=1e-6)  # float32


def test_heads_are_in_training_alone():
    module, params, extra, inputs = tiny(inception_v1)
    variables = {"params": params, **extra}
    rngs = {"dropout": jax.random.key(0)}
    used = jax.eval_shape(lambda: module.apply(variables, **inputs, train=False))
    assert used.shape == (2, 10)
    trained, _ = jax.eval_shape(
        lambda: module.apply(variables, **inputs, train=True, rngs=rngs, mutable=["batch_stats"])
    )
    assert [x.shape for x in trained] == [(2, 10), (2, 10)]
