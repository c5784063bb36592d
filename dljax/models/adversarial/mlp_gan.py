"""Generators and critics of fully connected layers. Gulrajani et al. 2017, Improved Training of
Wasserstein GANs, arXiv:1704.00028, whose authors' gan_toy.py has the networks for points of a plane; those
for images of 28x28 are PyTorch-GAN's, for WGAN (Arjovsky et al. 2017, arXiv:1701.07875) and WGAN-GP.
"""

import math
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import batch_norm

# He et al. 2015 (arXiv:1502.01852), as gan_toy.py's layers of ReLU.
_Hidden = partial(nn.Dense, kernel_init=nn.initializers.he_uniform())


class Generator(nn.Module):
    """Map from noise to examples: images in -1..1 by tanh, points of a plane without."""

    shape: tuple[int, ...]
    hidden: tuple[int, ...]
    slope: float
    epsilon: float

    @nn.compact
    def __call__(self, noise: Float[Array, "b z"], *, train: bool) -> Float[Array, "b *s"]:
        x = noise
        for layer, width in enumerate(self.hidden):
            x = _Hidden(width, name=f"hidden{layer}")(x)
            if layer and self.epsilon:
                norm = batch_norm(train=train, epsilon=self.epsilon, name=f"norm{layer}")
                x = norm(x)
            x = jax.nn.leaky_relu(x, self.slope)
        x = nn.Dense(math.prod(self.shape), name="output")(x)
        if len(self.shape) > 1:
            x = jnp.tanh(x)
        return jnp.reshape(x, (noise.shape[0], *self.shape))


class Critic(nn.Module):
    """Map from examples to numbers, large where they are real.

    It has no BatchNorm, with which a gradient penalty would not be of each example alone.
    """

    hidden: tuple[int, ...]
    slope: float

    @nn.compact
    def __call__(self, image: Float[Array, "b *s"], *, train: bool) -> Float[Array, " b"]:
        del train
        x = jnp.reshape(image, (image.shape[0], -1))
        for layer, width in enumerate(self.hidden):
            x = jax.nn.leaky_relu(_Hidden(width, name=f"hidden{layer}")(x), self.slope)
        return nn.Dense(1, name="output")(x)[:, 0]


class MLPGAN(nn.Module):
    """Generator and critic; a call gives the critic's numbers for examples made of noise.

    A task takes them apart: ``generator, critic = model.parts()``.

    Attributes:
        shape: of an example: (h, w, c) of an image in -1..1, (2,) of a point.
        hidden: widths of the generator's hidden layers.
        critic: widths of the critic's.
        slope: of the leaky ReLUs below 0.
        epsilon: of the generator's BatchNorms, from its second layer on; 0 for none. PyTorch-GAN's
            ``BatchNorm1d(width, 0.8)`` sets this, and no momentum.
        latent: length of the noise.
    """

    shape: tuple[int, ...] = (28, 28, 1)
    hidden: tuple[int, ...] = (128, 256, 512, 1024)
    critic: tuple[int, ...] = (512, 256)
    slope: float = 0.2
    epsilon: float = 0.8
    latent: int = 100

    def parts(self) -> tuple[Generator, Critic]:
        return (
            Generator(self.shape, self.hidden, self.slope, self.epsilon, parent=None),
            Critic(self.critic, self.slope, parent=None),
        )

    def setup(self):
        self.generator, self.discriminator = (part.clone() for part in self.parts())

    def __call__(self, noise: Float[Array, "b z"], *, train: bool) -> Float[Array, " b"]:
        return self.discriminator(self.generator(noise, train=train), train=train)


_POINTS: dict = {"shape": (2,), "slope": 0.0, "epsilon": 0.0, "latent": 2}
MODEL = MLPGAN
VARIANTS: dict[str, dict] = {
    "tiny": {"hidden": (8, 8), "critic": (8,), "latent": 4},
    "28": {},
    "points-tiny": {**_POINTS, "hidden": (16, 16), "critic": (16, 16)},
    "points-128": {**_POINTS, "hidden": (128,) * 3, "critic": (128,) * 3},
    "points": {**_POINTS, "hidden": (512,) * 3, "critic": (512,) * 3},
}
# Generator 1,510,032 + critic 533,505, BatchNorm's affine in; generator 527,874 + critic 527,361.
PUBLISHED = {"28": 2_043_537, "points": 1_055_235}
STATE = {"28": 3_584, "points": 0}  # mean and variance of 256, 512 and 1,024 units


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """The noise for two examples."""
    latent = VARIANTS[variant].get("latent", 100)
    return {"noise": ShapeDtypeStruct((2, latent), jnp.float32)}
