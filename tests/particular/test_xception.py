"""Xception: the paper's map sizes and number of layers, and padding of the poolings."""

import jax
import jax.numpy as jnp
import numpy as np
from shapes import outputs

from dljax.models.convnets import xception


def test_maps_of_figure_5():
    found = outputs(xception, "paper")
    expected = {
        "conv1": (149, 149, 32),
        "conv2": (147, 147, 64),
        "entry0": (74, 74, 128),
        "entry1": (37, 37, 256),
        "entry2": (19, 19, 728),
        "middle7": (19, 19, 728),
        "exit": (10, 10, 1024),
        "sepconv4": (10, 10, 2048),
        "output": (1000,),
    }
    assert {name: found[name] for name in expected} == expected


def test_maps_of_the_small_form():
    found = outputs(xception, "small")
    expected = {"conv1": (30, 30, 16), "conv2": (28, 28, 32), "entry0": (14, 14, 64)}
    expected |= {"entry1": (7, 7, 128), "middle1": (4, 4, 192), "sepconv4": (2, 2, 512)}
    assert {name: found[name] for name in expected} == expected


def test_36_layers_in_14_modules():
    """Section 3; shortcuts do not count, and the ends of the flows are modules of their own."""
    shapes = jax.eval_shape(
        lambda i: xception.MODEL().init(jax.random.key(0), **i, train=False),
        xception.inputs("paper"),
    )
    layers, modules = 0, 2
    for name, params in shapes["params"].items():
        inside = [part for part in params if part.startswith("sepconv")]
        layers += len(inside) + name.startswith(("conv", "sepconv"))
        modules += bool(inside)
    assert (layers, modules) == (36, 14)


def test_a_block_whose_last_scale_is_zero_is_its_shortcut(key):
    """The middle flow's; and of one that pools, the shortcut is every second pixel's 1x1 convolution."""
    x = jax.random.normal(key, (1, 4, 4, 2))

    def norm(name):
        zero = jax.nn.initializers.zeros
        scale = zero if name == "bn2" else jax.nn.initializers.ones
        return xception.batch_norm(train=False, scale_init=scale, epsilon=0.0, name=name)

    init = jax.nn.initializers.ones
    plain = xception.Block((3, 2), norm, init)
    np.testing.assert_array_equal(plain.apply(plain.init(key, x), x), x)
    pooled = xception.Block((3, 2), norm, init, pool="SAME")
    total = jnp.sum(x[:, ::2, ::2], -1, keepdims=True)
    out = pooled.apply(pooled.init(key, x), x)
    np.testing.assert_allclose(out, jnp.repeat(total, 2, -1), rtol=1e-6)  # float32
