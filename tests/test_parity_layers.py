"""``dljax weights diff`` finds the wrong layer of a ResNet whose layers torch recorded
(tests/parity/layers.py, as the command's help says).
"""

import re
from pathlib import Path

import jax
import numpy as np
import pytest
from parity.recipe import weights as recipe

from dljax import models, weights
from dljax.models.convnets import resnet_cifar
from dljax.weights import resnet_cifar as names

ROOT = Path(__file__).parents[1]
SEEN = str(ROOT / "tests" / "parity" / "golden" / "layers.npz")
FILE = str(ROOT / "experiments" / "convnets" / "resnet_cifar.py")
NET = ("--experiment", FILE, "--variant", "tiny", "--fake")


@pytest.fixture(scope="module")
def there() -> dict[str, np.ndarray]:
    """The net's weights by torch's names."""
    model = models.build(resnet_cifar, "tiny")
    image = np.zeros((1, 16, 16, 1), "f")
    shapes = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), image)
    zeros = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)
    here = weights.from_variables(names.entries(model), zeros)
    return recipe({name: array.shape for name, array in here.items()})


def test_the_ported_network_is_torchs(command, there, tmp_path):
    weights.write(tmp_path / "net.safetensors", there)
    status, out, err = command("weights", "diff", "net.safetensors", "--reference", SEEN, *NET)
    assert status == 0 and not err, (out, err)
    # Fifteen layers with parameters, and the output.
    assert re.search(r"^no layer of 16 differs by more than 0\.0001: \d", out, re.M), out
    assert re.search(r"^layer2_0/bn2 +layer2\.0\.bn2 +2x3x3x8 ", out, re.M), out


@pytest.mark.parametrize(
    ("name", "change", "layer"),
    [
        ("layer2.0.conv1.weight", lambda x: x[:, :, ::-1], "layer2_0/conv1"),
        ("layer3.0.conv2.weight", lambda x: x.swapaxes(2, 3), "layer3_0/conv2"),
        ("bn1.running_var", lambda x: x + 1e-3, "bn1"),  # as a wrong epsilon
        ("linear.bias", lambda x: x[::-1], "output"),
    ],
)
def test_the_wrong_layer_is_found(command, there, tmp_path, name, change, layer):
    weights.write(tmp_path / "net.safetensors", {**there, name: change(there[name])})
    status, out, _ = command("weights", "diff", "net.safetensors", "--reference", SEEN, *NET)
    assert status == 1 and f"first layer that differs: {layer}, by" in out
    assert "though what it is given agrees" in out.splitlines()[-1]
