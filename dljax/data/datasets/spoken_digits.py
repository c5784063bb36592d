"""Digits that are heard: keys of a telephone in noise, which are computed, and the Free Spoken Digit Dataset
(github.com/Jakobovski/free-spoken-digit-dataset), six speakers at 8 kHz, from a file.
"""

from pathlib import Path
from typing import Literal

import numpy as np

from dljax.data.pipeline import Arrays, Examples, Transform, uniform
from dljax.data.sources import embedded
from dljax.data.sources.audio import log_mel
from dljax.data.sources.formats import read_npz
from dljax.errors import UserError

Name = Literal["keys", "fsdd"]
NAMES = tuple("0123456789")
RATE = 8000  # samples per second
FRAMES, BANDS = 48, 40
_LENGTH, _HOP = 256, 128
_SAMPLES = _LENGTH + (FRAMES - 1) * _HOP  # 0.78 s: four fifths of the recordings are shorter
# ITU-T Q.23: a key sounds the tone of its row and that of its column, Hz.
_ROWS, _COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477)
_FLOOR = 1e-2  # of power, by which silence is like a quiet room
_TEST_TAKES = 15  # of the recordings 10 to 29 those below are for the test


def load(name: Name, data: str = "", *, fake: bool = False) -> tuple[Arrays, Arrays]:
    """(train, test): ``image`` float32 [n, 40, 48, 1], a spectrogram, and ``label`` int32 [n].

    Mel bands from high to low over frames, as one draws them; logarithms of the power, less their mean, in
    units of six deviations about 1/2.

    Of "fsdd" each speaker's takes 15 to 29 of each digit, 900 recordings, are for training and takes 10 to 14,
    300, for the test. Recordings are in the middle of silence, or cut to their middle.

    Args:
        data: of "fsdd" the folder with fsdd.npz: ``audio`` int16 of all recordings in a row, ``length``,
            ``digit`` and ``take`` [n]; else empty.
        fake: fewer keys, in less noise.

    Raises:
        UserError: the file is missing, or its arrays do not fit each other.
    """
    if fake or name == "keys":
        embedded("" if fake else data)
        loud, sizes = (0.2, (200, 40)) if fake else (0.1, (1000, 500))
        return _as_images(*keys(sizes[0], 0, loud)), _as_images(*keys(sizes[1], 1, loud))
    path = Path(data, "fsdd.npz")
    if not data or not path.is_file():
        raise UserError(
            f"no file {str(path)!r}: give the folder with fsdd.npz (audio, length, digit, take of the Free "
            "Spoken Digit Dataset) with --data FOLDER; or try --fake true"
        )
    stored = read_npz(path)
    missing = [name for name in ("audio", "length", "digit", "take") if name not in stored]
    if missing:
        raise UserError(f"{path} has no array {missing[0]!r}: it has {', '.join(sorted(stored))}")
    length = stored["length"].astype(np.int64)
    if length.sum() != len(stored["audio"]):
        raise UserError(
            f"{path}: the lengths add to {length.sum()}, but audio has {len(stored['audio'])} samples"
        )
    audio, end = np.zeros((len(length), _SAMPLES), np.float32), np.cumsum(length)
    for row, stop, size in zip(audio, end, length, strict=True):
        sound = stored["audio"][stop - size : stop] / np.float32(2**15)
        cut = max(0, (size - _SAMPLES) // 2)
        sound = sound[cut : cut + _SAMPLES]
        begin = (_SAMPLES - len(sound)) // 2
        row[begin : begin + len(sound)] = sound
    test = stored["take"] < _TEST_TAKES
    label = stored["digit"].astype(np.int32)
    return _as_images(audio[~test], label[~test]), _as_images(audio[test], label[test])


def keys(n: int, seed: int, loud: float) -> tuple[np.ndarray, np.ndarray]:
    """Sounds float32 [n, samples] of a telephone's digit keys, for 60 to 200 ms somewhere in white noise, and
    the digits int32 [n].

    Args:
        seed: of digits, times, phases and noise.
        loud: amplitude of each of the two tones; the noise has a deviation of 0.1.
    """
    rng = np.random.default_rng([31, seed])
    label = rng.integers(0, 10, n).astype(np.int32)
    audio = rng.normal(0, 0.1, (n, _SAMPLES))
    for sound, digit in zip(audio, label, strict=True):
        size = int(rng.uniform(0.06, 0.2) * RATE)
        begin = rng.integers(0, _SAMPLES - size)
        row, column = (3, 1) if digit == 0 else divmod(int(digit) - 1, 3)
        for tone in (_ROWS[row], _COLUMNS[column]):
            angle = 2 * np.pi * tone * np.arange(size) / RATE + rng.uniform(0, 2 * np.pi)
            sound[begin : begin + size] += loud * np.sin(angle)
    return audio.astype(np.float32), label


def _as_images(audio: np.ndarray, label: np.ndarray) -> Arrays:
    power = log_mel(audio, RATE, length=_LENGTH, hop=_HOP, bands=BANDS, floor=_FLOOR)
    mean, deviation = power.mean((1, 2), keepdims=True), power.std((1, 2), keepdims=True)
    image = np.clip(0.5 + (power - mean) / (6 * deviation), 0, 1).swapaxes(1, 2)[:, ::-1]
    return Arrays({"image": np.ascontiguousarray(image)[..., None], "label": label}, NAMES)


def shifted(most: int) -> Transform:
    """A transform: each spectrogram up to ``most`` frames earlier or later, its ends repeated."""

    def transform(examples: Examples, seeds: np.ndarray) -> Examples:
        image = examples["image"]
        by = (uniform(seeds, "shift") * (2 * most + 1)).astype(int) - most
        at = np.clip(np.arange(image.shape[2])[None] + by[:, None], 0, image.shape[2] - 1)
        return {**examples, "image": np.take_along_axis(image, at[:, None, :, None], 2)}

    return transform
