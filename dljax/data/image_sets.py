"""The sets that an image classifier's experiment chooses from, each with its transforms."""

from typing import NamedTuple

from dljax.data import images, transforms, versions
from dljax.data.datasets import cifar10, digits, fashion_mnist, imagenet, mnist
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


class Crops(NamedTuple):
    """Sources of training and test images, and how they become float32 [b, size, size, c] in 0..1.

    Attributes:
        crop: a random part of the image, mirrored where that does not change its meaning.
        distorted: the same in other colors or tones (``versions``), but of digits.
        plain: transform of test images.
        classes: number of classes.
    """

    train: Source
    test: Source
    crop: Transform
    distorted: Transform
    plain: Transform
    classes: int


def crops(
    dataset: str, *, size: int = 0, least_area: float = 0.0, data: str = "", fake: bool = False
) -> Crops:
    """The set of a name, for networks that learn without labels.

    Args:
        dataset: "imagenet", "cifar10", "fashion_mnist", "mnist" or "digits".
        size: side in pixels; 0 is 224 for ImageNet's photos, 32 for CIFAR-10 and 16 for the gray images.
        least_area: of a crop; 0 is 0.08 for photos and 0.4 for the gray images.
        data, fake: of the dataset's own ``load``.
    """
    home = {
        "imagenet": imagenet,
        "cifar10": cifar10,
        "fashion_mnist": fashion_mnist,
        "mnist": mnist,
        "digits": digits,
    }[dataset]
    train, test = home.load(data=data, fake=fake)
    photos = dataset in ("imagenet", "cifar10")
    size = size or {"imagenet": 224, "cifar10": 32}.get(dataset, 16)
    least_area = least_area or (0.08 if photos else 0.4)
    flip = dataset not in ("mnist", "digits")
    crop = images.random_resized_crop(size, least_area, flip=flip)
    colors = {
        "imagenet": (versions.distorted(),),
        "cifar10": (versions.distorted(0.5, blur=False),),
        "fashion_mnist": (versions.toned(),),
    }.get(dataset, ())
    whole = images.center_crop(size) if dataset == "imagenet" else images.resize(size)
    unit, chain = transforms.unit, transforms.chain
    return Crops(
        train,
        test,
        chain(crop, unit),
        chain(crop, *colors, unit),
        chain(whole, unit),
        home.CLASSES,
    )
