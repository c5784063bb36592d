"""Scores of made examples, against closed forms: Fréchet distance, modes, neighbors, Parzen windows, a judge."""

from types import SimpleNamespace

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusal import refused

from dljax import Arrays, EvalSet
from dljax.analysis import generated
from dljax.analysis.frechet import between_gaussians, frechet_distance
from dljax.analysis.judge import Judge, Judged, Judgement, verdicts
from dljax.analysis.modes import Cloud, Modes, modes
from dljax.analysis.neighbors import (
    Copies,
    Neighbors,
    density_and_coverage,
    nearest,
    novelty,
)
from dljax.analysis.parzen import Parzen, log_likelihood
from dljax.data.datasets import gaussians
from dljax.data.transforms import signed


@pytest.mark.parametrize(
    "mean, scale, distance",
    [([0, 0], 1.0, 0.0), ([3, 4], 1.0, 25.0), ([0, 0], 3.0, 8.0), ([3, 4], 0.5, 25.5)],
)
def test_frechet_distance_from_a_standard_gaussian(mean, scale, distance):
    """N(0, I) to N(m, s^2 I): |m|^2 + d (1 - s)^2."""
    found = between_gaussians(np.zeros(2), np.eye(2), mean, scale**2 * np.eye(2))
    np.testing.assert_allclose(found, distance, atol=1e-12)


def test_frechet_distance_of_covariances_that_do_not_commute():
    """tr (C C')^(1/2) of 2x2: sqrt(tr(C C') + 2 sqrt(det C det C')), by Cayley and Hamilton."""
    c, d = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[4.0, -1.0], [-1.0, 1.0]])
    cross = np.sqrt(np.trace(c @ d) + 2 * np.sqrt(5.0 * 3.0))
    found = between_gaussians([1, 0], c, [0, 0], d)
    np.testing.assert_allclose(found, 1 + 5 + 5 - 2 * cross, rtol=1e-12)


def test_frechet_distance_of_features():
    """-1 and 1 beside 2 and 8, a feature that never changes beside them: 25 + (sqrt 2 - sqrt 18)^2."""
    x, y = np.array([[-1.0, 7], [1, 7]], np.float32), np.array([[2.0, 7], [8, 7]], np.float32)
    np.testing.assert_allclose(frechet_distance(x, y), 25 + 8, rtol=1e-7)
    assert abs(frechet_distance(x, x)) < 1e-12
    with refused("expected [n, d] and [m, d]"):
        frechet_distance(x, y[:1])


def test_modes_by_hand():
    """Three centers, deviation 1: two points in the first, one in the second, one 3.1 from the third."""
    centers = np.array([[0.0, 0], [10, 0], [0, 10]])
    points = [[0, 2.9], [0, -1], [10, 1], [0, 13.1]]
    found = modes(points, centers, 1.0)
    assert (found["modes"], found["quality"]) == (2, 0.75)
    third = np.array([2 / 3, 1 / 3])
    np.testing.assert_allclose(found["kl"], (third * np.log(3 * third)).sum(), rtol=1e-12)
    nothing = modes([[5, 5]], centers, 1.0)
    assert (nothing["modes"], nothing["quality"]) == (0, 0) and nothing["kl"] == np.log(3)


def test_the_grid_itself_has_all_its_modes():
    """Three deviations hold 1 - exp(-9/2) = 98.89 % of a Gaussian of the plane; the whole has deviation 1."""
    train, test = gaussians.load(n=25_000)
    assert (len(train), len(test)) == (25_000, 2500)
    points = train.arrays["image"]
    np.testing.assert_allclose(points.std(0), 1, atol=1e-3)  # the noise adds 0.05^2 / 8 / 2
    steps = np.unique(gaussians.CENTERS[:, 0])
    np.testing.assert_allclose(np.diff(steps) / gaussians.DEVIATION, 2 / 0.05)
    where = gaussians.CENTERS, gaussians.DEVIATION
    found = modes(points, *where)
    assert found["modes"] == 25 and found["kl"] < 0.01
    share = 1 - np.exp(-4.5)
    np.testing.assert_allclose(
        found["quality"], share, atol=4 * np.sqrt(share * (1 - share) / 25_000)
    )

    def sample(variables, key, n):
        return jnp.asarray(points[:n])

    assert Modes(sample, *where, n=50)(None, None)["modes"] == 25
    picture = Cloud(sample, *where, n=100)(None, None)
    assert picture.dtype == np.uint8 and picture.ndim == 3 and np.ptp(picture) > 100


