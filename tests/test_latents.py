"""Looks at a latent space, of codes that are known."""

from statistics import NormalDist

import numpy as np
import pytest

from dljax import Arrays, EvalSet
from dljax.analysis.codebooks import Shares, Usage
from dljax.analysis.latents import Disentanglement, Manifold, Traversals, shared

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
