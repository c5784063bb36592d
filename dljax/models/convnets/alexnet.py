"""AlexNet. Krizhevsky et al. 2012, ImageNet Classification with Deep Convolutional Neural Networks,
doi:10.1145/3065386, in the one column of Krizhevsky 2014, One Weird Trick, arXiv:1404.5997, section 5.

Everybody's pretrained AlexNet is the second: 64 filters in the first layer, no two columns, no response
normalization.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import Conv, Dropout, max_pool

# PyTorch's default for its layers, with which torchvision trained: uniform up to fan_in ** -0.5. It makes
# the signal smaller from layer to layer, which He's does not (2015, arXiv:1502.01852).
_uniform = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")
_he_normal = nn.initializers.he_normal()


class AlexNet(nn.Module):
    """Five convolutions, three overlapping poolings, two hidden layers with dropout before each.

    Attributes:
        features: output channels of the convolutions.
        first: (kernel size, stride, padding) of the first of them.
        hidden: widths of the hidden layers.
        kernel_init: of all layers.
    """

    classes: int = 1000
    features: tuple[int, ...] = (64, 192, 384, 256, 256)
    first: tuple[int, int, int] = (11, 4, 2)
    hidden: tuple[int, ...] = (4096, 4096)
    dropout: float = 0.5
    kernel_init: nn.initializers.Initializer = _uniform

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"], *, train: bool) -> Float[Array, "b classes"]:
        x = image
        kernels = (self.first, (5, 1, 2), (3, 1, 1), (3, 1, 1), (3, 1, 1))
        for i, (width, kernel) in enumerate(zip(self.features, kernels, strict=True), 1):
            size, stride, padding = kernel
            conv = Conv(
                width,
                (size, size),
                (stride, stride),
                padding=padding,
                kernel_init=self.kernel_init,
                name=f"conv{i}",
            )
            x = jax.nn.relu(conv(x))
            if i in (1, 2, 5):
                x = max_pool(x, 3, 2)
        x = jnp.reshape(x, (x.shape[0], -1))
        for i, width in enumerate(self.hidden, 1):
            x = Dropout(self.dropout, name=f"dropout{i}")(x, train=train)
            x = jax.nn.relu(nn.Dense(width, kernel_init=self.kernel_init, name=f"hidden{i}")(x))
        return nn.Dense(self.classes, kernel_init=self.kernel_init, name="output")(x)


MODEL = AlexNet
VARIANTS: dict[str, dict] = {
    "tiny": {
        "features": (4, 4, 6, 4, 4),
        "first": (3, 2, 1),
        "hidden": (8, 8),
        "classes": 10,
        "dropout": 0.1,
        "kernel_init": _he_normal,
    },
    "imagenet": {},
    # For images of about 32 pixels the first kernel is 3x3 with stride 2 (no published form).
    "small": {
        "first": (3, 2, 1),
        "hidden": (1024, 1024),
        "classes": 10,
        "kernel_init": _he_normal,
    },
}
PUBLISHED = {"imagenet": 61_100_840}  # torchvision's, with biases


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two color images of 224x224 pixels, 32x32 for "tiny" and "small"."""
    side = 224 if variant == "imagenet" else 32
    return {"image": ShapeDtypeStruct((2, side, side, 3), jnp.float32)}
