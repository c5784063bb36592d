"""Labeled images in local files: idx, npz, and a folder per class. Nothing here unpickles."""

import gzip
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from dljax.data.pipeline import Examples
from dljax.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif")
_SPLITS = {"train": ("train", "training"), "test": ("test", "t10k", "testing", "val")}


def read_idx(path: Path) -> np.ndarray:
    """An array in LeCun's idx format (unsigned bytes), gzipped or not.

    Format: two zero bytes, the type (8), the number of axes, each axis as a big-endian int32, data.
    """
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read ({error}): truncated, or no gzip file") from None
    if len(raw) < 4 or raw[:3] != b"\0\0\x08" or not 1 <= raw[3] <= 4 or len(raw) < 4 + 4 * raw[3]:
        raise UserError(f"{path} is no idx file of bytes (it begins {raw[:4].hex()})")
    shape = struct.unpack(f">{raw[3]}i", raw[4 : 4 + 4 * raw[3]])
    data = np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3])
    if min(shape) < 0 or data.size != np.prod(shape, dtype=np.int64):
        raise UserError(f"{path} is truncated: {data.size} bytes where its header says {shape}")
    return data.reshape(shape)


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Every array of an npz file.

    Raises:
        UserError: it cannot be read, or holds objects, which would have to be unpickled.
    """
    try:
        with path.open("rb") as file:  # of a broken archive numpy would leave it open
            stored = np.load(file, allow_pickle=False)
            if isinstance(stored, np.ndarray):
                raise ValueError("a single array, as .npy files hold")
            arrays = {name: stored[name] for name in stored.files}
        odd = next((name for name, x in arrays.items() if not isinstance(x, np.ndarray)), None)
        if odd is not None:
            raise ValueError(f"{odd} in it is no array")
        return arrays
    except Exception as error:  # a damaged header is parsed as Python: TokenError, SyntaxError, ...
        why = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(f"{path} is no npz file of plain arrays, or damaged ({why})") from None


def class_folders(folder: Path, like: Path | None = None) -> tuple[list[Path], np.ndarray]:
    """(files, labels) of a folder with one folder of images per class.

    Args:
        folder: of one split.
        like: the training split's folder: a label is a class's position among its class folders,
            sorted, so that both splits mean the same by it; by default ``folder`` itself.

    Raises:
        UserError: fewer than two classes, a class without images, or one that ``like`` lacks; a
            folder, or a link to nothing, that is named like an image.
    """
    names = class_names(like or folder)
    if len(names) < 2:
        raise UserError(
            f"{like or folder}: expected one folder of images per class, found {len(names)}"
        )
    here = class_names(folder)
    if not here:
        raise UserError(f"{folder}: expected one folder of images per class, found none")
    paths, labels = [], []
    for name in here:
        home = folder / name
        if name not in names:
            raise UserError(
                f"{home}: no folder {name!r} in {like}, which says what the classes are: add it "
                "there, or remove it here"
            )
        found = sorted(images_below(home))
        if not found:
            raise UserError(f"{home} holds no images ({', '.join(SUFFIXES)})")
        paths += found
        labels += [names.index(name)] * len(found)
    return paths, np.asarray(labels, np.int32)


@contextmanager
def _listed(folder: Path) -> Iterator[Iterator[os.DirEntry]]:
    """The entries of a folder.

    Raises:
        UserError: it cannot be read.
    """
    try:
        entries = os.scandir(folder)
    except OSError as error:
        raise UserError(f"{folder} cannot be read: {error.strerror or error}") from None
    with entries:
        yield entries


def images_below(home: Path) -> Iterator[Path]:
    """The image files of a folder and of the folders in it."""
    # The listing tells files from folders: to ask of a million one by one takes minutes over a network.
    with _listed(home) as entries:
        for entry in entries:
            path = Path(entry.path)
            if path.suffix.lower() in SUFFIXES:
                if not entry.is_file():
                    what = "a folder" if entry.is_dir() else "a link to nothing"
                    raise UserError(
                        f"{path} is {what}: expected an image file; remove or rename it"
                    )
                yield path
            elif entry.is_dir(follow_symlinks=False):
                yield from images_below(path)


def class_names(folder: Path) -> list[str]:
    """Folders of a folder, but for the hidden ones that editors and notebooks leave."""
    with _listed(folder) as entries:
        names = [e.name for e in entries if e.is_dir() and not e.name.startswith(".")]
    return sorted(names, key=_natural)


def _natural(name: str) -> tuple:
    """Sorting key under which class folders 2 and 10 come in that order."""
    return (0, int(name), name) if name.isdecimal() else (1, 0, name)


# EXIF's orientations (tag 274) and the numbers by which pillow's ``transpose`` undoes them.
_TURNS = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}


def _upright(image: "Image") -> "Image":
    """The image turned as its EXIF data say."""
    try:
        turn = _TURNS.get(image.getexif().get(274, 1))
    except Exception:  # nothing is known from damaged EXIF data, so the image stays as it lies
        turn = None
    return image if turn is None else image.transpose(turn)  # type: ignore[arg-type]


def _shallow(image: "Image") -> "Image":
    """An image of 16-bit gray in 8 bits, 65535 as 255, with its transparent value as white."""
    from PIL import Image

    pixels = np.asarray(image).astype(np.int64)
    if pixels.min() < 0 or pixels.max() > 65535:
        raise ValueError(f"pixels of {pixels.min()} to {pixels.max()}, expected 8 or 16 bits")
    scaled = (pixels + 128) // 257
    if "transparency" in image.info:
        scaled[pixels == image.info["transparency"]] = 255
    return Image.fromarray(scaled.astype(np.uint8))


def decoded(file: Path | BinaryIO, name: object, channels: int = 3) -> "Image":
    """An image file, or its bytes, as people see it, in 8 bits: 1 channel is gray, 3 are RGB.

    It is turned as its EXIF data say, 16-bit gray is scaled, and transparency lies on white.

    Args:
        file: of any format that pillow knows.
        name: of the image in an error.
        channels: 1 or 3.

    Raises:
        UserError: it holds no image, a damaged one, or pixels that are no integers of 8 or 16 bits.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as image:
            image.load()
            upright = _upright(image)
            if upright.mode == "F":
                raise ValueError("floating-point pixels, expected 8 or 16 bits")
            if upright.mode.startswith("I"):
                upright = _shallow(upright)
            elif upright.has_transparency_data:
                white = Image.new("RGBA", upright.size, "white")
                upright = Image.alpha_composite(white, upright.convert("RGBA")).convert("RGB")
            return upright.convert("L" if channels == 1 else "RGB")
    except UnidentifiedImageError:
        raise UserError(f"{name} is no image, or truncated: its format is not known") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{name} is no image, or truncated ({error})") from None


