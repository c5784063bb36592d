"""Enlarged images beside the true ones: PSNR and SSIM as papers of super-resolution measure them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dljax.analysis.pictures import grid
from dljax.analysis.predictions import Predicts, predict
from dljax.data.pipeline import EvalSet
from dljax.data.resolution import Pairs, bicubic, luma
from dljax.types import Key, Variables


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal to noise of two images of levels 0..255, in dB: 10 log10(255^2 / mean (a - b)^2)."""
    error = np.mean(np.square(a.astype(np.float64) - b))
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Structural similarity of two gray images [h, w] of levels 0..255: 1 where they are equal. Wang et al.
    2004, doi:10.1109/TIP.2003.819861, equation 13, under a Gaussian of 11 pixels and deviation 1.5.
    """
    line = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    line /= line.sum()

    def local(x: np.ndarray) -> np.ndarray:
        for axis in (0, 1):
            x = np.lib.stride_tricks.sliding_window_view(x, 11, axis) @ line
        return x

    a, b = a.astype(np.float64), b.astype(np.float64)
    mean_a, mean_b = local(a), local(b)
    var_a, var_b = local(a * a) - mean_a**2, local(b * b) - mean_b**2
    both = local(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    likeness = (2 * mean_a * mean_b + c1) * (2 * both + c2)
    return float(np.mean(likeness / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))))


def levels(image: np.ndarray) -> np.ndarray:
    """Luma in whole levels of an image in 0..1: [h, w, 1], luma itself, or [h, w, 3], colors -> [h, w]."""
    whole = np.floor(np.clip(image, 0, 1).astype(np.float64) * 255 + 0.5)
    return whole[..., 0] if whole.shape[-1] == 1 else np.floor(luma(whole) + 0.5)


class Enlarged(NamedTuple):
    """An image in 0..1: [h, w, c] small, and [scale h, scale w, c] by bicubic interpolation, by a model, in
    truth.
    """

    low: np.ndarray
    bicubic: np.ndarray
    made: np.ndarray
    high: np.ndarray


def enlarged(
    task: Predicts, variables: Variables, data: Pairs, n: int | None = None
) -> Iterator[Enlarged]:
    """The first ``n`` images of a set, by default all, whole and one by one: a program for each size."""
    for index in range(len(data))[:n]:
        examples, out = predict(task, variables, EvalSet(data.alone(index)))
        low, high, made = examples["image"][0], examples["high"][0], np.asarray(out[0], np.float32)
        yield Enlarged(low, bicubic(low, *high.shape[:2]), made, high)


@dataclass(frozen=True)
class Fidelity:
    """A look: "psnr" (dB) and "ssim" of whole images, and those of bicubic interpolation beside. Means over the
    set; of luma in whole levels, without a border of ``scale`` pixels.

    Attributes:
        task: predicts large images of small ones.
    """

    task: Predicts
    data: Pairs

    def __call__(self, variables: Variables, key: Key) -> Mapping[str, float]:
        rim = slice(self.data.scale, -self.data.scale)
        found: dict[str, list[float]] = {"psnr": [], "ssim": []}
        found |= {f"bicubic_{name}": [] for name in list(found)}
        for each in enlarged(self.task, variables, self.data):
            true = levels(each.high)[rim, rim]
            for prefix, image in (("", each.made), ("bicubic_", each.bicubic)):
                shown = levels(image)[rim, rim]
                found[f"{prefix}psnr"].append(psnr(shown, true))
                found[f"{prefix}ssim"].append(ssim(shown, true))
        return {name: float(np.mean(values)) for name, values in found.items()}


@dataclass(frozen=True)
class SideBySide:
    """A look: windows of the first images, a row each: small, bicubic, the model's, the true one.

    Attributes:
        n: rows.
        size: of a window, in pixels of the large image.
    """

    task: Predicts
    data: Pairs
    n: int = 3
    size: int = 120

    def __call__(self, variables: Variables, key: Key) -> np.ndarray:
        scale, rows = self.data.scale, []
        for low, *large in enlarged(self.task, variables, self.data, self.n):
            nearest = low.repeat(scale, 0).repeat(scale, 1)
            for image in (nearest, *large):
                h, w = image.shape[:2]
                side = min(self.size, *(min(x.shape[:2]) for x in self.data.high[: self.n]))
                top, left = (h - side) // 2, (w - side) // 2
                rows.append(np.clip(image[top : top + side, left : left + side], 0, 1))
        return grid(np.stack(rows), 4, enlarge=2, gap=2)


def looks(task: Predicts, test: Pairs) -> dict[str, Fidelity | SideBySide]:
    """The looks "fidelity" and "pictures" of a test set."""
    return {"fidelity": Fidelity(task, test), "pictures": SideBySide(task, test)}
