"""Pictures made for captions: are they found by them, and are they copies?"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from dljax.analysis.neighbors import nearest
from dljax.analysis.pictures import in_turn
from dljax.data.pipeline import EvalSet
from dljax.types import Key, Sample, Variables


def retrieved(made, captions, pictures, of) -> float:
    """The part of pictures made for captions whose nearest real picture has the caption.

    Args:
        made: pictures [n, ...], and ``captions`` [n, s] for which they were made.
        pictures: real ones [m, ...], and ``of`` [m, s] their captions.
    """
    found = np.asarray(of)[nearest(made, pictures).which[:, 0]]
    return float((found == np.asarray(captions)).all(1).mean())


@dataclass(frozen=True)
class Retrieval:
    """A look: "accuracy" of retrieval among the held-out pictures by pictures made for their captions.

    Beside it stand "chance", one by the number of captions, and "copied", the accuracy of the training
    pictures nearest to those that were made: what is gained over it is no copy.

    Attributes:
        sample: ``told=`` captions int32 [n, s] -> the sample of a task; images in 0..1.
        train, test: ``image`` in 0..1 and ``caption``, of different captions.
        n: number of pictures, made for the first captions of ``test``.
    """

    sample: Callable[..., Sample]
    train: EvalSet
    test: EvalSet
    n: int = 200

    def __call__(self, variables: Variables, key: Key) -> Mapping[str, float]:
        real = next(self.test.batches(len(self.test.source)))
        known = next(self.train.batches(len(self.train.source)))["image"]
        captions = real["caption"][: self.n]
        made = np.asarray(self.sample(told=captions)(variables, key, len(captions)))
        copies = known[nearest(made, known).which[:, 0]]
        found = real["image"], real["caption"]
        return {
            "accuracy": retrieved(made, captions, *found),
            "copied": retrieved(copies, captions, *found),
            "chance": 1 / len(np.unique(real["caption"], axis=0)),
        }


@dataclass(frozen=True)
class ForCaptions:
    """A look: held-out pictures, below each those made for its caption, then the nearest training pictures.

    Attributes:
        sample, train, test: of ``Retrieval``.
        columns: pictures in a row.
        rows: such triples of rows.
        enlarge: pixels per pixel, along each side.
    """

    sample: Callable[..., Sample]
    train: EvalSet
    test: EvalSet
    columns: int = 10
    rows: int = 2
    enlarge: int = 2

    def __call__(self, variables: Variables, key: Key) -> np.ndarray:
        n = min(self.columns * self.rows, len(self.test.source))
        real = next(self.test.batches(len(self.test.source)))
        known = next(self.train.batches(len(self.train.source)))["image"]
        made = np.asarray(self.sample(told=real["caption"][:n])(variables, key, n))
        copies = known[nearest(made, known).which[:, 0]]
        parts = real["image"][:n], made, copies
        return in_turn(parts, self.columns, enlarge=self.enlarge)
