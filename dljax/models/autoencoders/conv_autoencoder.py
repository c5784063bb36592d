"""Convolutional autoencoder. Masci et al. 2011, Stacked Convolutional Auto-Encoders for Hierarchical Feature
Extraction, doi:10.1007/978-3-642-21735-7_7; layers and widths of the Keras blog's, which has them untied and
upsamples by copying pixels.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import Conv, max_pool


def doubled(x: Float[Array, "b h w c"]) -> Float[Array, "b i j c"]:
    """Each pixel four times, as a square of two by two."""
    return jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)


class ConvAutoencoder(nn.Module):
    """3x3 convolutions + ReLU with max-pooling down to a map of 4x4, and back, for images of 28x28.

    Attributes:
        widths: channels of the encoder's convolutions; the code is [4, 4, widths[-1]], flat.
    """

    widths: tuple[int, int, int] = (16, 8, 8)

    def setup(self):
        glorot = nn.initializers.xavier_uniform()  # Keras' default
        first, second, last = self.widths
        self.encoder = [Conv(n, (3, 3), kernel_init=glorot) for n in self.widths]
        # The third convolution of the way back is not padded: from 16x16 to 14x14.
        backwards = ((last, "SAME"), (second, "SAME"), (first, "VALID"), (1, "SAME"))
        self.decoder = [
            Conv(n, (3, 3), padding=padding, kernel_init=glorot) for n, padding in backwards
        ]

    def encode(self, image: Float[Array, "b 28 28 1"]) -> Float[Array, "b z"]:
        """The codes of images."""
        x = image
        for conv in self.encoder:
            x = max_pool(jax.nn.relu(conv(x)), padding="SAME")
        return jnp.reshape(x, (x.shape[0], -1))

    def decode(self, z: Float[Array, "b z"]) -> Float[Array, "b 28 28 1"]:
        """The pixels' logits of codes."""
        x = jnp.reshape(z, (z.shape[0], 4, 4, self.widths[-1]))
        for conv in self.decoder[:-1]:
            x = doubled(jax.nn.relu(conv(x)))
        return self.decoder[-1](x)

    def __call__(
        self, image: Float[Array, "b 28 28 1"], *, train: bool
    ) -> tuple[Float[Array, "b 28 28 1"], Float[Array, "b z"]]:
        """Return (logits of the pixels, code)."""
        del train
        z = self.encode(image)
        return self.decode(z), z


MODEL = ConvAutoencoder
VARIANTS: dict[str, dict] = {"tiny": {"widths": (4, 3, 2)}, "16-8-8": {}}
PUBLISHED = {"16-8-8": 4_385}  # 160 + 1160 + 584 and 584 + 584 + 1168 + 145


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two gray images of 28x28 pixels."""
    return {"image": ShapeDtypeStruct((2, 28, 28, 1), jnp.float32)}
