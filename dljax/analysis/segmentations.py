"""Looks for segmentation: outlines drawn over the images, and scores of whole images, in tiles if need be."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from dljax.analysis.boundaries import boundary, boundary_f1
from dljax.analysis.heat import colored
from dljax.analysis.pictures import grid, spread
from dljax.analysis.predictions import compiled, predict
from dljax.analysis.tiles import overlap_tiles
from dljax.data.pipeline import EvalSet
from dljax.tasks.segmentation import overlap
from dljax.types import Key, Task, Variables


@dataclass(frozen=True)
class Segmenter:
    """A task's likeliest class of every pixel of a set's images.

    Attributes:
        data: ``image`` [n, h, w, c], ``label`` [n, h, w].
        tile: side of the tiles that images are cut into; 0 takes them whole.
        margin: of ``overlap_tiles``.
        n: images, the first of the set; 0 for all.
    """

    task: Task
    data: EvalSet
    tile: int = 0
    margin: int = 0
    n: int = 0

    def __call__(self, variables: Variables) -> tuple[Mapping[str, np.ndarray], np.ndarray]:
        """Examples, and classes int [n, h, w]."""
        if not self.tile:
            examples, out = predict(self.task, variables, self.data, self.n or None)
            return examples, out.argmax(-1)
        n = min(self.n or len(self.data.source), len(self.data.source))
        batch = next(self.data.batches(n))
        compute = compiled(self.task)

        def function(images: np.ndarray) -> np.ndarray:
            return np.asarray(compute(variables, {"image": images}))

        outputs = [
            overlap_tiles(function, image, self.tile, self.margin).argmax(-1)
            for image in batch["image"]
        ]
        return batch, np.stack(outputs)


@dataclass(frozen=True)
class Outlines:
    """A look: images with the boundaries of the guess (red), of the truth (green), and of both (yellow)."""

    segmenter: Segmenter
    enlarge: int = 1

    def __call__(self, variables: Variables, key: Key) -> np.ndarray:
        examples, guess = self.segmenter(variables)
        shown = []
        for image, ours, truth in zip(examples["image"], guess, examples["label"], strict=True):
            picture = colored(spread(image)[None])[0].copy()
            lines: Any = np.stack([boundary(ours), boundary(truth)], -1)
            picture[lines.any(-1)] = 0.0
            picture[..., :2] += lines
            shown.append(picture)
        return grid(np.stack(shown), enlarge=self.enlarge)


@dataclass(frozen=True)
class SegmentationScores:
    """A look: "iou", "dice" (``tasks.segmentation.overlap``) and "boundary_f1", means over the images.

    Attributes:
        tolerance: of the boundaries, in pixels.
    """

    segmenter: Segmenter
    tolerance: float = 2.0

    def __call__(self, variables: Variables, key: Key) -> Mapping[str, float]:
        examples, guess = self.segmenter(variables)
        label = examples["label"]
        classes = int(max(guess.max(), label.max())) + 1
        arrays = (jnp.asarray(guess), jnp.asarray(label))
        iou, dice = overlap(*arrays, classes, jnp.ones(label.shape, bool))
        pairs = zip(guess, label, strict=True)
        edges = [boundary_f1(ours, truth, self.tolerance) for ours, truth in pairs]
        return {
            "iou": float(iou.mean()),
            "dice": float(dice.mean()),
            "boundary_f1": float(np.mean(edges)),
        }
