"""Inception-ResNet v2: the map sizes of the released network, and the scale of its residuals."""

import jax
import jax.numpy as jnp
import numpy as np
from shapes import outputs

from dljax.models.convnets import inception_resnet_v2
from dljax.nn import ConvNorm


def test_maps():
    found = outputs(inception_resnet_v2, "timm", modules=(1, 1, 1))
    expected = {
        "conv4a": (71, 71, 192),
        "mixed5b": (35, 35, 320),
        "a0": (35, 35, 320),
        "reduction_a": (17, 17, 1088),
        "b0": (17, 17, 1088),
        "reduction_b": (8, 8, 2080),
        "c0": (8, 8, 2080),
        "conv7b": (8, 8, 1536),
        "output": (1000,),
    }
    assert {name: found[name] for name in expected} == expected


def test_maps_of_the_small_form():
    found = outputs(inception_resnet_v2, "small")
    expected = {"conv1a": (30, 30, 8), "conv4a": (11, 11, 48), "mixed5b": (11, 11, 80)}
    expected |= {"a1": (11, 11, 80), "b3": (5, 5, 272), "c1": (2, 2, 520)}
    expected |= {"conv7b": (2, 2, 384), "output": (10,)}
    assert {name: found[name] for name in expected} == expected


def test_residual_by_hand(key):
    """relu(x + scale (kernel relu(filter x) + bias)) of one pixel, in a branch of one convolution."""
    norm = {"use_scale": False, "use_bias": False, "epsilon": 0.0}
    module = inception_resnet_v2.Residual(
        lambda *args, **names: ConvNorm(*args, norm=norm, **names),
        (((1, 1, 1),),),
        0.1,
        jax.nn.initializers.ones,
    )
    x = jnp.array([3.0, -1.0]).reshape(1, 1, 1, 2)
    variables = module.init(key, x)
    params = variables["params"]
    params["branch0_0"]["conv"]["kernel"] = jnp.array([2.0, 1.0]).reshape(1, 1, 2, 1)
    params["linear"] = {
        "kernel": jnp.array([-4.0, 6.0]).reshape(1, 1, 1, 2),
        "bias": jnp.array([0, 2.0]),
    }
    # The branch gives 5; 3 - 2 and -1 + 3.2.
    out = module.apply(variables, x)
    np.testing.assert_allclose(out[0, 0, 0], [1.0, 2.2], rtol=1e-6)  # float32
