"""Multi-channel LSTM-CNN for sentiment. Vo et al. 2017, Multi-channel LSTM-CNN model for Vietnamese sentiment
analysis, doi:10.1109/KSE.2017.8119429; sizes as in the authors' program (github.com/ntienhuy/MultiChannel).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import ShapeDtypeStruct
from jaxtyping import Array, Float, Int

from dljax.nn import Conv, Dropout, cells
from dljax.nn.recurrent import Recurrent
from dljax.nn.token_model import uniform


class LSTMCNN(nn.Module):
    """One channel of filters over windows of words with their maxima over time, one channel of an LSTM, each
    with vectors of its own; a hidden layer on both, and logits.

    The token 0 fills sentences up: neither channel reads it. In the program, which fills up in front, both do.

    Attributes:
        vocabulary: number of tokens, 0 included.
        classes: number of classes.
        features: length of a word's vector.
        heights: words in the windows.
        filters: number of filters of each height.
        recurrent: width of the LSTM.
        hidden: width of the layer before the logits.
        dropout: after it.
    """

    vocabulary: int = 21_540
    classes: int = 3
    features: int = 200
    heights: tuple[int, ...] = (3, 5, 7)
    filters: int = 150
    recurrent: int = 128
    hidden: int = 200
    dropout: float = 0.2

    @nn.compact
    def __call__(self, tokens: Int[Array, "b t"], *, train: bool) -> Float[Array, "b classes"]:
        words = (tokens > 0).astype(jnp.float32)

        def vectors(name: str) -> Array:
            # Keras' draws for an embedding.
            init = uniform(0.05)
            return nn.Embed(self.vocabulary, self.features, embedding_init=init, name=name)(tokens)

        x = vectors("embed_cnn")
        x = (x * words[..., None].astype(x.dtype))[:, :, None]
        channels = []
        for h in self.heights:
            around = ((h - 1, h - 1), (0, 0))
            c = jax.nn.relu(Conv(self.filters, (h, 1), padding=around, name=f"conv{h}")(x))[:, :, 0]
            seen = nn.max_pool(words[..., None], (h,), padding=around[:1])
            channels.append(jnp.max(c * seen.astype(c.dtype), 1))
        lstm = Recurrent(self.recurrent, cells.LSTM, name="lstm")
        _, (h_last, _) = lstm(vectors("embed_lstm"), mask=words)
        x = jnp.concatenate([h_last, *channels], -1)
        x = jax.nn.sigmoid(nn.Dense(self.hidden, name="hidden")(x))
        x = Dropout(self.dropout, name="dropout")(x, train=train)
        return nn.Dense(self.classes, name="head")(x)


MODEL = LSTMCNN
VARIANTS: dict[str, dict] = {
    "tiny": {
        "vocabulary": 17,
        "classes": 2,
        "features": 4,
        "heights": (2, 3),
        "filters": 3,
        "recurrent": 5,
        "hidden": 6,
    },
    "vs": {},
}
# Computed from the program's layers: 2 x 21,540 x 200 of vectors, 150 (200 (3 + 5 + 7)) + 450 of filters,
# 4 x 128 (200 + 128 + 1) of the LSTM, (450 + 128 + 1) 200 and (200 + 1) 3 of the two last layers.
PUBLISHED = {"vs": 9_351_301}


def inputs(variant: str) -> dict[str, ShapeDtypeStruct]:
    """Two sentences of 8 tokens."""
    return {"tokens": ShapeDtypeStruct((2, 8), jnp.int32)}
