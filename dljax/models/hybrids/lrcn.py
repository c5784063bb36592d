"""LRCN, a convolutional network on frames and an LSTM over them. Donahue et al. 2014, Long-term Recurrent
Convolutional Networks for Visual Recognition and Description, arXiv:1411.4389, section 4.
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float

from dljax.nn import Conv, Dropout, cells, dense, max_pool
from dljax.nn.recurrent import Recurrent


class Stage(NamedTuple):
    """A convolution + ReLU, and what follows it.

    Attributes:
        width: output channels.
        kernel, stride, pad, groups: of the convolution.
        pool: window and stride of a max-pooling after it; none by default.
        norm: local response normalization after that.
    """

    width: int
    kernel: int = 3
    stride: int = 1
    pad: int = 1
    groups: int = 1
    pool: tuple[int, int] | None = None
    norm: bool = False


# CaffeNet: AlexNet of two groups whose norms stand after the pooling.
CAFFENET = (
    Stage(96, 11, 4, 0, pool=(3, 2), norm=True),
    Stage(256, 5, 1, 2, 2, pool=(3, 2), norm=True),
    Stage(384),
    Stage(384, groups=2),
    Stage(256, groups=2, pool=(3, 2)),
)
SMALL = (Stage(16, pool=(2, 2)), Stage(32, pool=(2, 2)), Stage(64, pool=(2, 2)))


def local_response(x: Float[Array, "n h w c"]) -> Float[Array, "n h w c"]:
    """x / (1 + 1e-4 / 5 sum of x^2 over five channels)^(3/4). Krizhevsky et al. 2012, section 3.3; as Caffe
    has it.
    """
    wide = jnp.pad(x * x, ((0, 0), (0, 0), (0, 0), (2, 2)))
    near = sum(wide[..., i : i + x.shape[-1]] for i in range(5))
    return x / (1 + 2e-5 * near) ** 0.75


class LRCN(nn.Module):
    """Stages of convolution and a dense layer on each frame, an LSTM over time, the mean over frames of each
    frame's probabilities of the classes.

    Attributes:
        classes: number of classes.
        stages: of convolution.
        features: width of the dense layer.
        hidden: width of the LSTM.
        dropout: of the dense layer and of the LSTM's outputs.
    """

    classes: int = 101
    stages: tuple[Stage, ...] = CAFFENET
    features: int = 4096
    hidden: int = 256
    dropout: tuple[float, float] = (0.9, 0.5)

    @nn.compact
    def __call__(
        self, video: Float[Array, "b t h w c"], *, train: bool
    ) -> Float[Array, "b classes"]:
        """Logarithms of the probabilities."""
        b, t = video.shape[:2]
        x = video.reshape(b * t, *video.shape[2:])
        for i, stage in enumerate(self.stages, 1):
            x = jax.nn.relu(self._conv(stage, f"conv{i}")(x))
            x = max_pool(x, *stage.pool) if stage.pool else x
            x = local_response(x) if stage.norm else x
        # One row for each example again, as dropout is drawn by rows.
        x = jax.nn.relu(dense(self.features, name="fc6")(x.reshape(b, t, -1)))
        x = Dropout(self.dropout[0], name="dropout6")(x, train=train)
        x, _ = Recurrent(self.hidden, cells.LSTM, name="lstm")(x)
        x = Dropout(self.dropout[1], name="dropout7")(x, train=train)
        scores = jax.nn.log_softmax(dense(self.classes, name="head")(x), -1)
        return jax.nn.logsumexp(scores, 1) - jnp.log(t).astype(scores.dtype)

    def _conv(self, stage: Stage, name: str) -> nn.Module:
        size, strides = (stage.kernel, stage.kernel), (stage.stride, stage.stride)
        if stage.groups == 1:
            return Conv(stage.width, size, strides, stage.pad, name=name)
        return nn.Conv(
            stage.width, size, strides, stage.pad, feature_group_count=stage.groups, name=name
        )


MODEL = LRCN
VARIANTS: dict[str, dict] = {
    "tiny": {
        "classes": 4,
        "stages": (Stage(2, pool=(2, 2)), Stage(4, groups=2, pool=(3, 2), norm=True)),
        "features": 6,
        "hidden": 5,
        "dropout": (0.0, 0.0),
    },
    "small": {
        "classes": 40,
        "stages": SMALL,
        "features": 64,
        "hidden": 64,
        "dropout": (0.2, 0.0),
    },
    "activity": {},  # UCF-101: 16 frames of 227 x 227
}
# Computed: convolutions 34,944 + 307,456 + 885,120 + 663,936 + 442,624, fc6 9216 x 4096 + 4096, LSTM
# 4 x 256 (4096 + 256 + 1), head 257 x 101. Caffe's LSTM has one bias too.
PUBLISHED = {"activity": 44_570_341}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two videos: of 16 frames of 227 x 227 in color, but gray of 3 frames of 24 x 24 for "small" and 12 x 12
    for "tiny"."""
    shape = {"tiny": (3, 12, 12, 1), "small": (3, 24, 24, 1)}.get(variant, (16, 227, 227, 3))
    return {"video": ShapeDtypeStruct((2, *shape), jnp.float32)}
