"""VQ-VAE. van den Oord et al. 2017, Neural Discrete Representation Learning, arXiv:1711.00937, sections 3.1
and 4.1, appendix A.1.

    k = argmin_j |z_e(x) - e_j|;   z_q(x) = e_k;   the decoder is given z_q, its gradient goes to z_e

Layers, widths and biases are those of Sonnet's example; zalandoresearch's port of it leaves the biases
of the residual blocks out.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct, lax
from jaxtyping import Array, Float, Int

from dljax import axes
from dljax.nn import Conv, ConvTranspose, first_maximum

_EPSILON = 1e-5  # of the Laplace smoothing, Sonnet's and zalandoresearch's


class Residual(nn.Module):
    """Stack of x + conv 1x1 (ReLU (conv 3x3 (ReLU x))), a ReLU after the last."""

    blocks: int
    hidden: int
    bias: bool

    @nn.compact
    def __call__(self, x: Float[Array, "b h w d"]) -> Float[Array, "b h w d"]:
        for i in range(self.blocks):
            y = Conv(self.hidden, (3, 3), use_bias=self.bias, name=f"conv3_{i}")(jax.nn.relu(x))
            y = Conv(x.shape[-1], (1, 1), use_bias=self.bias, name=f"conv1_{i}")(jax.nn.relu(y))
            x = x + y
        return jax.nn.relu(x)


class Encoder(nn.Module):
    """z_e(x): a vector for every 4 x 4 pixels."""

    width: int
    blocks: int
    hidden: int
    features: int
    bias: bool

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"]) -> Float[Array, "b i j d"]:
        x = jax.nn.relu(Conv(self.width // 2, (4, 4), (2, 2), padding=1, name="down0")(image))
        x = jax.nn.relu(Conv(self.width, (4, 4), (2, 2), padding=1, name="down1")(x))
        x = Conv(self.width, (3, 3), name="conv")(x)
        x = Residual(self.blocks, self.hidden, self.bias, name="residual")(x)
        return Conv(self.features, (1, 1), name="output")(x)


class Decoder(nn.Module):
    """Image from a vector for every 4 x 4 pixels: the mean of p(x | z_q)."""

    width: int
    blocks: int
    hidden: int
    channels: int
    bias: bool

    @nn.compact
    def __call__(self, code: Float[Array, "b i j d"]) -> Float[Array, "b h w c"]:
        x = Conv(self.width, (3, 3), name="conv")(code)
        x = Residual(self.blocks, self.hidden, self.bias, name="residual")(x)
        x = jax.nn.relu(ConvTranspose(self.width // 2, (4, 4), 2, name="up0")(x))
        return ConvTranspose(self.channels, (4, 4), 2, name="up1")(x)


class Quantizer(nn.Module):
    """Nearest vector of a codebook.

    Attributes:
        codes: number of vectors.
        decay: of the moving averages that the codebook is made of (appendix A.1), in the collection
            "codebook", which moves in training alone; None where the gradient moves it, a parameter.
    """

    codes: int
    decay: float | None

    @nn.compact
    def __call__(
        self, z: Float[Array, "b i j d"], *, train: bool
    ) -> tuple[Float[Array, "b i j d"], Int[Array, "b i j"]]:
        """Return (the nearest vector of each place, its number); of equally near ones the first."""
        init = nn.initializers.variance_scaling(1.0, "fan_out", "uniform")  # +-sqrt(3 / d)
        shape = (self.codes, z.shape[-1])
        if self.decay is None:
            table = self.param("table", init, shape)
        else:
            own = self.variable("codebook", "table", lambda: init(self.make_rng("params"), shape))
            table = own.value
        near, vectors = z.astype(jnp.float32), table.astype(jnp.float32)
        # |z - e|^2 less |z|^2, which is the same for every code
        distance = jnp.sum(vectors**2, -1)[None, None, None] - 2 * jnp.dot(near, vectors.T)
        code = first_maximum(lax.stop_gradient(-distance))
        if self.decay is not None:
            # All begin at zero as Sonnet's do: a code that nothing was near to so far becomes the zero vector,
            # from which it is found again, one code a step.
            sums = self.variable("codebook", "sums", jnp.zeros, shape)
            counts = self.variable("codebook", "counts", jnp.zeros, shape[:1])
            if train and not self.is_initializing():
                moved = _moved(sums.value, counts.value, near, code, self.decay)
                own.value, sums.value, counts.value = lax.stop_gradient(moved)
        return jnp.asarray(table, z.dtype)[code], code


def _moved(sums: Array, counts: Array, z: Array, code: Array, decay: float) -> tuple[Array, ...]:
    """(codebook, sums, counts) after a batch: m' = decay m + (1 - decay) sum z, over the global batch."""
    chosen = jax.nn.one_hot(code.reshape(-1), len(counts))
    total, count = axes.total((chosen.T @ z.reshape(-1, z.shape[-1]), jnp.sum(chosen, 0)))
    sums = decay * sums + (1 - decay) * total
    counts = decay * counts + (1 - decay) * count
    return sums / smoothed(counts)[:, None], sums, counts


