"""U-Net on VGG16 as segmentation_models_pytorch's ``Unet("vgg16")`` and ``Unet("vgg16_bn")``."""

from typing import Any

from dljax.weights import vgg
from dljax.weights.layers import batch_norm, conv
from dljax.weights.mapping import Entry


def is_encoder(path: str) -> bool:
    """True of a variable of the contracting path."""
    return path.split("/")[1].startswith(("conv", "bn"))


def encoder(model: Any) -> list[Entry]:
    """The map of the encoder alone, for a file of torchvision's VGG16, whose classifier is left."""
    rest = (f"classifier.{i}.{leaf}" for i in (0, 3, 6) for leaf in ("weight", "bias"))
    return [*vgg.features(model), *(Entry("", name) for name in rest)]


def entries(model: Any) -> list[Entry]:
    """The map for a U-Net on VGG16."""
    out = vgg.features(model, "encoder.features")
    places = [("center1", "center.0"), ("center2", "center.1")]
    for level in range(len(model.widths)):
        places += [(f"up{level}_{i}", f"blocks.{level}.conv{i}") for i in (1, 2)]
    for ours, theirs in places:
        out += conv(f"{ours}/conv", f"decoder.{theirs}.0", bias=False)
        out += batch_norm(f"{ours}/bn", f"decoder.{theirs}.1")
    return out + conv("output", "segmentation_head.0")