LINE = np.arange(8.0, dtype=np.float32)[:, None]


def test_nearest_by_hand():
    found = nearest(np.array([[2.2], [9.0]]), LINE, 2)
    assert found.which.tolist() == [[2, 3], [7, 6]]
    np.testing.assert_allclose(found.distance, [[0.2, 0.8], [2, 3]], rtol=1e-4)
    with refused("the 9 nearest of 8 examples"):
        nearest(LINE, LINE, 9)


def test_density_and_coverage_by_hand():
    """Real at 0, 1, 3 with k = 1: radii 1, 1, 2. A point at 0.5 is in the first two, one at 9 in none."""
    real = np.array([[0.0], [1.0], [3.0]])
    found = density_and_coverage(np.array([[0.5], [9.0]]), real, k=1)
    np.testing.assert_allclose([found["density"], found["coverage"]], [2 / 2, 2 / 3], rtol=1e-6)


def test_density_and_coverage_of_one_distribution(key):
    """Density 1; coverage 1 less the product of (n - i) / (2 n - i), i = 1 .. k. One mode of two covers a half."""
    x, y = jax.random.normal(key, (2, 1000, 3))
    found = density_and_coverage(x, y)
    expected = 1 - np.prod([(1000 - i) / (2000 - i) for i in range(1, 6)])
    # Balls overlap, so their deviation is above sqrt(p q / n) = 0.006; five times that.
    np.testing.assert_allclose(found["coverage"], expected, atol=0.03)
    np.testing.assert_allclose(found["density"], 1, atol=0.15)
    two = jnp.concatenate([y[:500], y[500:] + 100.0])
    np.testing.assert_allclose(density_and_coverage(x, two)["coverage"], 0.5, atol=0.03)
    assert density_and_coverage(jnp.zeros((1000, 3)), y)["coverage"] < 0.05  # collapse


def test_copies_are_not_novel(key):
    train, test = LINE, LINE + 0.5
    assert novelty(train, train, test) == 0
    np.testing.assert_allclose(novelty(test, train, test), 1, rtol=1e-4)
    np.testing.assert_allclose(novelty(LINE[:4] - 9, train, test), 7.5 / 0.5, rtol=1e-4)


@pytest.mark.parametrize("sigma", [0.3, 2.0])
def test_parzen_windows_by_hand(sigma):
    """One sample: a Gaussian. Two samples at -a and a, of one dimension: their mean."""
    x, s = np.array([[1.0, 2.0, 2.0]]), np.zeros((1, 3))
    gaussian = -9 / (2 * sigma**2) - 3 * np.log(sigma) - 1.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(log_likelihood(x, s, sigma), [gaussian], rtol=1e-12)
    found = log_likelihood([[0.0], [1.0]], [[-1.0], [1.0]], [sigma, 1.0])
    two = np.array([-0.5 / sigma**2, np.log((1 + np.exp(-2 / sigma**2)) / 2)])
    np.testing.assert_allclose(found[0], two - np.log(sigma * np.sqrt(2 * np.pi)), rtol=1e-12)
    assert found.shape == (2, 2)


class Rows(nn.Module):
    """The brightest row of an image is its class; its features are the rows' means."""

    @nn.compact
    def __call__(self, image, *, train: bool):
        return nn.Dense(4, name="rows", kernel_init=lambda *_: jnp.eye(4))(jnp.mean(image, (2, 3)))


def bars(labels) -> np.ndarray:
    """Images of 4x4 with one white row each, uint8."""
    return (255 * np.eye(4)[np.asarray(labels)][:, :, None, None] * np.ones((1, 1, 4, 1))).astype(
        np.uint8
    )


@pytest.fixture(scope="module")
def judge():
    params = Rows().init(jax.random.key(0), jnp.zeros((1, 4, 4, 1)), train=False)
    return Judge(Rows(), params, "rows")


def sampler(labels):
    return lambda variables, key, n: jnp.asarray(bars(np.resize(labels, n)), jnp.float32) / 255


