"""The sets that an image classifier's experiment chooses from, each with its transforms."""

from typing import NamedTuple

from dljax.data import images, transforms
from dljax.data.datasets import cifar10, digits, imagenet
from dljax.data.pipeline import Source, Transform


class ImageSet(NamedTuple):
    """Sources of training and test images, and how they become float32 [b, h, w, c].

    Attributes:
        augmented: transform of training images.
        plain: transform of test images.
        classes: number of classes.
    """

    train: Source
    test: Source
    augmented: Transform
    plain: Transform
    classes: int


def load(
    dataset: str, *, pad: int, flip: bool, data: str = "", fake: bool = False, size: int = 224
) -> ImageSet:
    """The set of a name, augmented as is usual for it.

    Photos of ImageNet are cropped at random, and standardized; CIFAR-10's are shifted and mirrored, and
    standardized; digits, at 32 pixels and in 0..1, are shifted.

    Args:
        dataset: "imagenet", "cifar10" or "digits".
        pad, flip: of ``images.pad_crop_flip``, for the small images.
        data, fake: of the dataset's own ``load``.
        size: side of ImageNet's crops in pixels.
    """
    if dataset == "imagenet":
        train, test = imagenet.load(data=data, fake=fake)
        crops = images.random_resized_crop(size), images.center_crop(size)
        augmented, plain = (transforms.chain(crop, images.standardize()) for crop in crops)
        return ImageSet(train, test, augmented, plain, imagenet.CLASSES)
    moved = images.pad_crop_flip(pad, flip=flip)
    if dataset == "cifar10":
        small, scaled = cifar10.load(data=data, fake=fake), images.standardize()
    else:
        small, scaled = digits.load(size=32, data=data, fake=fake), transforms.unit
    return ImageSet(*small, transforms.chain(moved, scaled), scaled, 10)
