"""Sentence CNN. Kim 2014, Convolutional Neural Networks for Sentence Classification, arXiv:1408.5882, section 2.

c_i = ReLU(w x_i:i+h-1 + b),   the feature of a filter over h words is max_i c_i
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float, Int

from dljax.nn import Conv, Dropout
from dljax.nn.token_model import uniform


class TextCNN(nn.Module):
    """Words as vectors, filters over windows of them, each filter's maximum over time, logits.

    The token 0 fills sentences up. Its vector is zero, and windows without a word do not count, so that a
    sentence has the same logits however far it is filled up; in the paper's program they count.

    Attributes:
        vocabulary: number of tokens, 0 included.
        classes: number of classes.
        features: length of a word's vector.
        tables: of vectors: "tuned" ones are parameters, "static" ones lie in the collection "vectors" and
            stay as they are. Each filter is applied to all tables, and the results are added.
        heights: words in the windows.
        filters: number of filters of each height.
        dropout: of the features.
    """

    vocabulary: int = 16_186
    classes: int = 2
    features: int = 300
    tables: tuple[str, ...] = ("tuned",)
    heights: tuple[int, ...] = (3, 4, 5)
    filters: int = 100
    dropout: float = 0.5

    @nn.compact
    def __call__(self, tokens: Int[Array, "b t"], *, train: bool) -> Float[Array, "b classes"]:
        words = (tokens > 0).astype(jnp.float32)
        tables = [self._vectors(kind) for kind in self.tables]
        # One convolution of the sum, as convolution is linear; in the type of the first table.
        x = tables[0][tokens]
        for table in tables[1:]:
            x = x + table[tokens].astype(x.dtype)
        x = (x * words[..., None].astype(x.dtype))[:, :, None]
        maxima = []
        for h in self.heights:
            around = ((h - 1, h - 1), (0, 0))
            c = jax.nn.relu(Conv(self.filters, (h, 1), padding=around, name=f"conv{h}")(x))[:, :, 0]
            seen = nn.max_pool(words[..., None], (h,), padding=around[:1])
            maxima.append(jnp.max(c * seen.astype(c.dtype), 1))
        x = Dropout(self.dropout, name="dropout")(jnp.concatenate(maxima, -1), train=train)
        return nn.Dense(self.classes, name="head")(x)

    def _vectors(self, kind: str) -> Array:
        init, shape = uniform(0.25), (self.vocabulary, self.features)  # the paper's section 3.1
        if kind == "tuned":
            return self.param("embedding", init, shape)
        fixed = self.variable("vectors", "embedding", lambda: init(self.make_rng("params"), shape))
        return fixed.value


MODEL = TextCNN
VARIANTS: dict[str, dict] = {
    "tiny": {
        "vocabulary": 17,
        "features": 4,
        "tables": ("tuned", "static"),
        "heights": (2, 3),
        "filters": 3,
    },
    "rand": {},
    # Those that begin at vectors of another corpus.
    "static": {"tables": ("static",)},
    "non-static": {},
    "multichannel": {"tables": ("tuned", "static")},
}
# Computed for SST-2's 16,185 words (the paper's Table 1) and the token that fills up: 4,855,800 of vectors,
# 300 x 100 (3 + 4 + 5) + 300 of filters, 602 of the head.
PUBLISHED = {
    "rand": 5_216_702,
    "static": 360_902,
    "non-static": 5_216_702,
    "multichannel": 5_216_702,
}
STATE = {"static": 4_855_800, "multichannel": 4_855_800}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two sentences of 8 tokens."""
    return {"tokens": ShapeDtypeStruct((2, 8), jnp.int32)}