def smoothed(counts: Float[Array, " k"]) -> Float[Array, " k"]:
    """Counts with ``1e-5`` added to each (Laplace) and scaled to the same total."""
    total = jnp.sum(counts)
    return (counts + _EPSILON) / (total + counts.size * _EPSILON) * total


class VQVAE(nn.Module):
    """Encoder, quantizer, decoder.

    Attributes:
        width: channels of the maps.
        blocks, hidden: residual blocks and the channels within them.
        codes, features: number and length of the codebook's vectors.
        channels: of the images, whose sides are multiples of 4.
        decay: of ``Quantizer``.
        bias: in the residual blocks.
    """

    width: int = 128
    blocks: int = 2
    hidden: int = 32
    codes: int = 512
    features: int = 64
    channels: int = 3
    decay: float | None = 0.99
    bias: bool = True

    def setup(self):
        sizes = self.width, self.blocks, self.hidden
        self.encoder = Encoder(*sizes, self.features, self.bias)
        self.quantizer = Quantizer(self.codes, self.decay)
        self.decoder = Decoder(*sizes, self.channels, self.bias)

    def __call__(
        self, image: Float[Array, "b h w c"], *, train: bool
    ) -> tuple[
        Float[Array, "b h w c"],
        Float[Array, "b i j d"],
        Float[Array, "b i j d"],
        Float[Array, "b k"],
    ]:
        """Return (reconstruction, z_e, z_q, the share of each image's places that took each code)."""
        z = self.encoder(image)
        nearest, code = self.quantizer(z, train=train)
        passed = z + lax.stop_gradient(nearest - z)  # equation 3's straight-through gradient
        share = jnp.mean(jax.nn.one_hot(code, self.codes, dtype=z.dtype), (1, 2))
        return self.decoder(passed), z, nearest, share

    def encode(self, image: Float[Array, "b h w c"]) -> Int[Array, "b i j"]:
        """Codes of images, int32."""
        return self.quantizer(self.encoder(image), train=False)[1]

    def decode(self, code: Int[Array, "b i j"]) -> Float[Array, "b h w c"]:
        """Images of codes; a number past the last code is the last."""
        home: Any = self.quantizer.variables
        table = home["params" if self.decay is None else "codebook"]["table"]
        return self.decoder(table[jnp.minimum(code, self.codes - 1)])


MODEL = VQVAE
_GRADIENT: dict[str, Any] = {"decay": None}
VARIANTS: dict[str, dict] = {
    "tiny": {"width": 8, "blocks": 1, "hidden": 4, "codes": 16, "features": 4, "channels": 1},
    "28": {"width": 32, "hidden": 16, "codes": 64, "features": 16, "channels": 1},
    "cifar10": {},
    "cifar10-gradient": _GRADIENT,
    "cifar10-zalando": {**_GRADIENT, "bias": False},
}
# The codebook of 512 x 64 counts where the gradient moves it.
PUBLISHED = {"cifar10": 662_723, "cifar10-gradient": 695_491, "cifar10-zalando": 694_851}
STATE = {"cifar10": 66_048}  # codebook and sums 32,768 each, 512 counts


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two images: of 8x8 pixels for "tiny", 28x28 for "28", 32x32 else."""
    side = {"tiny": 8, "28": 28}.get(variant, 32)
    channels = VARIANTS[variant].get("channels", 3)
    return {"image": ShapeDtypeStruct((2, side, side, channels), jnp.float32)}
