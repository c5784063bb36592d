"""The same weights in torchvision and here give the same outputs (see tests/parity/resnets.py)."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from parity.recipe import weights
from parity.resnet_cases import VARIANTS, image

from dljax import models
from dljax.models.convnets import resnet, resnet_cifar
from dljax.weights import resnet as names

GOLDEN = np.load(Path(__file__).parent / "parity/golden/resnets.npz")


@pytest.mark.parametrize("name", VARIANTS)
def test_resnet_is_torch(name):
    x = jnp.asarray(image(VARIANTS[name]))
    if name == "cifar20":
        model = models.build(resnet_cifar, "20")
        listed = names.entries((3, 3, 3), 2, (), "linear")
    else:
        row = resnet.VARIANTS[name]
        model = models.build(resnet, name, classes=10)
        basic = row.get("block", resnet.Block) is resnet.Block
        projected = (1, 2, 3) if basic else (0, 1, 2, 3)
        listed = names.entries(row["stages"], 2 if basic else 3, projected, "fc")
    ours = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), x)
    shapes = {}
    for collection, entries in zip(("params", "batch_stats"), listed, strict=True):
        for entry in entries:
            leaf = ours[collection]
            for part in entry.path.split("/"):
                leaf = leaf[part]
            axes = entry.axes or tuple(range(leaf.ndim))
            shapes[entry.name] = tuple(leaf.shape[i] for i in np.argsort(axes))
    state = weights(shapes)
    if name == "cifar20":
        params, stats = names.from_cifar({f"module.{k}": v for k, v in state.items()}, 3)
    else:
        params, stats = names.from_torchvision(
            state, row["stages"], "basic" if basic else "bottleneck"
        )
    variables = {"params": params, "batch_stats": stats}
    # nothing of ours is left out
    assert jax.tree.structure(variables) == jax.tree.structure(dict(ours))
    variables = jax.tree.map(jnp.asarray, variables)
    out = jax.jit(lambda v, x: model.apply(v, x, train=False))(variables, x)
    # float32 sums of up to 4608 terms through up to 53 layers, where errors add as a random walk:
    # sqrt(53) x sqrt(4608) x 6e-8 = 3e-5 of the largest value.
    np.testing.assert_allclose(out, GOLDEN[name], atol=3e-5 * np.abs(GOLDEN[name]).max())
