"""Translation between images, with pairs and without."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dljax import EvalSet
from dljax.analysis.translated_images import Translated, TranslationScores, retrieved
from dljax.data import Arrays
from dljax.nn import instance_norm
from dljax.tasks.image_translation import Pool, paired, through_pool, unpaired
from dljax.types import Variables


class Scaled(nn.Module):
    """The image times a number."""

    @nn.compact
    def __call__(self, image, *, train: bool):
        return self.param("by", nn.initializers.ones, ()) * image


class Summed(nn.Module):
    """The mean of an image's values, times a number."""

    @nn.compact
    def __call__(self, image, *, train: bool):
        return self.param("by", nn.initializers.ones, ()) * jnp.mean(image, (1, 2, 3))


def test_the_losses_of_cyclegan_by_hand(key):
    """One pixel a = 2, b = 3; G_AB = 2 a, G_BA = b / 4; D_A = x, D_B = 2 x."""
    task = unpaired(Scaled(), Summed(), cycle=10.0, identity=0.5, pool=4)
    batch = {"image": jnp.full((1, 1, 1, 1), 2.0), "other": jnp.full((1, 1, 1, 1), 3.0)}
    _, extra = task.init(key, batch)
    params = {
        "judge_a": {"by": jnp.array(1.0)},
        "judge_b": {"by": jnp.array(2.0)},
        "generators": {"to_b": {"by": jnp.array(2.0)}, "to_a": {"by": jnp.array(0.25)}},
    }
    # G_BA(b) = 3/4: ((2 - 1)^2 + (3/4)^2) / 2;  G_AB(a) = 4: ((6 - 1)^2 + 8^2) / 2
    for name, expected in (("judge_a", (1 + 9 / 16) / 2), ("judge_b", (25 + 64) / 2)):
        value, aux = task.losses[name](params, extra, batch, key)
        np.testing.assert_allclose(value, expected, rtol=1e-6)
        assert aux.extra[name]["pool"].filled == 1
    # game (8 - 1)^2 + (3/4 - 1)^2; there and back |1 - 2| + |1.5 - 3|; identity |6 - 3| + |1/2 - 2|
    value, aux = task.losses["generators"](params, extra, batch, key)
    expected = 49 + 1 / 16 + 10 * (1 + 1.5) + 5 * (3 + 1.5)
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    found = task.evaluate(params, extra, {**batch, "target": batch["other"]}, key)
    assert {name: float(x.value) for name, x in found.items()} == {"cycle": 1.0, "l1": 1.0}


def test_the_losses_of_pix2pix_by_hand(key):
    """x = 1, y = 3, G = 2 x; D is the mean of the pair, so that D(x, y) = 2 and D(x, G(x)) = 3/2."""
    task = paired(Scaled(), Summed(), weight=100.0)
    batch = {"image": jnp.ones((1, 1, 1, 1)), "target": jnp.full((1, 1, 1, 1), 3.0)}
    _, extra = task.init(key, batch)
    params = {"discriminator": {"by": jnp.array(1.0)}, "generator": {"by": jnp.array(2.0)}}
    value, _ = task.losses["discriminator"](params, extra, batch, key)
    expected = (np.log1p(np.exp(-2)) + np.log1p(np.exp(1.5))) / 2
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    value, aux = task.losses["generator"](params, extra, batch, key)
    np.testing.assert_allclose(value, np.log1p(np.exp(-1.5)) + 100.0, rtol=1e-6)
    assert aux.metrics["l1"] == 1.0 == task.evaluate(params, extra, batch, key)["l1"].value


def test_a_pool_keeps_what_it_is_given_then_shows_half_of_it_again(key):
    """Image i is the number i. The first fifty are shown as they are; each later one is shown itself, or takes
    the place of one that is shown in its stead. Shares of 400 within four standard errors."""
    pool = Pool(jnp.zeros((50, 1, 1, 1)), jnp.zeros((), jnp.int32))
    given = jnp.arange(450.0).reshape(-1, 1, 1, 1)
    first, pool = through_pool(pool, given[:30], key)
    second, pool = through_pool(pool, given[30:], jax.random.fold_in(key, 1))
    shown = np.concatenate([first, second]).ravel()
    np.testing.assert_array_equal(shown[:50], np.arange(50))
    late, numbers = shown[50:], np.arange(50, 450)
    itself = late == numbers
    assert abs(itself.mean() - 0.5) < 4 * 0.5 / np.sqrt(400)
    assert (late[~itself] < numbers[~itself]).all(), "from the past"
    # What was shown from the pool has left it: what was ever in it was shown once more, or is still there.
    entered = [*range(50), *numbers[~itself]]
    np.testing.assert_array_equal(
        np.sort([*late[~itself], *np.asarray(pool.images).ravel()]), np.sort(entered)
    )


def test_a_pool_of_none_shows_everything(key):
    pool = Pool(jnp.zeros((0, 1, 1, 1)), jnp.zeros((), jnp.int32))
    given = jnp.arange(3.0).reshape(-1, 1, 1, 1)
    np.testing.assert_array_equal(through_pool(pool, given, key)[0], given)


def test_instance_norm_by_hand():
    """(x - 2.5) / sqrt(1.25), of each image and channel apart."""
    x = jnp.array([[1.0, 2.0], [3.0, 4.0]])[None, :, :, None]
    out = instance_norm(jnp.concatenate([x, 100 * x], -1))
    expected = np.array([[-1.34164, -0.44721], [0.44721, 1.34164]])
    # The variance's 1e-5 shifts the fifth digit.
    np.testing.assert_allclose(out[0, ..., 0], expected, atol=2e-5)
    np.testing.assert_allclose(out[0, ..., 1], expected, atol=2e-5)


def test_what_is_retrieved_and_scored(key):
    """Made images 0 and 1, whose targets are 0.1 and 3: the second's nearest target is the first's."""
    made = np.array([0.0, 1.0]).reshape(2, 1, 1, 1)
    target = np.array([0.1, 3.0]).reshape(2, 1, 1, 1)
    assert list(retrieved(made, target)) == [True, False]
    task = unpaired(Scaled(), Summed(), pool=0)
    image = np.array([-0.5, 0.25], np.float32).reshape(2, 1, 1, 1)
    data = EvalSet(Arrays({"image": image, "target": 2 * image}))
    variables = Variables({"generators": {"to_b": {"by": jnp.array(2.0)}}}, {})
    scores = TranslationScores(task, data)(variables, key)
    # Untouched: |-0.5 + 1| and |0.25 - 0.5|, halved for values in 0..1; -0.5 is nearest to -1, 0.25 to 0.5.
    assert scores == {
        "l1": 0.0,
        "retrieval": 1.0,
        "untouched_l1": pytest.approx(0.1875),
        "untouched_retrieval": 1.0,
    }
    picture = Translated(task, data, enlarge=1)(variables, key)
    np.testing.assert_allclose(picture[1::2, 1::2], [[0.25, 0.625], [0.0, 0.75], [0.0, 0.75]])
