"""A class for every image."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest

from dljax.tasks.classification import classification


class Given(nn.Module):
    """The image itself as logits."""

    @nn.compact
    def __call__(self, image, *, train: bool):
        return self.param("scale", nn.initializers.ones, ()) * image


# Chances of 1/4 and 3/4, and the right class is the second.
BATCH = {"image": jnp.log(jnp.array([[1.0, 3.0]])), "label": jnp.array([1])}


@pytest.mark.parametrize(
    "smoothing, loss",
    [
        (0.0, 0.28768207),  # -log 3/4
        (0.2, 0.1 * 1.38629436 + 0.9 * 0.28768207),  # a fifth of the target is spread over both
    ],
)
def test_labels_are_smoothed_in_training_alone(smoothing, loss, key):
    task = classification(Given(), smoothing=smoothing)
    given = *task.init(key, BATCH), BATCH, key
    np.testing.assert_allclose(task.losses["model"](*given)[0].value, loss, rtol=1e-6)  # float32
    measured = task.evaluate(*given)
    np.testing.assert_allclose(measured["loss"].value, 0.28768207, rtol=1e-6)
    assert measured["accuracy"].value == 1


def test_an_ignored_label_counts_in_neither_loss_nor_accuracy(key):
    """Of chances 3/4, 3/4 and 1/4 for the second class, the second is not asked for."""
    image = jnp.log(jnp.array([[1.0, 3.0], [1.0, 3.0], [3.0, 1.0]]))
    batch = {"image": image, "label": jnp.array([1, 9, 1])}
    task = classification(Given(), ignore=9)
    given = *task.init(key, batch), batch, key
    loss, aux = task.losses["model"](*given)
    for values in ({"loss": loss, **aux.metrics}, task.evaluate(*given)):
        # (log 4/3 + log 4) / 2
        np.testing.assert_allclose(values["loss"].value, 0.83698822, rtol=1e-6)
        assert (values["accuracy"].value, values["accuracy"].count) == (0.5, 2)
