"""ResNets: torchvision's ``resnet18`` to ``resnet152``, and the CIFAR ones in the layout that PyTorch
ports share (``layer1.0.conv1.weight``, ``linear.weight``).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from dljax.weights.mapping import Entry, to_params

_KERNEL = (2, 3, 1, 0)  # OIHW to HWIO


def _norm(ours: str, theirs: str) -> tuple[list[Entry], list[Entry]]:
    return (
        [Entry(f"{ours}/scale", f"{theirs}.weight"), Entry(f"{ours}/bias", f"{theirs}.bias")],
        [
            Entry(f"{ours}/mean", f"{theirs}.running_mean"),
            Entry(f"{ours}/var", f"{theirs}.running_var"),
        ],
    )


def entries(
    stages: Sequence[int], convs: int, projected: Sequence[int], head: str
) -> tuple[list[Entry], list[Entry]]:
    """(parameters, moving statistics).

    Args:
        stages: blocks per stage.
        convs: convolutions per block, 2 or 3.
        projected: stages whose first block has a 1x1 convolution on its shortcut.
        head: the last layer's name there.
    """
    layers = [("", "", 1)]
    shortcuts = []
    for s, blocks in enumerate(stages, 1):
        for b in range(blocks):
            layers += [(f"layer{s}_{b}/", f"layer{s}.{b}.", i) for i in range(1, convs + 1)]
        if s - 1 in projected:
            shortcuts.append((f"layer{s}_0/shortcut_", f"layer{s}.0.downsample."))
    pairs = [(f"{o}conv{i}", f"{t}conv{i}", f"{o}bn{i}", f"{t}bn{i}") for o, t, i in layers]
    pairs += [(f"{o}conv", f"{t}0", f"{o}bn", f"{t}1") for o, t in shortcuts]
    params = [
        Entry("output/kernel", f"{head}.weight", (1, 0)),
        Entry("output/bias", f"{head}.bias"),
    ]
    stats = []
    for our_conv, their_conv, our_norm, their_norm in pairs:
        params.append(Entry(f"{our_conv}/kernel", f"{their_conv}.weight", _KERNEL))
        scale, moving = _norm(our_norm, their_norm)
        params += scale
        stats += moving
    return params, stats


def from_torchvision(
    state: Mapping[str, Any], stages: Sequence[int], block: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Our (params, batch_stats) from its ``state_dict``; ``stages`` and ``block`` of the variant."""
    projected = (1, 2, 3) if block == "basic" else (0, 1, 2, 3)
    params, stats = entries(stages, 2 if block == "basic" else 3, projected, "fc")
    return to_params(params, state), to_params(stats, state)


def from_cifar(state: Mapping[str, Any], blocks: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Our (params, batch_stats) of ``resnet_cifar`` from such a port's ``state_dict``, a
    ``module.`` before every name (DataParallel) taken off."""
    state = {name.removeprefix("module."): value for name, value in state.items()}
    params, stats = entries((blocks,) * 3, 2, (), "linear")
    return to_params(params, state), to_params(stats, state)
