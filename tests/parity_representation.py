"""Rows of the table of parity: networks that learn without labels."""

from parity.cases import MAE, SIMCLR, image, masked
from parity_rows import DEEP, SHORT, Row

from dljax.models.representation import mae, simclr
from dljax.weights import mae as mae_names
from dljax.weights import simclr as simclr_names

REPRESENTATION_ROWS = {
    "transformers' MAE": Row(
        mae,
        "B/16",
        {**MAE, "encoder": mae.Encoder(*MAE["encoder"])},
        mae_names,
        masked(),
        ("representation.npz", "mae"),
        SHORT,
        first=True,
    ),
    **{
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
    },
}
