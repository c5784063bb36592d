"""MobileNetV2. Sandler et al. 2018, Inverted Residuals and Linear Bottlenecks, arXiv:1801.04381, Table 2."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import Conv, Dropout, batch_norm
from dljax.nn.depthwise import DepthwiseConv

# He et al. 2015, arXiv:1502.01852, fan-out form, as torchvision's.
_he_normal = nn.initializers.variance_scaling(2.0, "fan_out", "normal")
conv = partial(Conv, use_bias=False, kernel_init=_he_normal)
# Of a depthwise kernel [p, q, 1, c] torch counts one output channel as its fan-out: p q.
_he_depthwise = nn.initializers.variance_scaling(2.0, "fan_in", "normal")

Stage = tuple[int, int, int, int]  # t, c, n, s of Table 2
_TABLE: tuple[Stage, ...] = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def _round(channels: float, divisor: int = 8) -> int:
    """The nearest multiple of 8, at least 8, and not below nine tenths of ``channels``."""
    near = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return near + divisor if near < 0.9 * channels else near


class InvertedResidual(nn.Module):
    """1x1 to ``expansion`` times the channels, 3x3 depthwise, 1x1 without ReLU to ``width`` (Fig. 4d)."""

    expansion: int
    width: int
    stride: int
    padding: str | int
    epsilon: float
    momentum: float

    @nn.compact
    def __call__(self, x: Float[Array, "b h w c"], *, train: bool) -> Float[Array, "b p q d"]:
        norm = partial(batch_norm, train=train, epsilon=self.epsilon, momentum=self.momentum)
        c, y = x.shape[-1], x
        if self.expansion > 1:
            y = conv(self.expansion * c, (1, 1), name="expand")(y)
            y = jax.nn.relu6(norm(name="expand_bn")(y))
        y = DepthwiseConv(
            (3, 3),
            (self.stride, self.stride),
            padding=self.padding,
            kernel_init=_he_depthwise,
            name="depthwise",
        )(y)
        y = jax.nn.relu6(norm(name="depthwise_bn")(y))
        y = norm(name="project_bn")(conv(self.width, (1, 1), name="project")(y))
        return x + y if self.stride == 1 and c == self.width else y


class MobileNetV2(nn.Module):
    """3x3 convolution, inverted residuals, 1x1 convolution, average, dropout, Dense.

    Attributes:
        multiplier: of all widths (section 4); of the last convolution only above 1.
        stages: rows (expansion t, channels c, blocks n, stride s of the first) of Table 2.
        first: (channels, stride) of the first convolution.
        last: channels of the last convolution.
        padding: of 3x3 kernels; "SAME" puts an odd number's larger half after the image, as TensorFlow
            does, where 1 puts one pixel on either side, as torch does.
        epsilon, momentum: of BatchNorm.
    """

    classes: int = 1000
    multiplier: float = 1.0
    stages: tuple[Stage, ...] = _TABLE
    first: tuple[int, int] = (32, 2)
    last: int = 1280
    padding: str | int = 1
    epsilon: float = 1e-5
    momentum: float = 0.9
    dropout: float = 0.2

    @nn.compact
    def __call__(self, image: Float[Array, "b h w c"], *, train: bool) -> Float[Array, "b classes"]:
        norm = partial(batch_norm, train=train, epsilon=self.epsilon, momentum=self.momentum)
        width, stride = _round(self.multiplier * self.first[0]), self.first[1]
        x = conv(width, (3, 3), (stride, stride), padding=self.padding, name="conv1")(image)
        x = jax.nn.relu6(norm(name="bn1")(x))
        for i, (t, c, n, s) in enumerate(self.stages, 1):
            for j in range(n):
                x = InvertedResidual(
                    t,
                    _round(self.multiplier * c),
                    1 if j else s,
                    self.padding,
                    self.epsilon,
                    self.momentum,
                    name=f"block{i}_{j}",
                )(x, train=train)
        last = _round(max(1.0, self.multiplier) * self.last)
        x = jax.nn.relu6(norm(name="bn2")(conv(last, (1, 1), name="conv2")(x)))
        x = jnp.mean(x, axis=(1, 2))
        x = Dropout(self.dropout, name="dropout")(x, train=train)
        return nn.Dense(self.classes, kernel_init=nn.initializers.normal(0.01), name="output")(x)


MODEL = MobileNetV2
_KERAS = {"padding": "SAME", "epsilon": 1e-3, "momentum": 0.999}
VARIANTS: dict[str, dict] = {
    "tiny": {
        "stages": ((1, 8, 1, 1), (2, 8, 2, 2)),
        "first": (8, 1),
        "last": 8,
        "classes": 10,
    },
    "1.0": {},
    "0.5": {"multiplier": 0.5},
    "0.75": {"multiplier": 0.75},
    "1.4": {"multiplier": 1.4},
    "1.0-keras": _KERAS,
    "0.35-keras": {"multiplier": 0.35, **_KERAS},
    # For images of 32 pixels, halved three times in place of five.
    "small": {
        "first": (32, 1),
        "stages": ((1, 16, 1, 1), (6, 24, 2, 1), *_TABLE[2:]),
        "classes": 10,
    },
}
# torchvision's, timm's and Keras', without the moving statistics
PUBLISHED = {"1.0": 3_504_872, "1.0-keras": 3_504_872}
STATE = {"1.0": 34_112, "1.0-keras": 34_112}  # means and variances


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two color images of 224x224 pixels, 32x32 for "small", 8x8 for "tiny"."""
    side = {"tiny": 8, "small": 32}.get(variant, 224)
    return {"image": ShapeDtypeStruct((2, side, side, 3), jnp.float32)}
