"""T91 to learn super-resolution from, Set5 to measure it. Yang et al. 2010, doi:10.1109/TIP.2010.2050625;
Bevilacqua et al. 2012, doi:10.5244/C.26.135.
"""

from pathlib import Path

import numpy as np

from dljax.data import fake as fake_data
from dljax.data.sources.formats import images_below, read_image
from dljax.errors import UserError

_SUFFIX = "_HR"  # Set5 as it is mostly passed on has x2, x3, x4 folders, with small images beside


def load(*, data: str = "", fake: bool = False) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """(train, test): photos, uint8 [h, w, 3] each, in the order of their names.

    Args:
        data: a folder with t91/ and set5/, image files in each or below; where names end in _HR (large) and
            _LR (small), the large ones of the first folder that has any.
        fake: made-up photos of 96x96 pixels.

    Raises:
        UserError: there is no such folder, or it has no images.
    """
    if fake:
        made = (fake_data.images(n, (96, 96, 3), 2, split=i) for i, n in enumerate((8, 2)))
        train, test = (list(part.arrays["image"]) for part in made)
        return train, test
    return _photos(data, "t91"), _photos(data, "set5")


def _photos(data: str, name: str) -> list[np.ndarray]:
    folder = Path(data, name)
    found = sorted(images_below(folder)) if data and folder.is_dir() else []
    large = [path for path in found if path.stem.endswith(_SUFFIX)]
    found = [path for path in large if path.parent == large[0].parent] or found
    if not found:
        raise UserError(
            f"no images in '{folder}': give a folder with t91/*.png and set5/*.png with --data FOLDER; or "
            "try --fake true"
        )
    return [read_image(path, 3) for path in found]
