"""Looks at a latent space, of codes that are known."""

from statistics import NormalDist

import numpy as np
import pytest

from dljax import Arrays, EvalSet
from dljax.analysis.codebooks import Shares, Usage
from dljax.analysis.latents import (
    Disentanglement,
    Interpolations,
    Manifold,
    Traversals,
    shared,
    spherical,
)

LEVELS = (3, 4, 6)
ALL = np.stack(np.unravel_index(np.arange(72), LEVELS), -1).astype(np.float32)


def painted(variables, z):
    """Images of two pixels that are the first two latents."""
    del variables
    return z[:, None, :2, None] / 8 + 0.5


def own(variables, batch):
    return batch["image"]


def test_the_plane_is_at_the_quantiles_of_the_prior():
    picture = Manifold(painted, n=2)(None, None)
    low, high = (0.5 + NormalDist().inv_cdf(p) / 8 for p in (0.25, 0.75))
    # To the right goes z_0, upward z_1.
    expected = [[low, high, high, high], [low, low, high, low]]
    np.testing.assert_allclose(picture, expected, rtol=1e-6)


def test_one_latent_goes_while_the_others_stay():
    data = EvalSet(Arrays({"image": np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)}))
    picture = Traversals(own, painted, data, columns=3, far=2.0)(None, None)
    first = picture[1, 1:9].reshape(-1)
    np.testing.assert_allclose(first[[0, 1, 3, 4, 6, 7]], [0.25, 0.75, 0.5, 0.75, 0.75, 0.75])
    second = picture[3, 1:9].reshape(-1)
    np.testing.assert_allclose(second[[0, 1, 3, 4, 6, 7]], [0.625, 0.25, 0.625, 0.5, 0.625, 0.75])


@pytest.mark.parametrize(
    "a, b, part, expected",
    [
        ([1, 0], [0, 1], 1 / 3, [np.cos(np.pi / 6), np.sin(np.pi / 6)]),
        ([1, 0], [0, 2], 1 / 2, [0.5**0.5, 2**0.5]),  # of two lengths
        ([3, 0], [1.5, 1.5 * 3**0.5], 1 / 2, [3 * np.cos(np.pi / 6), 1.5]),  # 60 degrees
        ([2, 1], [4, 2], 1 / 4, [2.5, 1.25]),  # along one line
        ([1, 0], [-1, 0], 1 / 4, [0.5, 0]),
    ],
)
def test_the_way_along_a_sphere(a, b, part, expected):
    """By hand; it begins and ends at its ends."""
    a, b = (np.array([x], np.float32) for x in (a, b))
    for at, z in ((part, expected), (0.0, a[0]), (1.0, b[0])):
        np.testing.assert_allclose(spherical(a, b, np.full((1, 1), at)), [z], atol=1e-6)


def test_interpolations_are_pairs_of_rows(key):
    """Straight, where the length falls in the middle, above along a sphere, where it hardly does."""

    def length(variables, z):
        return np.broadcast_to(
            np.linalg.norm(z, axis=1)[:, None, None, None] / 32, (len(z), 1, 1, 1)
        )

    picture = Interpolations(length, 256, n=2, columns=5, enlarge=1)(None, key)
    values = picture[1::2, 1::2]
    np.testing.assert_allclose(values[::2, [0, -1]], values[1::2, [0, -1]], rtol=1e-6)
    ends = values[::2, [0, -1]].mean(1)
    # Draws of 256 numbers are about orthogonal: half of a and b is shorter by sqrt(1/2).
    np.testing.assert_allclose(values[::2, 2] / ends, 0.5**0.5, atol=0.08)
    np.testing.assert_allclose(values[1::2] / ends[:, None], 1, atol=0.08)


def test_pairs_share_one_factor_and_no_other():
    distance, factor = shared(ALL, LEVELS, 40, 50, np.random.default_rng(0))
    np.testing.assert_array_equal(distance == 0, np.arange(3) == factor[:, None])
    assert set(factor) == {0, 1, 2}


@pytest.mark.parametrize(
    "z, least, most",
    [
        (ALL, 1.0, 1.0),
        (np.random.default_rng(2).normal(size=(72, 3)), 0.0, 0.45),  # a third is chance
    ],
    ids=["axes", "noise"],
)
def test_the_metric_of_known_codes(key, z, least, most):
    data = EvalSet(Arrays({"image": z.astype(np.float32)}))
    score = Disentanglement(own, data, LEVELS, n=300, pairs=20)(None, key)["accuracy"]
    assert least <= score <= most


def test_usage_of_known_codes(key):
    """Of 8 places, 4, 2 and 2 have a code: an entropy of 3/2 log 2."""
    data = EvalSet(Arrays({"image": np.array([[0, 0, 0, 0, 3, 3, 1, 1]], np.int32)}))
    found = Usage(own, data)(None, key)
    np.testing.assert_allclose(found["perplexity"], 2**1.5, rtol=1e-6)
    assert found["used"] == 3
    assert Shares(own, data, 5)(None, key).ndim == 3
