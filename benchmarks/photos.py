"""A worker of feeding.py: batches of photos from files, read and augmented as for ImageNet.

    python benchmarks/photos.py pipeline FOLDER

``pipeline``: dljax's, 64 files to random crops of 224 x 224, standardized; ``decoding``: their pixels
alone, as pillow decodes them; ``tfds``: TFDS' own reader of the same files, its records decoded.
FOLDER is one that ``write`` has filled.
"""

import argparse
import io
import itertools
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from worker import serve

from dljax.data import Pipeline, images, transforms
from dljax.data.sources import images_on_disk

BATCH = 64
_COUNT, _SIZE = 256, (500, 375)  # ImageNet's most frequent size


def write(folder: Path) -> None:
    """Made-up JPEG files in two classes: as large as ImageNet's, about 110 kB, and as hard to decode."""
    rng = np.random.default_rng(0)
    for i in range(_COUNT):
        home = folder / "files" / str(i % 2)
        home.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8))
        smooth = np.asarray(coarse.resize(_SIZE, Image.Resampling.BICUBIC), np.float32)
        grain = rng.normal(0, 22, smooth.shape)
        pixels = np.clip(smooth + grain, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(home / f"{i}.jpg", quality=88)


def pipeline(folder: Path) -> Callable[[int], None]:
    transform = transforms.chain(images.random_resized_crop(224), images.standardize())
    data = Pipeline(images_on_disk.folder(folder / "files"), BATCH, transform=transform)
    steps = itertools.count()

    def run(batches: int) -> None:
        for _ in range(batches):
            image = data.batch(next(steps))["image"]
            assert image.shape == (BATCH, 224, 224, 3) and image.dtype == np.float32

    return run


def decoding(folder: Path) -> Callable[[int], None]:
    raw = [path.read_bytes() for path in sorted((folder / "files").rglob("*.jpg"))[:BATCH]]

    def run(batches: int) -> None:
        for _ in range(batches):
            for content in raw:
                image = Image.open(io.BytesIO(content))
                image.load()
                assert image.size == _SIZE

    return run


def tfds(folder: Path) -> Callable[[int], None]:
    import tensorflow_datasets as ds

    class Photos(ds.core.GeneratorBasedBuilder):
        VERSION = ds.core.Version("1.0.0")
        pkg_dir_path = folder  # a builder in a file that is no package

        def _info(self):
            features = {
                "image": ds.features.Image(encoding_format="jpeg"),
                "label": ds.features.ClassLabel(num_classes=2),
            }
            return ds.core.DatasetInfo(builder=self, features=ds.features.FeaturesDict(features))

        def _split_generators(self, manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for path in sorted((folder / "files").rglob("*.jpg")):
                yield path.name, {"image": path, "label": int(path.parent.name)}

    builder = Photos(data_dir=folder, file_format="array_record")
    builder.download_and_prepare()
    source = builder.as_data_source("train")
    order = np.random.default_rng(0).permutation(len(source))

    def run(batches: int) -> None:
        for i in range(batches):
            at = order[i * BATCH % len(order) :][:BATCH].tolist()
            assert source.__getitems__(at)[0]["image"].shape == (*_SIZE[::-1], 3)

    return run


READERS = {"pipeline": pipeline, "decoding": decoding, "tfds": tfds}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("reader", choices=READERS)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    said, sys.stdout = sys.stdout, sys.stderr  # TFDS talks while it prepares
    run = READERS[options.reader](options.folder)
    sys.stdout = said
    serve(run, 0, f"numpy {np.__version__}")


if __name__ == "__main__":
    main()
