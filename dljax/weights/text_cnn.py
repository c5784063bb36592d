"""The sentence CNN of github.com/Shawn1993/cnn-text-classification-pytorch: embed, convs1 (Conv2d over a height
of words and the width of a vector), fc1.
"""

from typing import Any

from dljax.weights.layers import dense
from dljax.weights.mapping import Entry

# [out, 1, words, vector] there, [words, 1, vector, out] here.
_FILTERS = (2, 1, 3, 0)


def entries(model: Any) -> list[Entry]:
    """The map for a sentence CNN of one table of vectors."""
    collection = "params" if "tuned" in model.tables else "vectors"
    out = [Entry(f"{collection}/embedding", "embed.weight"), *dense("head", "fc1")]
    for i, h in enumerate(model.heights):
        out.append(Entry(f"params/conv{h}/kernel", f"convs1.{i}.weight", _FILTERS))
        out.append(Entry(f"params/conv{h}/bias", f"convs1.{i}.bias"))
    return out
