"""Inception networks beside the rows of test_parity: whole states, auxiliary heads, a training step."""

import zlib
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from parity.cases import AUXILIARY, STEP_V3, image
from parity.recipe import projection, weights
from parity_rows import DEEP, GOLDEN

from dljax import models
from dljax.models.convnets import (
    inception_resnet_v2,
    inception_v1,
    inception_v3,
    inception_v4,
    xception,
)
from dljax.tasks.auxiliary import auxiliary_classification
from dljax.weights import from_variables, to_variables
from dljax.weights import inception_resnet_v2 as inception_resnet_v2_names
from dljax.weights import inception_v1 as inception_v1_names
from dljax.weights import inception_v3 as inception_v3_names
from dljax.weights import inception_v4 as inception_v4_names
from dljax.weights import xception as xception_names

pytestmark = pytest.mark.usefixtures("fast_forms")
STATES = {  # name in the file -> ours
    "v1": (inception_v1, "torchvision-auxiliary", inception_v1_names.entries),
    "v3": (inception_v3, "torchvision-auxiliary", inception_v3_names.entries),
    "v4": (inception_v4, "4", inception_v4_names.entries),
    "resnet_v2": (inception_resnet_v2, "timm", inception_resnet_v2_names.entries),
    "xception": (xception, "timm", xception_names.entries),
    "keras_v3": (inception_v3, "keras", inception_v3_names.keras_entries),
    "keras_resnet_v2": (inception_resnet_v2, "keras", inception_resnet_v2_names.keras_entries),
    "keras_xception": (xception, "paper", xception_names.keras_entries),
}


@cache
def golden(file):
    with np.load(GOLDEN / file) as arrays:
        return dict(arrays)


@pytest.mark.parametrize("name", STATES)
def test_names_of_the_reference_s_whole_state(name):
    """At full depth; and the number of its moving statistics."""
    home, variant, entries = STATES[name]
    names = [n for entry in entries(models.build(home, variant)) if entry.path for n in entry.names]
    known = golden("inceptions.npz")
    assert zlib.crc32("\n".join(sorted(names)).encode()) == known[f"{name}/names"]
    if f"{name}/state" in known:
        assert home.STATE[variant] == known[f"{name}/state"]


def recipe(model, entries, inputs):
    """The model's variables, of the recipe's weights."""
    found = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), inputs)
    zeros = jax.tree.map(lambda x: np.broadcast_to(np.zeros((), x.dtype), x.shape), found)
    there = {name: x.shape for name, x in from_variables(entries, zeros).items()}
    return to_variables(entries, weights(there, 2**0.5))


def close(ours, reference, share, name):
    atol = share * np.abs(reference).max()
    np.testing.assert_allclose(ours, reference, atol=atol, rtol=0, err_msg=name)


@pytest.mark.deep
def test_auxiliary_heads_of_googlenet():
    """Logits in training, from the batch's own statistics and without dropout."""
    off = {"dropout": 0.0, "head_dropout": 0.0, "classes": 10}
    model = models.build(inception_v1, "torchvision-auxiliary", **off)
    inputs = jnp.asarray(image(AUXILIARY["v1"], 3))
    variables = recipe(model, inception_v1_names.entries(model), inputs)
    out, _ = jax.jit(lambda v, x: model.apply(v, x, train=True, mutable=["batch_stats"]))(
        variables, inputs
    )
    for name, logits in zip(("logits", "aux_logits1", "aux_logits2"), out, strict=True):
        close(logits, golden("inceptions.npz")[f"v1/training/{name}"], DEEP[0], name)


@pytest.mark.deep
def test_training_step_of_inception_v3():
    """The loss of both heads, every gradient and every moved mean.

    In float64, since a float32's rounding takes some 1e-6 of all values to the other side of ReLU's 0,
    and a gradient sums them with signs as of chance: it moves by sqrt(1e-6) of itself.
    """
    known = golden("inception_v3_step.npz")
    model = models.build(inception_v3, "torchvision-auxiliary", **STEP_V3, dropout=0.0, classes=10)
    entries = inception_v3_names.entries(model)
    inputs = image(AUXILIARY["v3"])
    variables = recipe(model, entries, inputs)
    task = auxiliary_classification(model, weights=(0.4,))

    def step(params, stats, image, label):
        batch, key = {"image": image, "label": label}, jax.random.key(0)

        def loss(params):
            extra = {"model": {"batch_stats": stats}}
            value, aux = task.losses["model"]({"model": params}, extra, batch, key)
            return value.value, aux.extra["model"]

        return jax.value_and_grad(loss, has_aux=True)(params)

    with jax.enable_x64(True):
        given = variables["params"], variables["batch_stats"], inputs
        given = jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), given)
        # The emitter that conftest chooses makes NaN of float64 here.
        compiled = jax.jit(step, compiler_options={"xla_cpu_use_fusion_emitters": True})
        (loss, moved), gradient = compiled(*given, jnp.array([1, 7]))
    close(loss, known["loss"], 1e-6, "loss")  # the loss itself is taken in float32
    state = from_variables(entries, {"params": gradient, **moved})
    names = sorted(name for name in state if not name.endswith("running_var"))
    # As is its gradient of the logits, from which the others follow: some ulps of 6e-8.
    for name, reference in zip(names, known["projections"], strict=True):
        close(projection(name, state[name]), reference, 1e-6, name)
