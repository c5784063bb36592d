"""ResNet for 32x32 images, 20 to 110 layers. He et al. 2015, arXiv:1512.03385, section 4.2."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import Conv, batch_norm

# He et al. 2015, arXiv:1502.01852, fan-in form.
he_normal = nn.initializers.variance_scaling(2.0, "fan_in", "normal")
conv = partial(Conv, use_bias=False, kernel_init=he_normal)


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut without parameters (option A).

    Where the shape changes it is every second pixel, and zeros for the new channels, half of them on
    either side.
    """

    width: int
    stride: int = 1

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], *, train: bool) -> Float[Array, "b p q d"]:
        norm, s = partial(batch_norm, train=train), self.stride
        y = conv(self.width, (3, 3), (s, s), padding=1, name="conv1")(x)
        y = jax.nn.relu(norm(name="bn1")(y))
        y = norm(name="bn2")(conv(self.width, (3, 3), name="conv2")(y))
        new = self.width - x.shape[-1]
        shortcut = jnp.pad(x[:, ::s, ::s], ((0, 0), (0, 0), (0, 0), (new // 2, new - new // 2)))
        return jax.nn.relu(y + shortcut)


class ResNetCifar(nn.Module):
    """3x3 convolution, three stages of ``blocks`` blocks at widths w, 2w, 4w, average, Dense:
    6 blocks + 2 layers.
    """

    blocks: int
    classes: int = 10
    width: int = 16

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"], *, train: bool) -> Float[Array, "b classes"]:
        x = conv(self.width, (3, 3), name="conv1")(image)
        x = jax.nn.relu(batch_norm(train=train, name="bn1")(x))
        for i in range(3):
            for j in range(self.blocks):
                stride = 2 if i > 0 and j == 0 else 1
                x = Block(self.width * 2**i, stride, name=f"layer{i + 1}_{j}")(x, train=train)
        x = jnp.mean(x, axis=(1, 2))
        return nn.Dense(self.classes, kernel_init=he_normal, name="output")(x)


MODEL = ResNetCifar
VARIANTS: dict[str, dict] = {
    "tiny": {"blocks": 1, "width": 4},
    "20": {"blocks": 3},
    "32": {"blocks": 5},
    "44": {"blocks": 7},
    "56": {"blocks": 9},
    "110": {"blocks": 18},
}
# 3 input channels, option A
PUBLISHED = {"20": 269_722, "32": 464_154, "44": 658_586, "56": 853_018, "110": 1_727_962}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two color images of 32x32 pixels, 8x8 for "tiny"."""
    side = 8 if variant == "tiny" else 32
    return {"image": ShapeDtypeStruct((2, side, side, 3), jnp.float32)}
