"""Fashion-MNIST. Xiao et al. 2017, arXiv:1708.07747: 60,000 + 10,000 photos of clothes."""

from dljax.data import fake as fake_data
from dljax.data.pipeline import Arrays
from dljax.data.sources import images_in_memory

CLASSES = 10
NAMES = ("top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")
SHAPE = (28, 28, 1)


def load(*, data: str = "", fake: bool = False) -> tuple[Arrays, Arrays]:
    """(train, test): ``image`` uint8 [n, 28, 28, 1], ``label`` int32 [n].

    Args:
        data: a folder of idx (.gz), npz or png files, or of a prepared TFDS set; "" looks in the
            user's TFDS folder (``TFDS_DATA_DIR``).
        fake: made-up images of the same shapes, fewer of them.
    """
    splits = (
        (fake_data.images(2000, SHAPE, CLASSES), fake_data.images(500, SHAPE, CLASSES, split=1))
        if fake
        else images_in_memory.load("fashion_mnist", data, SHAPE, CLASSES)
    )
    return splits[0].named(NAMES), splits[1].named(NAMES)
