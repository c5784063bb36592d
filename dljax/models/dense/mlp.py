"""Multilayer perceptron. Rumelhart, Hinton & Williams 1986, Learning Representations by
Back-propagating Errors, doi:10.1038/323533a0.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import Dropout


class MLP(nn.Module):
    """Flatten, then Dense + ReLU + Dropout for every hidden layer, then Dense."""

    classes: int = 10
    hidden: tuple[int, ...] = (128,)
    dropout: float = 0.2

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"], *, train: bool) -> Float[Array, "b classes"]:
        glorot = nn.initializers.xavier_uniform()  # Keras' default, which these sizes come from
        x = jnp.reshape(image, (image.shape[0], -1))
        for i, width in enumerate(self.hidden, 1):
            x = jax.nn.relu(nn.Dense(width, kernel_init=glorot, name=f"hidden{i}")(x))
            x = Dropout(self.dropout, name=f"dropout{i}")(x, train=train)
        return nn.Dense(self.classes, kernel_init=glorot, name="output")(x)


MODEL = MLP
VARIANTS: dict[str, dict] = {
    "tiny": {"hidden": (8,)},
    "128": {},  # the course's Keras listing
    "512-512": {"hidden": (512, 512)},  # Keras' mnist_mlp
    "800": {"hidden": (800,), "dropout": 0.0},  # Simard et al. 2003
}
PUBLISHED = {"128": 101_770, "512-512": 669_706, "800": 636_010}  # 28x28 input, with biases


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two gray images of 28x28 pixels."""
    return {"image": ShapeDtypeStruct((2, 28, 28, 1), jnp.float32)}
