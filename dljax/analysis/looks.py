"""Looks for many kinds of models: samples, and images beside a model's images for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jax
import numpy as np

from dljax.analysis.distances import energy_distance
from dljax.analysis.pictures import grid
from dljax.analysis.predictions import predict
from dljax.data.pipeline import EvalSet
from dljax.types import Key, Sample, Task, Variables


@dataclass(frozen=True)
class Samples:
    """A look: ``n`` samples of a task, as a grid. ``dljax sample RUN --n N`` draws another number.

    Attributes:
        sample: of a task; images in 0..1.
        columns: images per row.
        enlarge: pixels per pixel, along each side.
    """

    sample: Sample
    n: int = 32
    columns: int = 8
    enlarge: int = 2

    def __call__(self, variables: Variables, key: Key) -> np.ndarray:
        images = self.sample(variables, key, self.n)
        return grid(images, self.columns, enlarge=self.enlarge)


@dataclass(frozen=True)
class Rows:
    """A look at the data: a row of each named array of a batch, as a network is given them.

    Attributes:
        data: ``names``, each in 0..1.
        n: images in a row, the first ones.
        enlarge: pixels per pixel, along each side.
    """

    data: EvalSet
    names: Sequence[str] = ("image",)
    n: int = 12
    enlarge: int = 2

    def __call__(self, variables: Variables, key: Key) -> np.ndarray:
        batch = next(self.data.batches(self.n))
        rows = np.concatenate([batch[name] for name in self.names])
        return grid(rows, len(rows) // len(self.names), enlarge=self.enlarge)


@dataclass(frozen=True)
class Likeness:
    """A look: "energy", the energy distance between samples and as many examples of a set.

    Attributes:
        sample: of a task; images in 0..1.
        data: ``image`` in ``low``..1.
        n: number of samples, at most the number of examples.
        low: pixel value of black in ``data``.
    """

    sample: Sample
    data: EvalSet
    n: int = 1000
    low: float = 0.0

    def __call__(self, variables: Variables, key: Key) -> Mapping[str, float]:
        n = min(self.n, len(self.data.source))
        image = next(self.data.batches(n))["image"]
        real = (image - self.low) / (1 - self.low)
        return {"energy": float(energy_distance(real, self.sample(variables, key, n)))}


@dataclass(frozen=True)
class Beside:
    """A look: rows of a set's first images, of a model's images for them, and of the truth, if any.

    Attributes:
        data: ``image`` in 0..1; a ``label`` for every pixel is the truth.
        n: images in a row.
        enlarge: pixels per pixel, along each side.
    """

    task: Task
    data: EvalSet
    n: int = 8
    enlarge: int = 2

    def __call__(self, variables: Variables, key: Key) -> np.ndarray:
        examples, out = predict(self.task, variables, self.data, self.n)
        image = examples["image"][..., 0] if examples["image"].shape[-1] == 1 else examples["image"]
        label = examples.get("label")
        if label is None or label.ndim < 3:
            shown = out[..., 0] if out.shape[-1] == 1 else out
            return grid(np.concatenate([image, shown]), len(image), enlarge=self.enlarge)
        # The probability of the second of two classes; of more, the likeliest class as a gray.
        classes = out.shape[-1]
        guess = jax.nn.softmax(out)[..., 1] if classes == 2 else out.argmax(-1) / (classes - 1)
        rows = np.concatenate([image, guess, label / (classes - 1)])
        return grid(rows, len(image), enlarge=self.enlarge)
