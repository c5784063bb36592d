"""LeNet-5 as activatedgeek's port to PyTorch has it, the paper's names with the layer's number: C5 a
convolution over all of the 5x5 map, the last layer F7. Its images are enlarged to 32x32 pixels
(``--variant net --size 32``).
"""

from typing import Any

import numpy as np

from dljax.weights.layers import CONV, conv, dense
from dljax.weights.mapping import Entry, Join


def entries(model: Any) -> list[Entry]:
    """The map for a LeNet-5."""
    channels = model.features[1]

    def merge(kernel: np.ndarray) -> np.ndarray:
        return kernel.transpose(CONV).reshape(-1, len(kernel))

    def split(kernel: np.ndarray) -> tuple[np.ndarray]:
        rows, out = kernel.shape
        side = round((rows / channels) ** 0.5)
        return (kernel.reshape(side, side, channels, out).transpose(3, 2, 0, 1),)

    return [
        *conv("c1", "convnet.c1"),
        *conv("c3", "convnet.c3"),
        Entry("params/c5/kernel", "convnet.c5.weight", join=Join(merge, split)),
        Entry("params/c5/bias", "convnet.c5.bias"),
        *dense("f6", "fc.f6"),
        *dense("output", "fc.f7"),
    ]
