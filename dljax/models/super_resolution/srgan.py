"""SRGAN's discriminator; its generator is SRResNet. Ledig et al. 2017, Photo-Realistic Single Image
Super-Resolution Using a Generative Adversarial Network, arXiv:1609.04802, Fig. 4.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import Conv, batch_norm


class Discriminator(nn.Module):
    """Map from images in 0..1 to the logits that they are real: no image larger or smaller than at first.

    Attributes:
        widths: channels; of each there is a convolution with stride 1, then one with stride 2.
        hidden: units of the layer before the logit.
        bias: of convolutions before a BatchNorm, which takes it away again.
    """

    widths: tuple[int, ...] = (64, 128, 256, 512)
    hidden: int = 1024
    bias: bool = False

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"], *, train: bool) -> Float[Array, " b"]:
        x = image
        for i, width in enumerate(self.widths):
            for stride in (1, 2):
                first, name = (i, stride) == (0, 1), f"{i}_{stride}"
                x = Conv(
                    width,
                    (3, 3),
                    (stride, stride),
                    padding=1,
                    use_bias=first or self.bias,
                    name=f"conv{name}",
                )(x)
                x = x if first else batch_norm(train=train, name=f"bn{name}")(x)
                x = jax.nn.leaky_relu(x, 0.2)
        x = jnp.reshape(x, (len(x), -1))
        x = jax.nn.leaky_relu(nn.Dense(self.hidden, name="hidden")(x), 0.2)
        return nn.Dense(1, name="output")(x)[:, 0]


MODEL = Discriminator
VARIANTS: dict[str, dict] = {
    "tiny": {"widths": (4, 8), "hidden": 8},
    "small": {"widths": (32, 64, 128), "hidden": 128},
    "96": {},
    "96-biases": {"bias": True},
}
PUBLISHED = {"96": 23_563_649, "96-biases": 23_565_505}  # of images of 96x96


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two color images of 96x96 pixels, 16x16 for "tiny"."""
    side = 16 if variant == "tiny" else 96
    return {"image": ShapeDtypeStruct((2, side, side, 3), jnp.float32)}
