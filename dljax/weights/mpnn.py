"""MPNN as PyG's example ``qm9_nn_conv`` has it: lin0, conv (NNConv), gru, set2set, lin1, lin2."""

from typing import Any

from dljax.weights.layers import DENSE, dense
from dljax.weights.mapping import Entry


def entries(model: Any) -> list[Entry]:
    """The map for an MPNN; it is the same for all."""
    out = [*dense("input", "lin0"), *dense("head0", "lin1"), *dense("head1", "lin2")]
    out += dense("messages/edge0", "conv.nn.0") + dense("messages/edge1", "conv.nn.2")
    out += dense("messages/own", "conv.lin", bias=False)
    out.append(Entry("params/messages/own/bias", "conv.bias"))
    for here, there in (("gru", "gru"), ("set2set", "set2set.lstm")):
        for part, short in (("input", "ih"), ("hidden", "hh")):
            out += [
                Entry(f"params/{here}/{part}/kernel", f"{there}.weight_{short}_l0", DENSE),
                Entry(f"params/{here}/{part}/bias", f"{there}.bias_{short}_l0"),
            ]
    return out
