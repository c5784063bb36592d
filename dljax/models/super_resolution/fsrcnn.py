"""FSRCNN. Dong et al. 2016, Accelerating the Super-Resolution Convolutional Neural Network,
arXiv:1608.00367, section 3: FSRCNN(d, s, m).
"""

import flax.linen as nn
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import Conv, ConvTranspose, PReLU

# Section 3.3: He's initializer before PReLU, and a normal of deviation 0.001 for the deconvolution.
_HE = nn.initializers.variance_scaling(2.0, "fan_in", "normal")
_NEAR_ZERO = nn.initializers.normal(0.001)
_KERNEL = 9


class FSRCNN(nn.Module):
    """Feature extraction, shrinking, mapping, expanding, and a deconvolution with the stride ``scale``.

    Attributes:
        scale: sides of the output by those of the input, at most 5.
        features: d, channels of the small image's features.
        shrunk: s, channels of the mapping.
        mappings: m, 3x3 layers of the mapping.
    """

    scale: int = 3
    features: int = 56
    shrunk: int = 12
    mappings: int = 4

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"], *, train: bool) -> Float[Array, "b i j c"]:
        del train
        sizes = {"extract": (self.features, 5), "shrink": (self.shrunk, 1)}
        sizes |= {f"map{i}": (self.shrunk, 3) for i in range(1, self.mappings + 1)}
        x = image
        for name, (width, side) in {**sizes, "expand": (self.features, 1)}.items():
            x = Conv(width, (side, side), kernel_init=_HE, name=name)(x)
            x = PReLU(width, name=f"{name}_prelu")(x)
        x = ConvTranspose(
            image.shape[-1],
            (_KERNEL, _KERNEL),
            self.scale,
            "VALID",
            kernel_init=_NEAR_ZERO,
            name="deconvolve",
        )(x)
        # Pixel i of the small image lies at the kernel's center at scale * i, as in the authors' Caffe.
        (_, h, w, _), rim = image.shape, _KERNEL // 2
        return x[:, rim : rim + self.scale * h, rim : rim + self.scale * w]


MODEL = FSRCNN
VARIANTS: dict[str, dict] = {
    "tiny": {"scale": 2, "features": 8, "shrunk": 4, "mappings": 1},
    "x2": {"scale": 2},
    "x3": {"scale": 3},
    "x4": {"scale": 4},
}
# Weights 12,464 (the paper's count), biases 173, and a slope for each channel of a PReLU 172.
PUBLISHED = {"x2": 12_809, "x3": 12_809, "x4": 12_809}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two gray images of 8x8 pixels."""
    return {"image": ShapeDtypeStruct((2, 8, 8, 1), jnp.float32)}
