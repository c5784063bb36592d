"""Images in black and white, as models of Bernoulli pixels are trained and compared on."""

import numpy as np

from dljax.data.pipeline import Arrays


def binarized(source: Arrays, seed: int = 0) -> Arrays:
    """A set whose pixels, uint8, are drawn once and for all: 255 at a chance of their gray level, else 0.

    Salakhutdinov & Murray 2008, doi:10.1145/1390156.1390266, section 6.1. A set that were drawn anew in each
    epoch would be another, larger one, on which likelihoods do not compare.
    """
    image = source.arrays["image"]
    draws = np.random.default_rng([seed, len(source)]).random(image.shape, np.float32)
    black_and_white = np.where(draws < image * np.float32(1 / 255), np.uint8(255), np.uint8(0))
    return Arrays({**source.arrays, "image": black_and_white}, source.names)
