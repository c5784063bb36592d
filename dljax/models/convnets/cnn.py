"""Small convolutional network for 28x28 images: the form that every tutorial teaches. Fukushima
1980, doi:10.1007/BF00344251; LeCun et al. 1989, doi:10.1162/neco.1989.1.4.541.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import Conv, Dropout, max_pool


class CNN(nn.Module):
    """Stages of 3x3 convolutions + ReLU, each ended by 2x2 max-pooling; then Dense layers.

    Attributes:
        stages: output channels of the convolutions of each stage.
        dropout: after the last stage.
        hidden: widths of Dense + ReLU + Dropout(``hidden_dropout``) before the output.
    """

    classes: int = 10
    stages: tuple[tuple[int, ...], ...] = ((32,), (64,))
    dropout: float = 0.5
    hidden: tuple[int, ...] = ()
    hidden_dropout: float = 0.5

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"], *, train: bool) -> Float[Array, "b classes"]:
        glorot = nn.initializers.xavier_uniform()  # Keras' default, where these networks come from
        x = image
        for s, widths in enumerate(self.stages, 1):
            for c, width in enumerate(widths, 1):
                conv = Conv(width, (3, 3), padding="VALID", kernel_init=glorot, name=f"conv{s}_{c}")
                x = jax.nn.relu(conv(x))
            x = max_pool(x)
        x = jnp.reshape(x, (x.shape[0], -1))
        x = Dropout(self.dropout, name="dropout")(x, train=train)
        for i, width in enumerate(self.hidden, 1):
            x = jax.nn.relu(nn.Dense(width, kernel_init=glorot, name=f"hidden{i}")(x))
            x = Dropout(self.hidden_dropout, name=f"hidden{i}_dropout")(x, train=train)
        return nn.Dense(self.classes, kernel_init=glorot, name="output")(x)


MODEL = CNN
VARIANTS: dict[str, dict] = {
    "tiny": {"stages": ((2,), (4,))},
    "course": {},  # Keras' simple_mnist_convnet
    "keras": {"stages": ((32, 64),), "dropout": 0.25, "hidden": (128,)},  # mnist_cnn
    "transfer": {  # mnist_transfer_cnn: five classes at a time
        "classes": 5,
        "stages": ((32, 32),),
        "dropout": 0.25,
        "hidden": (128,),
    },
    # A Keras listing of three convolutions, Dense 5 and Dense 2 that is often shown. It forgets the
    # Flatten before its Dense layers, without which they act on every pixel; here it is. Its two sigmoids
    # are a softmax here.
    "two-class": {
        "classes": 2,
        "stages": ((32,), (64,), (64,)),
        "dropout": 0.0,
        "hidden": (5,),
        "hidden_dropout": 0.0,
    },
}
PUBLISHED = {"course": 34_826, "keras": 1_199_882, "transfer": 600_165}  # with biases


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two gray images of 28x28 pixels."""
    return {"image": ShapeDtypeStruct((2, 28, 28, 1), jnp.float32)}
