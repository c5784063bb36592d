"""CIFAR-10. Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images, chapter 3:
50,000 + 10,000 photos of ten classes.
"""

from dljax.data import fake as fake_data
from dljax.data.pipeline import Arrays
from dljax.data.sources import images_in_memory

CLASSES = 10
NAMES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
SHAPE = (32, 32, 3)


def load(*, data: str = "", fake: bool = False) -> tuple[Arrays, Arrays]:
    """(train, test): ``image`` uint8 [n, 32, 32, 3], ``label`` int32 [n].

    Args:
        data: a folder of train.npz and test.npz, of Keras' cifar10 arrays (x_train ...), of
            train/<class>/*.png, or of a prepared TFDS set; "" looks in the user's TFDS folder
            (``TFDS_DATA_DIR``). The pickles of the authors' page are not read.
        fake: made-up images of the same shapes, fewer of them.
    """
    splits = (
        (fake_data.images(2000, SHAPE, CLASSES), fake_data.images(500, SHAPE, CLASSES, split=1))
        if fake
        else images_in_memory.load("cifar10", data, SHAPE, CLASSES)
    )
    return splits[0].named(NAMES), splits[1].named(NAMES)
