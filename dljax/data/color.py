"""Colors of uint8 images changed by given amounts, in the 8-bit steps of torchvision's tensors."""

import numpy as np
from jaxtyping import Float, UInt8


def _gray(image: np.ndarray) -> np.ndarray:
    """Brightness of the pixels (ITU-R BT.601), whole levels as float32 [b, h, w]."""
    red, green, blue = (image[..., i].astype(np.float32) for i in range(3))
    return np.floor(np.float32(0.2989) * red + np.float32(0.587) * green + np.float32(0.114) * blue)


def _blend(image: np.ndarray, other: np.ndarray | float, factor: np.ndarray) -> np.ndarray:
    """``factor`` of the image and 1 - ``factor`` of the other, cut to whole levels of 0 to 255."""
    share, rest = (x[:, None, None, None].astype(np.float32) for x in (factor, 1 - factor))
    return np.clip(share * image + rest * other, 0, 255).astype(np.uint8)


def brightness(
    image: UInt8[np.ndarray, "b h w 3"], factor: Float[np.ndarray, "b"]
) -> UInt8[np.ndarray, "b h w 3"]:
    """Multiply each image by its factor: 0 is black, 1 the image itself."""
    return _blend(image, 0.0, factor)


def contrast(
    image: UInt8[np.ndarray, "b h w 3"], factor: Float[np.ndarray, "b"]
) -> UInt8[np.ndarray, "b h w 3"]:
    """Move each image's pixels away from its mean gray by its factor: 0 is that gray, 1 the image."""
    mean = _gray(image).mean((1, 2), dtype=np.float64).astype(np.float32)
    return _blend(image, mean[:, None, None, None], factor)


def saturation(
    image: UInt8[np.ndarray, "b h w 3"], factor: Float[np.ndarray, "b"]
) -> UInt8[np.ndarray, "b h w 3"]:
    """Move each pixel away from its own gray by its image's factor: 0 is gray, 1 the image."""
    return _blend(image, _gray(image)[..., None], factor)


def hue(
    image: UInt8[np.ndarray, "b h w 3"], turn: Float[np.ndarray, "b"]
) -> UInt8[np.ndarray, "b h w 3"]:
    """Turn each image's hues by a fraction of the color circle: 1/3 makes red green, 1 is the image.

    A pixel's largest value and its chroma stay as they are (Smith 1978, Color Gamut Transform Pairs).
    """
    red, green, blue = (image[..., i].astype(np.float32) for i in range(3))
    high = np.maximum(np.maximum(red, green), blue)
    chroma = high - np.minimum(np.minimum(red, green), blue)
    # Red is at 0, green at 2, blue at 4 sixths of the circle; a gray's place does not matter.
    of_red, of_green = high == red, high == green
    ahead = np.where(of_red, green - blue, np.where(of_green, blue - red, red - green))
    place = np.where(of_red, np.float32(0), np.where(of_green, np.float32(2), np.float32(4)))
    place += ahead / np.maximum(chroma, np.float32(1))
    place += np.float32(6) * turn[:, None, None].astype(np.float32)
    out = np.empty(image.shape, np.float32)
    for channel, its_own in enumerate((0, 2, 4)):
        # Full within one sixth of its own place, falling to nothing over the next.
        ahead = place - np.float32(its_own)
        distance = np.abs(ahead - np.float32(6) * np.rint(ahead * np.float32(1 / 6)))
        out[..., channel] = high - chroma * np.clip(distance - 1, 0, 1)
    # Levels of 0..1 times almost 256, cut: what has lost some ulps keeps its level.
    return (out * np.float32(255.999 / 255)).astype(np.uint8)
