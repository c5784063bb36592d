"""Outputs of torchvision's, timm's and Keras' Inception networks and Xception on the recipe's weights.

python tests/parity/inceptions.py      (needs torch, torchvision, timm; Keras, by KERAS_BACKEND=torch)

Where a network is long, modules of a kind that is left are taken out of it. The names of the whole
state are kept as a checksum.
"""

import zlib
from pathlib import Path

import keras
import numpy as np
import timm
import torch
import torchvision
from cases import AUXILIARY, INCEPTIONS, image
from recipe import projection, weights
from torch import nn

GOLDEN = Path(__file__).parent / "golden"
GAIN = 2**0.5


def checksum(names) -> np.uint32:
    return np.uint32(zlib.crc32("\n".join(sorted(names)).encode()))


def shapes_of(net) -> dict[str, tuple[int, ...]]:
    return {k: tuple(v.shape) for k, v in net.state_dict().items() if v.ndim}


def loaded(net):
    arrays = {k: torch.from_numpy(v) for k, v in weights(shapes_of(net), GAIN).items()}
    missing, extra = net.load_state_dict(arrays, strict=False)
    assert all(k.endswith("num_batches_tracked") for k in missing) and not extra
    return net


def channels_first(side: int, count: int = 2) -> torch.Tensor:
    return torch.from_numpy(image(side, count).transpose(0, 3, 1, 2).copy())


def first(modules: nn.Sequential, count: int) -> nn.Sequential:
    return nn.Sequential(*list(modules)[:count])


def short_v3(net, without=("5d", "6d", "6e", "7c")):
    for name in without:
        setattr(net, f"Mixed_{name}", nn.Identity())
    return net


def short_v4(net):
    """Of 4, 7 and 3 modules, 2, 1 and 1."""
    kept = (0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 18, 19)
    net.features = nn.Sequential(*(net.features[i] for i in kept))
    return net


def short_resnet_v2(net):
    """Of 10, 20 and 10 modules, 1, 2 and 2."""
    net.repeat, net.repeat_1 = first(net.repeat, 1), first(net.repeat_1, 2)
    net.repeat_2 = first(net.repeat_2, 1)
    return net


def whole(net):
    return net


def torch_networks() -> dict:
    """name -> (network as it is, what is taken out)."""
    googlenet = torchvision.models.googlenet
    inception = torchvision.models.inception_v3
    options = {"num_classes": 10, "init_weights": False}
    return {
        "v1": (googlenet(aux_logits=True, **options), whole),
        "v3": (inception(aux_logits=True, **options), short_v3),
        "v4": (timm.create_model("inception_v4", num_classes=10), short_v4),
        "resnet_v2": (timm.create_model("inception_resnet_v2", num_classes=10), short_resnet_v2),
        "xception": (timm.create_model("legacy_xception", num_classes=10), whole),
    }


def in_use(net, side: int) -> np.ndarray:
    """Logits; of two images they must differ by far more than rounding, or parity would mean little."""
    out = net.eval()(channels_first(side)).detach().numpy()
    spread = np.abs(out[0] - out[1]).max() / np.abs(out).max()
    assert spread > 0.01, spread
    return out


def outputs_in_training(net, images: torch.Tensor):
    """Logits of all heads by name, from the batch's own statistics and without dropout."""
    for module in net.train().modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return net(images)._asdict()


def step(net, heads: dict[str, float], side: int) -> dict[str, np.ndarray]:
    """Logits, loss, gradients and moved means of a training step, in float64."""
    out = outputs_in_training(loaded(net).double(), channels_first(side).double())
    label = torch.tensor([1, 7])
    cross_entropy = nn.functional.cross_entropy
    out["loss"] = cross_entropy(out["logits"], label)
    for name, weight in heads.items():
        out["loss"] = out["loss"] + weight * cross_entropy(out[name], label)
    out["loss"].backward()
    found = {name: value.detach().numpy() for name, value in out.items()}
    moved = {k: v for k, v in net.state_dict().items() if k.endswith("running_mean")}
    moved |= {name: p.grad for name, p in net.named_parameters()}
    rows = [projection(name, value.numpy()) for name, value in sorted(moved.items())]
    found["projections"] = np.stack(rows)
    return found


def keras_networks() -> dict:
    made = keras.applications
    return {
        "v3": made.InceptionV3,
        "resnet_v2": made.InceptionResNetV2,
        "xception": made.Xception,
    }


def main() -> None:
    out = {}
    for name, (net, taken_out) in torch_networks().items():
        out[f"{name}/names"] = checksum(shapes_of(net))
        out[f"{name}/state"] = np.int64(
            sum(b.numel() for b in net.buffers() if b.ndim)  # means and variances
        )
        out[name] = in_use(loaded(taken_out(net)), INCEPTIONS[name])
        print(name, out[f"{name}/state"], out[name][:, :3])
    for name, build in keras_networks().items():
        keras.utils.clear_session()
        side = INCEPTIONS[name]
        net = build(
            weights=None, classes=10, classifier_activation=None, input_shape=(side, side, 3)
        )
        shapes = {v.path: tuple(v.shape) for v in net.weights}
        made = weights(shapes, GAIN)
        for variable in net.weights:
            variable.assign(made[variable.path])
        out[f"keras_{name}"] = keras.ops.convert_to_numpy(net(image(side), training=False))
        out[f"keras_{name}/names"] = checksum(shapes)
        print("keras", name, out[f"keras_{name}"][:, :3])
    net = torch_networks()["v1"][0]
    images = channels_first(AUXILIARY["v1"], 3)
    for name, value in outputs_in_training(loaded(net), images).items():
        out[f"v1/training/{name}"] = value.detach().numpy()
    np.savez_compressed(GOLDEN / "inceptions.npz", **out)
    net = short_v3(torch_networks()["v3"][0], ("5d", "6c", "6d", "6e", "7c"))
    out = step(net, {"aux_logits": 0.4}, AUXILIARY["v3"])
    np.savez_compressed(GOLDEN / "inception_v3_step.npz", **out)


if __name__ == "__main__":
    main()