def read_image(path: Path, channels: int) -> np.ndarray:
    """One image file as uint8 [h, w, channels]; channels 1 is gray, 3 is RGB."""
    pixels = np.asarray(decoded(path, path, channels))
    return pixels[..., None] if channels == 1 else pixels


def _idx_file(folder: Path, split: str, kind: str) -> Path | None:
    for name in _SPLITS[split]:
        found = sorted(folder.glob(f"{name}*{kind}*ubyte*"))
        if found:
            return found[0]
    return None


def _split_folder(folder: Path, split: str) -> Path | None:
    return next((folder / n for n in _SPLITS[split] if (folder / n).is_dir()), None)


def _from_npz(folder: Path) -> tuple[list[Path], dict[str, Examples]] | None:
    single = [folder] if folder.suffix == ".npz" else sorted(folder.glob("*.npz"))
    if not single:
        return None
    by_name = {p.stem: p for p in single}
    if "train" in by_name and "test" in by_name:
        used, pairs = [by_name["train"], by_name["test"]], {}
        for split, path in zip(("train", "test"), used, strict=True):
            arrays = read_npz(path)
            if not {"image", "label"} <= arrays.keys():
                raise UserError(f"{path} holds {sorted(arrays)}: expected image and label")
            pairs[split] = {"image": arrays["image"], "label": arrays["label"]}
        return used, pairs
    arrays = read_npz(single[0])
    if not {"x_train", "y_train", "x_test", "y_test"} <= arrays.keys():
        raise UserError(
            f"{single[0]} holds {sorted(arrays)}: expected x_train, y_train, x_test, y_test, or files "
            "train.npz and test.npz with image and label"
        )
    pairs = {s: {"image": arrays[f"x_{s}"], "label": arrays[f"y_{s}"]} for s in ("train", "test")}
    return single[:1], pairs


