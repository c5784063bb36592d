"""Looks at diffusion models, on samples that are known."""

import jax.numpy as jnp
import numpy as np

from dljax import Arrays, EvalSet
from dljax.analysis import charts
from dljax.analysis.diffusion import (
    Faithful,
    Likelihood,
    OverScales,
    OverSteps,
    spread_within,
)
from dljax.analysis.neighbors import nearest
from dljax.data.pipeline import unchanged


def test_nearest_by_hand():
    """4 is nearest to 5, -3 to 0: of labels 7 and 9."""
    known, label = np.array([[0.0], [5.0]]), np.array([7, 9])
    np.testing.assert_array_equal(
        label[nearest(np.array([[4.0], [-3.0], [2.4]]), known).which[:, 0]], [9, 7, 7]
    )


def test_spread_by_hand():
    """0, 3 and 6 of one label are 3, 3 and 6 apart, 4 in the mean; 0 and 2 of another 2; one has no pair."""
    images = np.array([[0.0], [3.0], [6.0], [0.0], [2.0], [9.0]])
    assert spread_within(images, np.array([0, 0, 0, 1, 1, 2])) == 3.0
    assert spread_within(images[:1], np.array([0])) == 0.0


def pixels(*values: float) -> EvalSet:
    """Images of one pixel, of classes 0, 1, 0, 1 ..."""
    image = np.array(values, np.float32).reshape(-1, 1, 1, 1)
    return EvalSet(Arrays({"image": image, "label": np.arange(len(values)) % 2}), unchanged)


def test_faithful_counts_and_compares(key):
    """Of four samples the last is nearest to the other class. Within the classes 0.1 and 0.7 apart, of the
    data's 0.2 and 0.2."""
    made = jnp.array([0.1, 0.8, 0.2, 0.1]).reshape(-1, 1, 1, 1)
    look = Faithful(lambda v, k, n: made[:n], 2, pixels(0.0, 1.0), pixels(0.1, 0.9, 0.3, 0.7))
    found = look(None, key)
    assert found["consistency"] == 0.75
    np.testing.assert_allclose(found["spread"], 2.0, rtol=1e-5)
    # 2 E|x - y| - E|x - x'| - E|y - y'|: 2 x 0.375 - 2.2 / 6 - 2.8 / 6 = -0.0833
    np.testing.assert_allclose(found["energy"], -0.083333, atol=1e-5)


def test_curves_show_the_numbers(key, monkeypatch):
    """Of scales the number that a look gives; of steps the distance from where many go, 1 / steps - 1 / 500."""
    shown = {}
    monkeypatch.setattr(charts, "against", lambda metrics, xlabel: shown.update(metrics) or xlabel)
    look = OverScales(lambda scale: lambda v, k: {"twice": 2 * scale}, scales=(0.0, 3.0))
    assert look(None, key) == "scale of guidance"
    assert shown["twice"] == {"": [(0.0, [0.0]), (3.0, [6.0])]}

    def of(steps):
        return lambda variables, key, n: np.full((n, 1, 1, 1), 1 / steps)

    assert OverSteps({"a": of}, "a", steps=(5, 10))(None, key) == "steps"
    (steps, (first,)), (_, (second,)) = shown["error of the samples"]["a"]
    assert steps == 5
    np.testing.assert_allclose([first, second], [0.198, 0.098], rtol=1e-6)


def test_likelihood_adds_its_parts(key):
    """Terms 1, 2, 3, 4 of every image: 1 of the decoder, 5 of diffusion, 4 of the prior."""
    data = pixels(0.0, 1.0, 0.5)

    def bound(variables, image, key):
        return jnp.tile(jnp.arange(1.0, 5.0), (len(image), 1))

    found = Likelihood(bound, data, n=2)(None, key)
    assert found == {"bits": 10.0, "decoder": 1.0, "diffusion": 5.0, "prior": 4.0}
