"""Sound as pictures: tones lie where they are, and the sets' splits."""

import numpy as np
import pytest

from dljax.data.datasets import spoken_digits
from dljax.data.sources.audio import filters, log_mel, mel, spectrogram
from dljax.errors import UserError

RATE, LENGTH, HOP, BANDS = 8000, 256, 128, 40


def tone(frequency, n=1024):
    return np.cos(2 * np.pi * frequency * np.arange(n) / RATE)


def test_the_mel_scale():
    """About 1000 at 1000 Hz, and 2595 log10(2) at 700."""
    np.testing.assert_allclose(mel([0, 700, 1000]), [0, 781.17, 999.99], atol=0.01)


def test_triangles_meet():
    """Between the first and the last center, two triangles add to 1 at every frequency."""
    weights = filters(RATE, 2048, BANDS)
    centers = weights.argmax(0)
    between = weights[centers[0] : centers[-1] + 1]
    np.testing.assert_allclose(between.sum(1), 1.0, atol=1e-12)
    assert ((weights > 0).sum(1) <= 2).all() and (np.diff(centers) >= 0).all()


@pytest.mark.parametrize("bin", [10, 40, 100])
def test_the_power_of_a_tone(bin):
    """A Hann window of n points has n / 4 of a tone's half amplitude in its bin, and half of that beside it."""
    power = spectrogram(tone(bin * RATE / LENGTH), LENGTH, HOP)
    assert power.shape == (7, 129)
    expected = np.zeros(129)
    expected[[bin - 1, bin, bin + 1]] = np.array([LENGTH / 8, LENGTH / 4, LENGTH / 8]) ** 2
    np.testing.assert_allclose(power, np.broadcast_to(expected, power.shape), atol=1e-8)


@pytest.mark.parametrize("frequency", [400, 1000, 3000])
def test_a_tone_is_brightest_in_its_band(frequency):
    bands = log_mel(tone(frequency), RATE, length=LENGTH, hop=HOP, bands=BANDS)
    assert bands.shape == (7, BANDS) and bands.dtype == np.float32
    corners = np.linspace(0, mel(4000), BANDS + 2)
    nearest = np.abs(corners[1:-1] - mel(frequency)).argmin()
    assert (np.abs(bands.argmax(1) - nearest) <= 1).all()


def test_keys_sound_their_two_tones():
    """Of a loud key the two strongest frequencies are those of its row and its column."""
    tones = {1: (697, 1209), 5: (770, 1336), 9: (852, 1477), 0: (941, 1336)}
    audio, label = spoken_digits.keys(60, 0, 5.0)
    for digit, pair in tones.items():
        sound = audio[np.flatnonzero(label == digit)[0]]
        spectrum = np.abs(np.fft.rfft(sound, 8 * RATE))
        low = spectrum[: 8 * 1075].argmax() / 8
        high = 1075 + spectrum[8 * 1075 :].argmax() / 8
        assert (abs(low - pair[0]) < 12, abs(high - pair[1]) < 12) == (True, True), digit


def written(folder, **changes):
    rng = np.random.default_rng(0)
    length = np.array([3000, 9000, 6272, 100])
    arrays = {
        "audio": rng.integers(-9000, 9000, length.sum()).astype(np.int16),
        "length": length,
        "digit": np.array([3, 1, 4, 1], np.int8),
        "take": np.array([10, 29, 15, 14], np.int8),
        **changes,
    }
    np.savez(folder / "fsdd.npz", **{k: v for k, v in arrays.items() if v is not None})
    return str(folder)


def test_recordings_are_divided_by_take(tmp_path):
    train, test = spoken_digits.load("fsdd", written(tmp_path))
    assert train.arrays["label"].tolist() == [1, 4] and test.arrays["label"].tolist() == [3, 1]
    image = train.arrays["image"]
    assert image.shape == (2, 40, 48, 1) and image.dtype == np.float32
    assert 0 <= image.min() < 0.4 and 0.6 < image.max() <= 1
    # The short one lies in the middle of silence, which is darker.
    short = test.arrays["image"][1, ..., 0].mean(0)
    assert short[20:27].max() > short[:15].max() and np.ptp(short[:15]) < 1e-6


def test_files_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(UserError, match="fsdd.npz .* --data FOLDER"):
        spoken_digits.load("fsdd", str(tmp_path))
    with pytest.raises(UserError, match="no array 'take': it has audio"):
        spoken_digits.load("fsdd", written(tmp_path, take=None))
    with pytest.raises(UserError, match="lengths add to 18372, but audio has 5"):
        spoken_digits.load("fsdd", written(tmp_path, audio=np.zeros(5, np.int16)))


def test_a_shift_repeats_the_ends():
    image = np.arange(6.0, dtype=np.float32)[None, None, :, None].repeat(200, 0)
    out = spoken_digits.shifted(2)({"image": image}, np.arange(200, dtype=np.uint64))["image"]
    seen = {tuple(row) for row in out[:, 0, :, 0].astype(int).tolist()}
    assert seen == {
        (0, 0, 0, 1, 2, 3),
        (0, 0, 1, 2, 3, 4),
        (0, 1, 2, 3, 4, 5),
        (1, 2, 3, 4, 5, 5),
        (2, 3, 4, 5, 5, 5),
    }
