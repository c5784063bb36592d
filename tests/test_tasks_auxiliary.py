"""Auxiliary heads in training, by hand."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from refusal import refused

from dljax.tasks.auxiliary import auxiliary_classification
from dljax.tasks.classification import classification


class Heads(nn.Module):
    """The image as logits; in training also no preference, and the logits the other way round."""

    @nn.compact
    def __call__(self, image, *, train: bool):
        own = self.param("scale", nn.initializers.ones, ()) * image
        return (own, 0 * own, own[:, ::-1]) if train else own


# Chances of 1/4 and 3/4, and the right class is the second.
BATCH = {"image": jnp.log(jnp.array([[1.0, 3.0]])), "label": jnp.array([1])}


def test_heads_are_weighed_in_training_alone(key):
    task = auxiliary_classification(Heads(), weights=(0.3, 0.1))
    given = *task.init(key, BATCH), BATCH, key
    loss, aux = task.losses["model"](*given)
    # log 4/3 + 0.3 log 2 + 0.1 log 4
    np.testing.assert_allclose(loss.value, 0.63425566, rtol=1e-6)  # float32
    np.testing.assert_allclose(aux.metrics["main_loss"].value, 0.28768207, rtol=1e-6)
    measured = task.evaluate(*given)
    assert measured.keys() == {"loss", "accuracy"}
    np.testing.assert_allclose(measured["loss"].value, 0.28768207, rtol=1e-6)
    assert measured["accuracy"].value == aux.metrics["accuracy"].value == 1
    np.testing.assert_array_equal(task.predict(given[:2], BATCH), BATCH["image"])


def test_labels_are_smoothed_for_every_head_and_rows_masked(key):
    """A fifth of the target is spread over both classes; the second row does not count."""
    batch = {
        "image": jnp.concatenate([BATCH["image"], jnp.full((1, 2), jnp.nan)]),
        "label": jnp.array([1, 0]),
        "mask": jnp.array([1.0, 0.0]),
    }
    task = auxiliary_classification(Heads(), weights=(0.3, 0.1), smoothing=0.2)
    loss, _ = task.losses["model"](*task.init(key, batch), batch, key)
    own = 0.9 * 0.28768207 + 0.1 * 1.38629436
    reversed_ = 0.9 * 1.38629436 + 0.1 * 0.28768207
    np.testing.assert_allclose(loss.value, own + 0.3 * 0.69314718 + 0.1 * reversed_, rtol=1e-6)
    assert loss.count == 1


def test_as_many_weights_as_heads(key):
    task = auxiliary_classification(Heads(), weights=(0.3,))
    given = *task.init(key, BATCH), BATCH, key
    with refused(
        "Heads has 2 auxiliary heads where there are 1 weights (0.3,)", "one weight per head"
    ):
        task.losses["model"](*given)


def test_classification_names_the_task_for_heads(key):
    task = classification(Heads())
    given = *task.init(key, BATCH), BATCH, key
    with refused("has 3 outputs in training", "tasks.auxiliary"):
        task.losses["model"](*given)
