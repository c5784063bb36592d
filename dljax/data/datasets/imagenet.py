"""ImageNet (ILSVRC 2012). Russakovsky et al. 2015, arXiv:1409.0575: 1,281,167 training and 50,000
validation photos of 1000 classes.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dljax.data.pipeline import Examples, Source
from dljax.data.sources import images_on_disk, tfds
from dljax.errors import UserError
from dljax.folders import tfds_folder

CLASSES = 1000


def names() -> tuple[str, ...]:
    """A name for each class, in the order of their synsets' numbers; they are torchvision's."""
    file = Path(__file__).with_name("imagenet_names.txt")
    return tuple(file.read_text(encoding="utf-8").splitlines())


@dataclass(frozen=True)
class _Fake:
    """As many examples as the real split, all made from a few pictures: class i has color i mod 8."""

    size: int
    names: Sequence[str] = ()

    def __len__(self) -> int:
        return self.size

    def gather(self, indices: np.ndarray) -> Examples:
        label = (indices % CLASSES).astype(np.int32)
        encoded = np.empty(len(indices), object)
        encoded[:] = [_picture(int(i % 8)) for i in label]
        return {"encoded": encoded, "label": label}


def _picture(kind: int) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    color = tuple(255 * (kind >> channel & 1) for channel in range(3))
    Image.new("RGB", (80, 60), color).save(out, "PNG")
    return out.getvalue()


def load(*, data: str = "", fake: bool = False) -> tuple[Source, Source]:
    """(train, validation) sources of ``encoded`` image files and ``label``; decode them with
    ``dljax.data.images.random_resized_crop`` and ``center_crop``.

    Args:
        data: a folder with train/<class>/ and val/<class>/ (the classes are train's folders), or with
            a prepared TFDS set ``imagenet2012``; "" looks in the user's TFDS folder.
        fake: as many training examples, made on the fly, and 1000 for validation.
    """
    if fake:
        return _Fake(1_281_167, names()), _Fake(1000, names())
    home = Path(data).expanduser() if data else tfds_folder()
    version = tfds.find("imagenet2012", home)
    if version is not None:
        train, test = (
            tfds.open_split(version, split, encoded=True) for split in ("train", "validation")
        )
        parts = (images_on_disk.ImageRecords(part, names()) for part in (train, test))
        return next(parts), next(parts)
    if data and (home / "train").is_dir() and (home / "val").is_dir():
        split = home / "train"
        return images_on_disk.folder(split), images_on_disk.folder(home / "val", like=split)
    if data:
        raise UserError(f"--data {data}: expected train/<class>/ and val/<class>/ of image files")
    ways = tfds.ways_out("imagenet2012", "train/<class>/ and val/<class>/ image files")
    raise UserError(f"no imagenet2012 in {home}: {ways}")
