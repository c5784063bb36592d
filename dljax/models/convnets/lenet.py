"""LeNet-5. LeCun et al. 1998, Gradient-Based Learning Applied to Document Recognition,
doi:10.1109/5.726791, Fig. 2.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import Conv, max_pool


class LeNet5(nn.Module):
    """LeNet-5 in the form in use today: 28x28 input padded to 32x32, dense C3, max-pooling, ReLU, softmax.

    The paper's sparse C3, trainable subsampling, scaled tanh and RBF output have 60,000 parameters;
    these deviations, which every current implementation shares, have 61,706.
    """

    classes: int = 10
    features: tuple[int, int] = (6, 16)
    hidden: tuple[int, int] = (120, 84)
    padding: int = 2  # C1 on a 28x28 image padded to the paper's 32x32

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"], *, train: bool) -> Float[Array, "b classes"]:
        del train  # nothing in LeNet-5 differs between training and use
        pad = ((self.padding, self.padding),) * 2
        x = jax.nn.relu(Conv(self.features[0], (5, 5), padding=pad, name="c1")(image))
        x = max_pool(x)  # S2
        x = jax.nn.relu(Conv(self.features[1], (5, 5), padding="VALID", name="c3")(x))
        x = max_pool(x)  # S4
        x = jnp.reshape(x, (x.shape[0], -1))
        x = jax.nn.relu(nn.Dense(self.hidden[0], name="c5")(x))
        x = jax.nn.relu(nn.Dense(self.hidden[1], name="f6")(x))
        return nn.Dense(self.classes, name="output")(x)


MODEL = LeNet5
VARIANTS: dict[str, dict] = {
    "tiny": {"features": (2, 4), "hidden": (16, 12)},
    "5": {},
    # For images of 32x32, gray ones or, as in PyTorch's tutorial "Training a Classifier", in color.
    "net": {"padding": 0},
}
# With biases: the dense-C3 28x28 form, and the tutorial's.
PUBLISHED = {"5": 61_706, "net": 62_006}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two gray images of 28x28 pixels; for "net" color images of 32x32."""
    shape = (32, 32, 3) if variant == "net" else (28, 28, 1)
    return {"image": ShapeDtypeStruct((2, *shape), jnp.float32)}
