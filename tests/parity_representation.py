"""Rows of the table of parity: networks that learn without labels."""

from parity.cases import SIMCLR, image
from parity_rows import DEEP, Row

from dljax.models.representation import simclr
from dljax.weights import simclr as simclr_names

REPRESENTATION_ROWS = {
    f"torchvision's SimCLR, {name}": Row(
        simclr,
        "18",
        {"trunk": simclr.Trunk(SIMCLR["stages"], block), "features": SIMCLR["features"]},
        simclr_names,
        (image(SIMCLR["side"]),),
        ("representation.npz", f"simclr_{name}"),
        DEEP,
    )
    for name, block in (("block", simclr.Block), ("bottleneck", simclr.Bottleneck))
}
