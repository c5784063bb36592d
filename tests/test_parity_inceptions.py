"""Inception networks beside the rows of test_parity: whole states, auxiliary heads, a training step."""

import zlib
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from parity.cases import AUXILIARY, SHORT_V3, image
from parity.recipe import weights
from test_parity import DEEP, GOLDEN

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


def loaded(model, entries, side):
    """Variables of the recipe's weights, and three images."""
    inputs = image(side, 3)
    found = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), inputs)
    zeros = jax.tree.map(lambda x: np.broadcast_to(np.zeros((), x.dtype), x.shape), found)
    there = {name: x.shape for name, x in from_variables(entries, zeros).items()}
    variables = to_variables(entries, weights(there, 2**0.5))
    return jax.tree.map(jnp.asarray, variables), jnp.asarray(inputs)


def close(ours, reference, tolerance, name=""):
    share, relative = tolerance
    atol = share * np.abs(reference).max()
    np.testing.assert_allclose(ours, reference, atol=atol, rtol=relative, err_msg=name)


def test_auxiliary_heads_of_googlenet():
    """Logits in training, from the batch's own statistics and without dropout."""
    off = {"dropout": 0.0, "head_dropout": 0.0, "classes": 10}
    model = models.build(inception_v1, "torchvision-auxiliary", **off)
    variables, inputs = loaded(model, inception_v1_names.entries(model), AUXILIARY["v1"])
    out, _ = jax.jit(lambda v, x: model.apply(v, x, train=True, mutable=["batch_stats"]))(
        variables, inputs
    )
    for name, logits in zip(("logits", "aux_logits1", "aux_logits2"), out, strict=True):
        close(logits, golden("inceptions.npz")[f"v1/training/{name}"], DEEP, name)


def test_training_step_of_inception_v3():
    """Logits of both heads, the loss, every gradient and the moved means; dropout is off."""
    known = golden("inception_v3_step.npz")
    changes = {**SHORT_V3, "dropout": 0.0, "classes": 10}
    model = models.build(inception_v3, "torchvision-auxiliary", **changes)
    entries = inception_v3_names.entries(model)
    variables, inputs = loaded(model, entries, AUXILIARY["v3"])
    task = auxiliary_classification(model, weights=(0.4,))
    batch = {"image": inputs, "label": jnp.array([1, 7, 4])}
    stats = {"model": {"batch_stats": variables["batch_stats"]}}

    @jax.jit
    def step(params):
        def loss(params):
            value, aux = task.losses["model"]({"model": params}, stats, batch, jax.random.key(0))
            return value.value, aux.extra["model"]

        return jax.value_and_grad(loss, has_aux=True)(params)

    (loss, moved), gradient = step(variables["params"])
    close(loss, known["loss"], DEEP)
    state = from_variables(entries, {"params": gradient, **moved})
    for name, reference in known.items():
        kind, _, layer = name.partition("/")
        if kind == "gradient":
            ours = state[layer]
            ours = ours if ours.ndim == 1 else np.linalg.norm(ours.reshape(len(ours), -1), axis=1)
            close(ours, reference, DEEP, name)
        elif kind == "moved":
            close(state[layer], reference, DEEP, name)
