"""VGG. Simonyan & Zisserman 2014, Very Deep Convolutional Networks, arXiv:1409.1556, Table 1.

Columns A, B, D and E, and each with BatchNorm after every convolution, which the paper has not and
torchvision and most since have.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import Conv, Dropout, batch_norm, max_pool

# He et al. 2015, arXiv:1502.01852, fan-out form, as torchvision's; the paper draws from N(0, 0.1^2), or
# starts deep columns from a trained column A.
_he_normal = nn.initializers.variance_scaling(2.0, "fan_out", "normal")
_normal = nn.initializers.normal(0.01)


class VGG(nn.Module):
    """Stages of 3x3 convolutions + ReLU, each ended by 2x2 max-pooling; then hidden layers.

    Attributes:
        stages: the output channels of each stage's convolutions.
        norm: BatchNorm between convolution and ReLU.
        hidden: widths of Dense + ReLU + Dropout.
    """

    stages: tuple[tuple[int, ...], ...]
    norm: bool = False
    classes: int = 1000
    hidden: tuple[int, ...] = (4096, 4096)
    dropout: float = 0.5

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"], *, train: bool) -> Float[Array, "b classes"]:
        x = image
        for s, widths in enumerate(self.stages, 1):
            for c, width in enumerate(widths, 1):
                x = Conv(width, (3, 3), kernel_init=_he_normal, name=f"conv{s}_{c}")(x)
                if self.norm:
                    x = batch_norm(train=train, name=f"bn{s}_{c}")(x)
                x = jax.nn.relu(x)
            x = max_pool(x)
        x = jnp.reshape(x, (x.shape[0], -1))
        for i, width in enumerate(self.hidden, 1):
            x = jax.nn.relu(nn.Dense(width, kernel_init=_normal, name=f"hidden{i}")(x))
            x = Dropout(self.dropout, name=f"dropout{i}")(x, train=train)
        return nn.Dense(self.classes, kernel_init=_normal, name="output")(x)


def _column(*convolutions: int) -> tuple[tuple[int, ...], ...]:
    """Stages with so many convolutions, of 64 channels, then twice as many each time up to 512."""
    return tuple((min(64 * 2**i, 512),) * n for i, n in enumerate(convolutions))


_COLUMNS = {
    "11": _column(1, 1, 2, 2, 2),  # A
    "13": _column(2, 2, 2, 2, 2),  # B
    "16": _column(2, 2, 3, 3, 3),  # D
    "19": _column(2, 2, 4, 4, 4),  # E
}
MODEL = VGG
VARIANTS: dict[str, dict] = {
    "tiny": {"stages": ((2,), (4, 4)), "norm": True, "hidden": (8,), "classes": 10},
    "11": {"stages": _COLUMNS["11"]},
    "13": {"stages": _COLUMNS["13"]},
    "16": {"stages": _COLUMNS["16"]},
    "19": {"stages": _COLUMNS["19"]},
    "11-bn": {"stages": _COLUMNS["11"], "norm": True},
    "13-bn": {"stages": _COLUMNS["13"], "norm": True},
    "16-bn": {"stages": _COLUMNS["16"], "norm": True},
    "19-bn": {"stages": _COLUMNS["19"], "norm": True},
    # For images of 32 pixels, of which five poolings leave one: no hidden layers.
    "16-bn-small": {"stages": _COLUMNS["16"], "norm": True, "hidden": (), "classes": 10},
}
# torchvision's and Keras', with biases
PUBLISHED = {
    "11": 132_863_336,
    "13": 133_047_848,
    "16": 138_357_544,
    "19": 143_667_240,
    "11-bn": 132_868_840,
    "13-bn": 133_053_736,
    "16-bn": 138_365_992,
    "19-bn": 143_678_248,
    "16-bn-small": 14_728_266,
}
STATE = {"16": 0, "16-bn": 8_448, "19-bn": 11_008}  # means and variances


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two color images of 224x224 pixels, 32x32 for "16-bn-small", 8x8 for "tiny"."""
    side = {"tiny": 8, "16-bn-small": 32}.get(variant, 224)
    return {"image": ShapeDtypeStruct((2, side, side, 3), jnp.float32)}
