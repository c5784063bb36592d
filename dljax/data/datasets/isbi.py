"""Membranes in electron-microscopy slices of a fly's nerve cord: the ISBI 2012 challenge, Cardona et
al. 2010, doi:10.1371/journal.pbio.1000502; Arganda-Carreras et al. 2015, doi:10.3389/fnana.2015.00142.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from dljax.data import fake as fake_data
from dljax.data.pipeline import Arrays, Examples, uniform
from dljax.data.sources.formats import read_image
from dljax.errors import UserError

CLASSES = 2  # 0 membrane, 1 cell
_HELD_OUT = 5  # every fifth slice is a test slice
_MEANING = "expected 0 (membrane) and 255 (cell)"


def load(*, data: str = "", fake: bool = False) -> tuple[Arrays, Arrays]:
    """(train, test): ``image`` uint8 [n, h, w, 1], ``label`` int32 [n, h, w].

    Args:
        data: a folder with image/*.png and label/*.png of the same names; labels are 0 (membrane)
            and 255 (cell).
        fake: made-up slices of the real ones' 512x512 pixels.

    Raises:
        UserError: slices or labels are absent or of several sizes, or labels have other values (masks
            saved as 0 and 1 would be all membrane, and easily learned).
    """
    if fake:
        return fake_data.regions(8, 512), fake_data.regions(2, 512, split=1)
    if not data or not Path(data, "image").is_dir():
        raise UserError(
            f"no folder '{Path(data, 'image')}': give a folder with image/*.png and label/*.png (the "
            "ISBI 2012 slices) with --data FOLDER; or try --fake true"
        )
    paths = sorted(Path(data, "image").glob("*.png"), key=lambda p: (len(p.stem), p.stem))
    if len(paths) < 2:
        raise UserError(f"{Path(data, 'image')} holds {len(paths)} png files: expected 2 or more")
    images, labels = [], []
    for path in paths:
        twin = Path(data, "label", path.name)
        if not twin.is_file():
            raise UserError(f"{path} has no label {twin}")
        images.append(read_image(path, 1))
        pixels = read_image(twin, 1)[..., 0]
        other = np.setdiff1d(pixels, (0, 255))
        if len(other):
            raise UserError(
                f"{twin} holds the value {other[0]}: {_MEANING}; save the masks as those"
            )
        labels.append((pixels == 255).astype(np.int32))
        if images[-1].shape != images[0].shape or labels[-1].shape != images[0].shape[:2]:
            raise UserError(f"{path} is {images[-1].shape}: slices and labels must have one size")
    image, label = np.stack(images), np.stack(labels)
    if label.min() == label.max():
        raise UserError(f"all labels in {twin.parent} hold {255 * label.max()} alone: {_MEANING}")
    test = np.arange(len(paths)) % _HELD_OUT == _HELD_OUT - 1 if len(paths) >= _HELD_OUT else None
    test = np.arange(len(paths)) == len(paths) - 1 if test is None else test
    return (
        Arrays({"image": image[~test], "label": label[~test]}),
        Arrays({"image": image[test], "label": label[test]}),
    )


def crops(size: int) -> Callable[[Examples, np.ndarray], Examples]:
    """A transform: a random ``size`` x ``size`` window in one of its eight orientations."""

    def transform(examples: Examples, seeds: np.ndarray) -> Examples:
        h, w = examples["label"].shape[1:3]
        if size > min(h, w):
            raise UserError(f"crops of {size} pixels from slices of {h}x{w}")
        tops = (uniform(seeds, "top") * (h - size + 1)).astype(int)
        lefts = (uniform(seeds, "left") * (w - size + 1)).astype(int)
        turns = (uniform(seeds, "orientation") * 8).astype(int)

        def oriented(stack: np.ndarray) -> np.ndarray:
            out = []
            for x, top, left, turn in zip(stack, tops, lefts, turns, strict=True):
                window = np.rot90(x[top : top + size, left : left + size], turn % 4)
                out.append(window[:, ::-1] if turn >= 4 else window)
            return np.stack(out)

        return {name: oriented(stack) for name, stack in examples.items()}

    return transform