def labelled_images(folder: Path, shape: tuple[int, int, int], classes: int) -> dict[str, Examples]:
    """Train and test splits of a folder in one of these layouts.

    - idx, .gz or not: ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-...``;
    - npz: ``train.npz`` and ``test.npz`` with image and label, or one file with x_train, y_train,
      x_test, y_test;
    - images: ``train/<class>/*.png`` and ``test/<class>/*.png``; the classes are train's folders.

    Returns:
        {"train", "test"}: ``image`` uint8 [n, *shape], ``label`` int32 [n].
    """
    if not folder.exists():
        raise UserError(f"--data {folder}: no such folder")
    if folder.is_dir() and (images := _idx_file(folder, "train", "images")):
        names = [(s, k) for s in ("train", "test") for k in ("images", "labels")]
        found = {name: _idx_file(folder, *name) for name in names}
        for (split, kind), path in found.items():
            if path is None:
                raise UserError(f"{folder} has {images.name} but no idx file of {split} {kind}")
        arrays = {name: read_idx(path) for name, path in found.items() if path}
        out = {
            s: {"image": arrays[s, "images"], "label": arrays[s, "labels"]}
            for s in ("train", "test")
        }
    elif npz := _from_npz(folder):
        out = npz[1]
    elif folder.is_dir() and (train := _split_folder(folder, "train")):
        test = _split_folder(folder, "test")
        if test is None:
            raise UserError(f"{folder} has {train.name}/ but no test/")
        out = {}
        for split, home in (("train", train), ("test", test)):
            paths, label = class_folders(home, train)
            pixels = [read_image(p, shape[-1]) for p in paths]
            odd = next((i for i, x in enumerate(pixels) if x.shape != shape), None)
            if odd is not None:
                raise UserError(f"{paths[odd]} is {pixels[odd].shape}: expected {shape}")
            out[split] = {"image": np.stack(pixels), "label": label}
    else:
        raise UserError(
            f"--data {folder}: expected idx files (train-images-idx3-ubyte ...), train.npz and "
            "test.npz, or train/<class>/*.png and test/<class>/*.png"
        )
    return {split: _checked(out[split], f"{folder} ({split})", shape, classes) for split in out}


def _checked(examples: Examples, where: str, shape: tuple[int, int, int], classes: int) -> Examples:
    """The examples as uint8 [n, *shape] and int32 [n].

    Raises:
        UserError: images or labels of another kind, with the kind and some of the labels found.
    """
    image, label = examples["image"], examples["label"]
    if image.dtype != np.uint8:
        raise UserError(f"{where}: image is {image.dtype}, expected uint8")
    if image.ndim == 3 and shape[-1] == 1:
        image = image[..., None]
    if image.shape[1:] != shape:
        raise UserError(f"{where}: image is {image.shape}, expected (n, {str(shape)[1:]}")
    if label.ndim == 2 and label.shape[1] == 1:  # as in Keras' cifar10
        label = label[:, 0]
    wanted = f"labels must be 0 to {classes - 1}, a whole number for each image"
    if label.ndim == 2 and label.shape[1] == classes:
        raise UserError(f"{where}: {wanted}, found one-hot {label.shape}: save their argmax(1)")
    if label.shape != image.shape[:1]:
        raise UserError(f"{where}: {wanted}, found {label.shape} for images {image.shape}")
    if not len(label):
        raise UserError(f"{where}: no images")
    seen = np.unique(label)
    shown = ", ".join(map(repr, seen[:5].tolist())) + (", ..." if len(seen) > 5 else "")
    if not np.issubdtype(label.dtype, np.integer):
        raise UserError(f"{where}: {wanted}, found {label.dtype.name}: {shown}")
    if seen[0] < 0 or seen[-1] >= classes:
        odd = [int(x) for x in seen if not 0 <= x < classes][:5]
        raise UserError(f"{where}: {wanted}, found {', '.join(map(str, odd))}")
    return {"image": image, "label": label.astype(np.int32)}
