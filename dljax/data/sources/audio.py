"""Sound as pictures: log-mel spectrograms."""

import numpy as np


def mel(frequency):
    """The mel scale, 2595 log10(1 + f / 700). O'Shaughnessy 1987, Speech Communication."""
    return 2595 * np.log10(1 + np.asarray(frequency) / 700)


def filters(
    rate: float, length: int, bands: int, low: float = 0.0, high: float = 0.0
) -> np.ndarray:
    """Triangles whose corners are evenly spaced in mel, float64 [length // 2 + 1, bands].

    A triangle is 1 at its own center and 0 at its neighbors'. Davis & Mermelstein 1980,
    doi:10.1109/TASSP.1980.1163420.

    Args:
        rate: samples per second.
        length: of the Fourier transform, samples.
        low, high: Hz; 0 for ``high`` is half the rate.
    """
    corners = np.linspace(mel(low), mel(high or rate / 2), bands + 2)
    corners = 700 * (10 ** (corners / 2595) - 1)
    at = np.arange(length // 2 + 1)[:, None] * (rate / length)
    left, center, right = corners[:-2][None], corners[1:-1][None], corners[2:][None]
    rising, falling = (at - left) / (center - left), (right - at) / (right - center)
    return np.maximum(0, np.minimum(rising, falling))


def spectrogram(audio: np.ndarray, length: int, hop: int) -> np.ndarray:
    """Power of the frames' Fourier transforms under a Hann window, [..., frames, length // 2 + 1].

    Args:
        audio: [..., samples], at least ``length`` of them; what does not fill a frame is left out.
        hop: samples from one frame to the next.
    """
    frames = np.lib.stride_tricks.sliding_window_view(audio, length, axis=-1)[..., ::hop, :]
    window = np.hanning(length + 1)[:-1]  # periodic
    return np.abs(np.fft.rfft(frames * window, axis=-1)) ** 2


def log_mel(
    audio: np.ndarray, rate: float, *, length: int, hop: int, bands: int, floor: float = 1e-6
) -> np.ndarray:
    """Logarithms of the power in mel bands, float32 [..., frames, bands].

    Args:
        audio: [..., samples] in -1..1.
        rate: samples per second.
        length, hop: of the frames, samples.
        floor: that is added to the power.
    """
    power = spectrogram(audio, length, hop) @ filters(rate, length, bands)
    return np.log(power + floor).astype(np.float32)