def test_a_judge_sees_classes_and_collapse(judge):
    """Rows in turn are right, all classes are there; of one row a quarter is right, and there is one class."""
    data = EvalSet(Arrays({"image": bars(np.arange(40) % 4)}), signed)
    options = {"n": 20, "low": -1.0, "classes": 4}
    good = Judged(sampler(np.arange(4)), data, judge, **options)(None, None)
    np.testing.assert_allclose([good["consistency"], good["classes"]], [1, 4], rtol=1e-6)
    assert 0 <= good["frechet"] < 1e-3
    np.testing.assert_allclose(good["sure"], np.e / (np.e + 3), rtol=1e-6)
    bad = Judged(sampler([2]), data, judge, **options)(None, None)
    np.testing.assert_allclose([bad["consistency"], bad["classes"]], [0.25, 1], rtol=1e-6)
    # Means apart by 3/4 and three 1/4s; variances 3/16 n / (n - 1) on three axes, where rows add to 1.
    apart = (9 + 3) / 16 + 3 * 0.25 * 40 / 39
    np.testing.assert_allclose(bad["frechet"], apart, rtol=1e-5)
    assert bad["sure"] == good["sure"]


def test_a_judge_enlarges_images_and_judges_the_last_ones_too(judge):
    """Of 2x2 pixels, 501 of them: more than a batch; features are not below 0."""
    params = {"params": {"rows": {"kernel": -jnp.eye(4), "bias": jnp.zeros(4)}}}
    images = np.ones((501, 2, 2, 1), np.float32)
    images[-1] = 0
    features, logits = Judge(Rows(), params, "rows", size=4)(images)
    assert features.shape == (501, 4) and (features == 0).all()
    np.testing.assert_allclose(logits[-2:], [[-1] * 4, [0] * 4], atol=1e-6)


def test_verdicts_are_of_logits_of_any_size():
    judged = Judgement(np.eye(2, dtype=np.float32), np.array([[1e4, 0], [0, 0]], np.float32))
    assert verdicts(judged, judged)["sure"] == 0.75


def test_the_looks_of_a_generator(judge):
    """Pictures of samples and of copies; scores of bars that are all in the training set."""
    label = np.arange(40) % 4
    train, test = (
        EvalSet(Arrays({"image": bars(label), "label": label}), signed) for _ in range(2)
    )
    sample = sampler(np.arange(4))
    looks = generated.looks(sample, train, test, low=-1.0, classes=4, judge=judge)
    assert set(looks) == {"samples", "copies", "likeness", "neighbors", "judged"}
    assert "judged" not in generated.looks(sample, train, test)
    found = looks["neighbors"](None, None)
    assert found["consistency"] == 1 and found["novelty"] == 0 and found["coverage"] == 1
    wrong = Neighbors(sampler([0]), train, test, low=-1.0, classes=4)(None, None)
    assert wrong["consistency"] == 0.25 and wrong["coverage"] == 0.25
    # Rows of four samples, each above the training image that it is.
    picture = Copies(sample, train, n=8, columns=4, low=-1.0, enlarge=1)(None, None)
    assert picture.shape == (4 * 5 + 1, 4 * 5 + 1)
    np.testing.assert_array_equal(picture[1:5], picture[6:10])
    np.testing.assert_array_equal(picture[1:5, 1:5], bars([0])[0, ..., 0] / 255)


def test_a_look_chooses_the_windows_width():
    """Samples of deviation 0.2 in 50 dimensions about test points: of the widths, the nearest to it."""
    rng = np.random.default_rng(0)
    sets = SimpleNamespace(
        **{
            name: EvalSet(Arrays({"image": rng.normal(0, 0.2, (60, 50)).astype(np.float32)}))
            for name in ("validation", "test")
        }
    )
    found = Parzen(lambda *_: jnp.zeros((3, 50)), sets.validation, sets.test)(None, None)
    np.testing.assert_allclose(found["sigma"], 10 ** (-1 + 3 / 9), rtol=1e-12)  # 0.215
    per = -0.5 * np.log(2 * np.pi * found["sigma"] ** 2)
    expected = 50 * (per - 0.2**2 / (2 * found["sigma"] ** 2))
    # 60 x 50 squares: 4 sqrt(2 / 3000) of the second term
    np.testing.assert_allclose(found["nats"], expected, atol=50 * 0.5 * 4 * np.sqrt(2 / 3000))
