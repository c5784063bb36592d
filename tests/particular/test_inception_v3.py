"""Inception v3: the paper's map sizes, and the auxiliary head's place and least image."""

import jax
import jax.numpy as jnp
import pytest
from architectures import tiny
from shapes import outputs

from dljax import models
from dljax.errors import UserError
from dljax.models.convnets import inception_v3


def test_maps_of_table_1():
    """And of the authors' code between 73x73 and 35x35, where it has other layers than the table."""
    found = outputs(inception_v3, "torchvision", a=(64,), b=(192,), c=1)
    expected = {
        "conv1a": (149, 149, 32),
        "conv2a": (147, 147, 32),
        "conv2b": (147, 147, 64),
        "conv3b": (73, 73, 80),
        "conv4a": (71, 71, 192),
        "a0": (35, 35, 288),
        "reduction_a": (17, 17, 768),
        "b0": (17, 17, 768),
        "reduction_b": (8, 8, 1280),
        "c0": (8, 8, 2048),
        "output": (1000,),
    }
    assert {name: found[name] for name in expected} == expected


def test_maps_of_the_small_form():
    found = outputs(inception_v3, "small")
    expected = {"conv1a": (30, 30, 8), "conv2b": (28, 28, 16), "conv4a": (11, 11, 48)}
    expected |= {"a0": (11, 11, 72), "reduction_a": (5, 5, 192), "b1": (5, 5, 192)}
    expected |= {"reduction_b": (2, 2, 320), "c0": (2, 2, 512), "output": (10,)}
    assert {name: found[name] for name in expected} == expected


def test_head_is_in_training_alone():
    module, params, extra, inputs = tiny(inception_v3)
    variables = {"params": params, **extra}
    rngs = {"dropout": jax.random.key(0)}
    used = jax.eval_shape(lambda: module.apply(variables, **inputs, train=False))
    assert used.shape == (2, 10)
    trained, _ = jax.eval_shape(
        lambda: module.apply(variables, **inputs, train=True, rngs=rngs, mutable=["batch_stats"])
    )
    assert [x.shape for x in trained] == [(2, 10), (2, 10)]


def test_images_too_small_for_the_head(key):
    """298 pixels give it a map of 16 x 16, of which its windows make less than a 5x5 kernel."""
    model = models.build(inception_v3, "torchvision-auxiliary", a=(), b=(), c=0)

    def head(side):
        image = jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32)
        variables = jax.eval_shape(lambda x: model.init(key, x, train=False), image)
        return variables["params"]["auxiliary"]

    assert head(299)["conv1"]["conv"]["kernel"].shape == (5, 5, 128, 768)
    with pytest.raises(
        UserError, match="has a map of 16 x 16, expected 17 x 17 or more .*299 x 299"
    ):
        head(298)
