"""Files of the pictures and texts of looks."""

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from dljax.errors import UserError
from dljax.runtime.files import beside, write_text


def picture_or_text(name: str, shown: Any) -> np.ndarray | str:
    """A look's picture as uint8 [h, w] or [h, w, c], or its text.

    Args:
        shown: uint8, or floats in 0..1 that are clipped, [h, w] or [h, w, 1, 3 or 4]; or a text.

    Raises:
        UserError: it is neither; the message names the look, ``name``.
    """
    if isinstance(shown, str):
        return shown
    shown = np.asarray(shown)
    wanted = f"picture {name!r}: expected uint8, or floats in 0..1, [h, w] or [h, w, 1, 3 or 4]"
    flat = shown[..., 0] if shown.ndim == 3 and shown.shape[-1] == 1 else shown
    if not (flat.ndim == 2 or (flat.ndim == 3 and flat.shape[-1] in (3, 4))) or not flat.size:
        raise UserError(f"{wanted}, found {shown.dtype} {shown.shape}")
    if flat.dtype == np.uint8:
        return flat
    if not jnp.issubdtype(flat.dtype, np.floating):
        raise UserError(f"{wanted}, found {shown.dtype} {shown.shape}")
    flat = flat.astype(np.float32)
    # Half of the range is overshoot, which is clipped; more (-1..1, 0..255) is another scale. NaN too.
    if not (flat.min() >= -0.5 and flat.max() <= 1.5):
        found = f"{shown.dtype} {shown.shape} of {flat.min():.4g} to {flat.max():.4g}"
        raise UserError(f"{wanted}, found {found}")
    return np.clip(flat * 255 + 0.5, 0, 255).astype(np.uint8)


def store_picture(folder: Path, name: str, shown: Any) -> Path:
    """Store a look's picture as png, or its text as txt, and return the file."""
    shown = picture_or_text(name, shown)
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(shown, str):
        target = folder / f"{name}.txt"
        write_text(target, shown)
        return target
    from PIL import Image

    target = folder / f"{name}.png"
    with beside(target) as opened:
        Image.fromarray(shown).save(opened, "png")
    return target
