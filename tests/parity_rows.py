"""A row of the tables of parity: one network beside its reference implementation."""

from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

GOLDEN = Path(__file__).parent / "parity" / "golden"

# Files of dljax.weights that are no architecture's map.
NO_MAPS = {"__init__", "mapping", "layers", "keras", "files", "torch_files", "keras_files", "start"}
NO_MAPS |= {
    "llama2c",  # it reads files, whose names are Meta's
    "diffusers",  # blocks of several maps
}


class Row(NamedTuple):
    """One comparison.

    Attributes:
        architecture, variant, changes: our model.
        names: its file in ``dljax.weights``.
        inputs: of the model, beside ``train``.
        golden: the file, and the name in it.
        tolerance: absolute, as a share of the largest value; and relative.
        channels_first: the reference's output has its channels before its sides.
        gain: of the recipe's kernels.
        map: the function of ``names``.
        first: of several outputs the first alone was recorded; else all, flattened in a row.
    """

    architecture: ModuleType
    variant: str
    changes: dict[str, Any]
    names: ModuleType
    inputs: tuple[np.ndarray, ...]
    golden: tuple[str, str]
    tolerance: tuple[float, float]
    channels_first: bool = False
    gain: float = 1.0
    map: str = "entries"
    first: bool = False

    def entries(self, model: Any) -> Any:
        return getattr(self.names, self.map)(model)


# float32 sums of at most 128 terms through at most 3 blocks: some ulps of the largest.
SHORT = (2e-6, 2e-5)
# float32 sums of up to 4608 terms through up to 53 layers, where errors add as a random walk:
# sqrt(53) x sqrt(4608) x 6e-8 = 3e-5 of the largest value.
DEEP = (3e-5, 1e-7)
# float32 through some 40 layers and norms: 1e-4 of the largest, where a wrong link is of order 1.
NORMS = (1e-4, 0.0)
