"""Looks at models of videos, as strips of frames."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dljax.analysis import pictures
from dljax.analysis.predictions import predict
from dljax.data.pipeline import EvalSet
from dljax.types import Key, Task, Variables


@dataclass(frozen=True)
class Ahead:
    """A look: videos, one above the other: the frames that are seen and those that follow, and below these the
    model's.

    Attributes:
        data: ``image`` [b, t + ahead, h, w, c] in 0..1.
        n: number of videos.
        enlarge: pixels per pixel, along each side.
    """

    task: Task
    data: EvalSet
    n: int = 3
    enlarge: int = 2

    def __call__(self, variables: Variables, key: Key) -> np.ndarray:
        examples, ahead = predict(self.task, variables, self.data, self.n)
        video = examples["image"].astype(np.float32)
        blank = np.ones_like(video[:, : video.shape[1] - ahead.shape[1]])
        rows = np.stack([video, np.concatenate([blank, ahead], 1)], 1)
        frames = rows.reshape(-1, *video.shape[2:])
        return pictures.grid(frames, video.shape[1], enlarge=self.enlarge)


@dataclass(frozen=True)
class Strips:
    """A look: the videos that a classifier gets most wrong as strips of frames, captioned "truth as guess".

    Attributes:
        data: ``image`` [b, t, h, w, c] in 0..1 and ``label``.
        names: of the classes.
        most: number of videos.
    """

    task: Task
    data: EvalSet
    names: Sequence[str]
    most: int = 8

    def __call__(self, variables: Variables, key: Key) -> np.ndarray | str:
        examples, logits = predict(self.task, variables, self.data)
        if (logits.argmax(-1) == examples["label"]).all():
            return f"no mistakes among {len(logits)} videos\n"
        video = examples["image"]
        strips = np.concatenate(
            [np.pad(v, ((0, 0), (0, 0), (0, 1), (0, 0))) for v in video.swapaxes(0, 1)], 2
        )
        return pictures.mistakes(strips, examples["label"], logits, self.names, most=self.most)


def digit_and_direction(examples: Mapping[str, np.ndarray], logits: np.ndarray) -> dict[str, float]:
    """Accuracies of "digit" and "direction", the two parts of the labels of ``moving_digits.directed``."""
    label, guess = examples["label"], logits.argmax(-1)
    return {
        "digit": float(np.mean(label // 4 == guess // 4)),
        "direction": float(np.mean(label % 4 == guess % 4)),
    }
