"""Series of numbers: a stretch of the past and the future after it as examples."""

from dataclasses import dataclass

import numpy as np

from dljax.data.pipeline import Examples
from dljax.errors import UserError


@dataclass(frozen=True)
class SeriesWindows:
    """Examples ``past`` float32 [past, 1], ``future`` float32 [ahead, 1] and ``channel`` int32 of one channel each.

    Every place where both fit begins one, in every channel: example i is of channel i mod c.

    Attributes:
        values: float32 [t, c].
        past, ahead: lengths.
        relative: subtract the last number of the past from both, as Zeng et al. 2022, arXiv:2205.13504,
            section 4, do (NLinear).

    Raises:
        UserError: numbers of another shape, some that are not finite, or too few for one window.
    """

    values: np.ndarray
    past: int
    ahead: int
    relative: bool = False

    def __post_init__(self):
        if self.values.ndim != 2:
            raise UserError(
                f"a series of shape {self.values.shape}: expected [times, channels]; add [:, None] to one "
                "channel"
            )
        if not np.isfinite(self.values).all():
            at = int(np.argmin(np.isfinite(self.values).all(1)))
            raise UserError(
                f"the series has no number at time {at}: fill in or cut out what is absent"
            )
        if self._places < 1:
            raise UserError(
                f"a series of {len(self.values)} times has no window of {self.past} and {self.ahead} "
                "after it: use a longer series, or shorter windows"
            )

    @property
    def _places(self) -> int:
        return len(self.values) - self.past - self.ahead + 1

    def __len__(self) -> int:
        return self._places * self.values.shape[1]

    def gather(self, indices: np.ndarray) -> Examples:
        start, channel = np.divmod(np.asarray(indices), self.values.shape[1])
        at = start[:, None] + np.arange(self.past + self.ahead)
        both = self.values[at, channel[:, None]].astype(np.float32)[..., None]
        if self.relative:
            both = both - both[:, self.past - 1 : self.past]
        past, future = both[:, : self.past], both[:, self.past :]
        return {"past": past, "future": future, "channel": channel.astype(np.int32)}


@dataclass(frozen=True)
class Split:
    """A series in three stretches of time, as float32 [t, c] in units of the training stretch' deviation.

    Attributes:
        train: the first.
        validation, test: each with the ``past`` numbers before it in front, so that its first is foretold.
        names: of the channels.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    names: tuple[str, ...]


def split(
    values: np.ndarray, ends: tuple[int, int, int], past: int, names: tuple[str, ...]
) -> Split:
    """The stretches that end before these times, standardized by mean and deviation of the first.

    Args:
        values: [t, c].
        ends: of training, validation and test.
        past: length of the windows' past.
        names: of the channels.
    """
    train = values[: ends[0]]
    mean, deviation = train.mean(0, keepdims=True), train.std(0, keepdims=True)
    scaled = ((values - mean) / np.maximum(deviation, 1e-12)).astype(np.float32)
    first, second = max(ends[0] - past, 0), max(ends[1] - past, 0)
    return Split(scaled[: ends[0]], scaled[first : ends[1]], scaled[second : ends[2]], tuple(names))
