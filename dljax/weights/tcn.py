"""The authors' program (github.com/locuslab/TCN): tcn.network.{i}.conv1 and conv2 with ``weight_g`` and
``weight_v``, downsample, linear. Its file has each convolution twice, as ``net.0`` and ``net.4`` too.
"""

from typing import Any

from dljax.weights.mapping import Entry, reshaped

_TIME = (2, 1, 0)  # [out, in, times] there, [times, in, out] here


def entries(model: Any) -> list[Entry]:
    """The map for a TCN."""
    out: list[Entry] = []
    channels = model.channels
    for i, width in enumerate(model.widths):
        there = f"tcn.network.{i}"
        for j, twin in ((1, 0), (2, 4)):
            here = f"params/block{i}_conv{j}"
            length = reshaped((width, 1, 1), (width,))
            out += [
                Entry(f"{here}/scale", f"{there}.conv{j}.weight_g", join=length),
                Entry(f"{here}/kernel", f"{there}.conv{j}.weight_v", _TIME),
                Entry(f"{here}/bias", f"{there}.conv{j}.bias"),
            ]
            for leaf in ("weight_g", "weight_v", "bias"):
                out.append(Entry("", f"{there}.net.{twin}.{leaf}"))
        if width != channels:
            here, there = f"params/block{i}_skip", f"{there}.downsample"
            join = reshaped((width, channels, 1), (width, channels))
            out.append(Entry(f"{here}/kernel", f"{there}.weight", (1, 0), join))
            out.append(Entry(f"{here}/bias", f"{there}.bias"))
        channels = width
    head = Entry("params/head/kernel", "linear.weight", (1, 0))
    return [*out, head, Entry("params/head/bias", "linear.bias")]
