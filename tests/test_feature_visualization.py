"""Feature visualization: its coordinates in closed form, and optima that are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dljax.analysis import feature_visualization as fv


def test_spectrum_of_one_wave():
    """One wave across, of frequency 1/8: 1/64 of its weight from the inverse transform, twice for its
    conjugate, times 8 for the frequency and 8/4; no colors mixed."""
    spectrum = np.zeros((1, 8, 5, 1, 2), np.float32)
    spectrum[0, 0, 1, 0] = 3.0, 0.0
    wave = 3.0 * 2 / 64 * 8 * 2 * np.cos(2 * np.pi * np.arange(8) / 8)
    wanted = np.broadcast_to(1 / (1 + np.exp(-wave)), (8, 8))
    found = fv.to_image(jnp.asarray(spectrum), 8)
    np.testing.assert_allclose(found[0, ..., 0], wanted, atol=1e-6)  # ulps of float32 at 1


def test_colors_are_mixed_as_their_covariance():
    """The first of its own axes is brightness: all channels alike, nearly."""
    spectrum = np.zeros((1, 4, 3, 3, 2), np.float32)
    spectrum[0, 0, 0, 0, 0] = 4.0
    logit = jax.scipy.special.logit(fv.to_image(jnp.asarray(spectrum), 4))[0, 0, 0]
    np.testing.assert_allclose(logit / logit[1], [0.26 / 0.27, 1.0, 1.0], rtol=1e-5)
    plain = fv.to_image(jnp.asarray(spectrum), 4, colors=False)[0, 0, 0]
    assert plain[0] > 0.6 and plain[1] == plain[2] == 0.5


def test_transformations(key):
    image = jax.random.uniform(key, (2, 12, 12, 3))
    still = fv.transformed(image, key, jitter=0, scale=0.0, degrees=0.0)
    np.testing.assert_allclose(still, image, atol=2e-6)  # interpolation at whole places, in float32
    moved = fv.transformed(image, key)
    assert moved.shape == image.shape and np.abs(moved - image).max() > 0.1
    assert fv.transformed(jnp.full((1, 9, 9, 3), 0.25), key) == pytest.approx(0.25, abs=1e-6)


def test_shift_is_a_shift(monkeypatch):
    """By three rows down and two columns left, of a picture that is linear in both."""
    monkeypatch.setattr(jax.random, "uniform", lambda *_, **__: jnp.array([0.0, 0.0, 1.0, -2 / 3]))
    rows, columns = np.meshgrid(np.arange(10.0), np.arange(10.0), indexing="ij")
    image = jnp.asarray((0.05 * rows + 0.01 * columns)[None, ..., None], jnp.float32)
    found = fv.transformed(image, jax.random.key(0), jitter=3, scale=0.0, degrees=0.0)
    inside = found[0, :7, 2:, 0]
    np.testing.assert_allclose(inside, image[0, 3:, :8, 0], atol=1e-6)


def test_goals():
    activation = jnp.arange(24.0).reshape(1, 3, 4, 2)  # channel 0 is even
    assert fv.channel(activation, 1).tolist() == [12.0]
    assert fv.neuron(activation, 0).tolist() == [12.0]  # row 1, column 2
    assert fv.deep_dream(activation)[0] == pytest.approx(sum(i * i for i in range(24)) / 24)
    one = jnp.array([[[[3.0, 4.0]]]])
    # Along itself 5 x 1; along the first axis 3 x 0.6^4; opposite, the cosine counts as 0.1.
    for wanted, value in (([1.0, 0.0], 3 * 0.6**4), ([0.6, 0.8], 5.0), ([-1.0, 0.0], -3e-4)):
        assert fv.direction(one, jnp.array([wanted]))[0] == pytest.approx(value, rel=1e-5)


def test_the_optimum_of_a_filter_is_the_filter(key):
    """A neuron <w, patch> is largest where pixels are 1 at w > 0 and 0 at w < 0."""
    w = jnp.asarray(np.random.default_rng(0).normal(size=(6, 6, 3)), jnp.float32)

    def goal(image):
        return jnp.einsum("bhwc,hwc->b", image[:, 5:11, 5:11], w)

    (image,) = fv.optimized(goal, key, size=16, steps=300, lr=0.1, robust=False)
    assert image.shape == (16, 16, 3) and image.min() >= 0 and image.max() <= 1
    most = float(jnp.maximum(w, 0).sum())
    # The sigmoid never ends at 1, and opponent colors are its slowest: 95 % here, a gray image has 8 %.
    assert goal(image[None])[0] > 0.9 * most


def test_robust_optima_stand_shifts(key):
    """A dot at one place: under shifts its optimum is wider than without."""

    def goal(image):
        return image[:, 8, 8].sum(-1) - image.mean((1, 2, 3))

    width = {}
    for robust in (True, False):
        (image,) = fv.optimized(goal, key, size=16, steps=60, lr=0.1, robust=robust)
        width[robust] = int((image.mean(-1) > 0.6).sum())
    assert width[True] > width[False]
