"""Progressive GAN. Karras et al. 2018, Progressive Growing of GANs for Improved Quality, Stability, and
Variation, arXiv:1710.10196, Table 2 and Fig. 2.

Both networks are of one resolution, and as a whole they hold the networks of all lower ones: the layers
keep their names while the networks grow (``ProgressiveGAN.at``). Details are those of the authors' code
(tkarras/progressive_growing_of_gans): the first layer's gain is a quarter of He's, pixel norm follows the
leaky ReLU, images leave a linear layer. Their discriminator by default joins a convolution with the halving
after it, so that the leaky ReLU is taken of means; here it comes first, as in the table. The layers to and from
images of every lower resolution are parameters, as there; only those of the last but one are in use, while the
newest fade in.
"""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct, lax
from jaxtyping import Array, Float

from dljax.errors import UserError
from dljax.nn import EqualizedConv, EqualizedDense, doubled, faded, halved, minibatch_deviation
from dljax.nn.equalized import HE

_leaky = partial(jax.nn.leaky_relu, negative_slope=0.2)


def pixel_norm(x: Float[Array, "*b c"]) -> Float[Array, "*b c"]:
    """x / sqrt(mean of its squares over the channels + 1e-8), section 4.2."""
    exact = x.astype(jnp.float32)
    return (exact * lax.rsqrt(jnp.mean(exact**2, -1, keepdims=True) + 1e-8)).astype(x.dtype)


def _sides(size: int) -> list[int]:
    """4, 8, ... ``size``.

    Raises:
        UserError: there is no such row.
    """
    if size < 4 or size & (size - 1):
        raise UserError(f"images of {size} pixels a side: expected 4, 8, 16 or another power of 2")
    return [4 << i for i in range(size.bit_length() - 2)]


class _Network(nn.Module):
    """A network of images of one size, as ``ProgressiveGAN`` has it."""

    size: int
    channels: int
    base: int
    most: int
    part: float

    def width(self, side: int) -> int:
        """Channels of the maps with such sides."""
        return min(2 * self.base // side, self.most)

    def fade(self) -> Array:
        """Part of the newest layers in the whole, a scalar that training moves."""
        return self.variable("fade", "part", partial(jnp.float32, self.part)).value


class Generator(_Network):
    """Map from noise to images, about -1..1 and not bounded."""

    @nn.compact
    def __call__(self, noise: Float[Array, "b z"], *, train: bool) -> Float[Array, "b h w c"]:
        del train

        def layer(name: str, side: int, x: Array) -> Array:
            return pixel_norm(_leaky(EqualizedConv(self.width(side), name=name)(x)))

        def shown(side: int, x: Array) -> Array:
            return EqualizedConv(self.channels, (1, 1), 1.0, name=f"to_image{side}")(x)

        width = self.width(4)
        first = EqualizedDense(16 * width, HE / 4, use_bias=False, name="dense")
        x = jnp.reshape(first(pixel_norm(noise)), (len(noise), 4, 4, width))
        bias = self.param("bias", nn.initializers.zeros, (width,)).astype(x.dtype)
        x = layer("conv4", 4, pixel_norm(_leaky(x + bias[None, None, None])))
        image, part = shown(4, x), self.fade()
        for side in _sides(self.size)[1:]:
            x = layer(f"conv{side}_0", side, doubled(x))
            x = layer(f"conv{side}_1", side, x)
            before, image = image, shown(side, x)
            if side == self.size:
                image = faded(doubled(before), image, part)
        return image


class Discriminator(_Network):
    """Map from images to numbers, large where they are real."""

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"], *, train: bool) -> Float[Array, " b"]:
        del train

        def seen(side: int, image: Array) -> Array:
            layer = EqualizedConv(self.width(side), (1, 1), name=f"from_image{side}")
            return _leaky(layer(image))

        x, part = seen(self.size, image), self.fade()
        for side in reversed(_sides(self.size)[1:]):
            x = _leaky(EqualizedConv(self.width(side), name=f"conv{side}_0")(x))
            x = halved(_leaky(EqualizedConv(self.width(side // 2), name=f"conv{side}_1")(x)))
            image = halved(image)
            before = seen(side // 2, image)
            if side == self.size:
                x = faded(before, x, part)
        x = _leaky(EqualizedConv(self.width(4), name="conv4")(minibatch_deviation(x)))
        x = jnp.reshape(x, (len(x), -1))
        x = _leaky(EqualizedDense(self.width(2), name="dense")(x))
        return EqualizedDense(1, 1.0, name="output")(x)[:, 0]


class ProgressiveGAN(nn.Module):
    """Generator and discriminator; a call gives the discriminator's numbers for images made of noise.

    A task takes them apart: ``generator, discriminator = model.parts()``.

    Attributes:
        size: sides of the images, 4, 8, 16, ...
        channels: of the images.
        base: channels of a map with sides of s are 2 base / s,
        most: and no more than this.
        latent: length of the noise.
        part: of the newest layers in the whole, at first (``dljax.tasks.growing`` moves it).
    """

    size: int = 1024
    channels: int = 3
    base: int = 8192
    most: int = 512
    latent: int = 512
    part: float = 1.0

    @property
    def sizes(self) -> list[int]:
        """Sides of the images on the way from 4 to ``size``."""
        return _sides(self.size)

    def at(self, size: int) -> "ProgressiveGAN":
        """The networks as they are at one size on the way."""
        return self.clone(size=size)

    def parts(self) -> tuple[Generator, Discriminator]:
        given = self.size, self.channels, self.base, self.most, self.part
        return Generator(*given, parent=None), Discriminator(*given, parent=None)

    def setup(self):
        self.generator, self.discriminator = (part.clone() for part in self.parts())

    def __call__(self, noise: Float[Array, "b z"], *, train: bool) -> Float[Array, " b"]:
        return self.discriminator(self.generator(noise, train=train), train=train)


MODEL = ProgressiveGAN
VARIANTS: dict[str, dict] = {
    # Half-way, where all layers are in use.
    "tiny": {"size": 8, "channels": 1, "base": 16, "most": 8, "latent": 8, "part": 0.5},
    "small": {"size": 16, "channels": 1, "base": 256, "most": 64, "latent": 64},
    "32": {"size": 32},
    "64": {"size": 64},
    "1024": {},
}
# Generator 20,719,628 + discriminator 20,726,785; 22,490,383 + 22,498,049; 23,079,115 + 23,087,249.
PUBLISHED = {"32": 41_446_413, "64": 44_988_432, "1024": 46_166_364}
STATE = {"32": 2, "64": 2, "1024": 2}  # the part, of each


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """The noise for four images."""
    latent = VARIANTS[variant].get("latent", 512)
    return {"noise": ShapeDtypeStruct((4, latent), jnp.float32)}
