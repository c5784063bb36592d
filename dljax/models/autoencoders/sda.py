"""Stacked denoising autoencoder, as the classifier that it becomes. Vincent et al. 2010, Stacked Denoising
Autoencoders, JMLR 11:3371-3408, section 3.5.

The layers are pre-trained one by one, each as the encoder of an autoencoder of one layer; their decoders
are then left out and a layer of classes is put on top. Widths as in the Deep Learning Tutorials.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float


class StackedAutoencoder(nn.Module):
    """Encoders of sigmoids, then the classes' logits.

    Attributes:
        hidden: their widths.
    """

    classes: int = 10
    hidden: tuple[int, ...] = (1000, 1000, 1000)

    @nn.compact
    def __call__(self, image: Float[Array, "b ..."], *, train: bool) -> Float[Array, "b classes"]:
        del train
        glorot = nn.initializers.xavier_uniform()
        x = jnp.reshape(image, (image.shape[0], -1))
        for i, width in enumerate(self.hidden):
            x = jax.nn.sigmoid(nn.Dense(width, kernel_init=glorot, name=f"encoder_{i}")(x))
        return nn.Dense(self.classes, kernel_init=glorot, name="output")(x)


MODEL = StackedAutoencoder
VARIANTS: dict[str, dict] = {"tiny": {"hidden": (16, 8, 8)}, "1000": {}}
PUBLISHED = {"1000": 2_797_010}  # 784-1000-1000-1000-10, with biases


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two gray images of 28x28 pixels."""
    return {"image": ShapeDtypeStruct((2, 28, 28, 1), jnp.float32)}
