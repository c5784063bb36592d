"""Sequence to sequence on PyTorch's layers: ``encoder`` and ``decoder``, each with ``embedding`` and ``rnn``,
and ``decoder.head``; multiplicative attention as ``decoder.attention.score`` and ``join``; additive attention
as ``decoder.attention.w``, ``u`` and ``v``, with ``encoder.begin``, ``decoder.cell`` (torch.nn.GRUCell of
[y, c]) and ``decoder.read``.
"""

from typing import Any

from dljax.weights.layers import DENSE, dense, embed, recurrent
from dljax.weights.mapping import Entry


def _side(side: str, model: Any) -> list[Entry]:
    """Stacked layers of the encoder or the decoder."""
    out = []
    for i in range(model.layers):
        out += recurrent(f"{side}/layer{i}", f"{side}.rnn", f"l{i}", model.cell.biases)
    return out


def _additive(model: Any) -> list[Entry]:
    """The layers of additive attention, on an encoder in both directions."""
    out = []
    for name, layer in (("forwards", "l0"), ("backwards", "l0_reverse")):
        out += recurrent(f"encoder/layer/{name}", "encoder.rnn", layer, model.cell.biases)
    out += dense("encoder/begin", "encoder.begin") + dense("decoder/read", "decoder.read")
    for name in "wuv":
        out.append(Entry(f"params/decoder/{name}", f"decoder.attention.{name}.weight", DENSE))
    for here, there, axes in (
        ("w_x", "weight_ih", DENSE),
        ("w_h", "weight_hh", DENSE),
        ("bias", "bias_ih", None),
        ("bias_h", "bias_hh", None),
    ):
        out.append(Entry(f"params/decoder/{here}", f"decoder.cell.{there}", axes))
    return out


def entries(model: Any) -> list[Entry]:
    """The map for a Seq2Seq."""
    out = [
        *embed("encoder/embed", "encoder.embedding"),
        *embed("decoder/embed", "decoder.embedding"),
    ]
    out += dense("decoder/head", "decoder.head")
    name = getattr(model.writer, "__name__", "")
    if name == "AdditiveDecoder":
        return out + _additive(model)
    if model.attends:
        for layer in ("score", "join"):
            out += dense(f"decoder/attention/{layer}", f"decoder.attention.{layer}", bias=False)
    return out + _side("encoder", model) + _side("decoder", model)
