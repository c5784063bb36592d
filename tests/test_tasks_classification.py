"""A class for every image."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dljax.errors import UserError
from dljax.tasks.classification import check_labels, classification, cross_entropy


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


# Labels that are distributions


def losses(label, key, image=BATCH["image"], **options) -> dict:
    """Loss and accuracy in training and in evaluation."""
    batch = {"image": image, "label": label}
    task = classification(Given(), **options)
    given = *task.init(key, batch), batch, key
    loss, aux = task.losses["model"](*given)
    train = {"train/loss": loss, **{f"train/{name}": x for name, x in aux.metrics.items()}}
    return {name: x.value for name, x in {**train, **task.evaluate(*given)}.items()}


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_distribution_on_one_class_is_that_class(smoothing, key):
    """Bit for bit."""
    image = jnp.asarray(5 * np.random.default_rng(0).normal(size=(64, 7)), jnp.float32)
    label = jnp.arange(64) % 7
    hard = losses(label, key, image, smoothing=smoothing)
    soft = losses(jnp.eye(7)[label], key, image, smoothing=smoothing)
    assert set(hard) == {"train/loss", "train/accuracy", "loss", "accuracy"}
    assert hard == soft
    for entropy in (cross_entropy, jax.jit(cross_entropy, static_argnums=2)):
        rows = [entropy(image, given, smoothing) for given in (label, jnp.eye(7)[label])]
        np.testing.assert_array_equal(*rows)


@pytest.mark.parametrize(
    "smoothing, loss",
    [
        (0.0, 0.4 * 1.38629436 + 0.6 * 0.28768207),  # log 4 and log 4/3, by their shares
        (0.2, 0.42 * 1.38629436 + 0.58 * 0.28768207),  # four fifths of the shares, a tenth for each
    ],
)
def test_the_loss_of_a_mixture_is_the_mixture_of_losses(smoothing, loss, key):
    found = losses(jnp.array([[0.4, 0.6]]), key, smoothing=smoothing)
    np.testing.assert_allclose(found["train/loss"], loss, rtol=1e-6)  # float32
    np.testing.assert_allclose(found["loss"], 0.4 * 1.38629436 + 0.6 * 0.28768207, rtol=1e-6)


def test_accuracy_asks_for_the_likeliest_class(key):
    """The second is guessed."""
    assert losses(jnp.array([[0.4, 0.6]]), key)["accuracy"] == 1
    assert losses(jnp.array([[0.6, 0.4]]), key)["accuracy"] == 0


def test_distributions_may_be_of_few_bits(key):
    """As mixed precision hands them over: 0.3 and 0.7 add to 1.0006."""
    label = jnp.array([[0.3, 0.7]], jnp.bfloat16)
    # bfloat16 has eight bits: 2^-9 of each share.
    expected = 0.3 * 1.38629436 + 0.7 * 0.28768207
    np.testing.assert_allclose(losses(label, key)["train/loss"], expected, rtol=2**-8)


@pytest.mark.parametrize("label", [[0.5, 0.6], [-0.5, 1.5], [0.0, 0.0], [jnp.nan, 1.0]])
def test_what_is_no_distribution_stops_the_training(label, key):
    assert jnp.isnan(losses(jnp.array([label]), key)["train/loss"])


@pytest.mark.parametrize(
    "label, words",
    [
        (
            [[0.5, 0.5], [0.5, 0.7]],
            r"a least value of 0.5 and a sum of 1.2: expected distributions",
        ),
        ([[1.5, -0.5], [0.5, 0.5]], r"a least value of -0.5 and a sum of 1: expected"),
        ([[np.nan, 1.0], [0.5, 0.5]], r"a sum of nan"),
        ([0.0, 1.0], r"labels are float64 \(0.0, 1.0\): expected integers 0 to 1"),
    ],
)
def test_distributions_that_do_not_fit_are_told(label, words):
    with pytest.raises(UserError, match=words) as error:
        check_labels(jnp.zeros((2, 2)), np.array(label))
    assert "\n" not in str(error.value)
    check_labels(jnp.zeros((2, 2)), np.array([[0.25, 0.75], [1.0, 0.0]]))


def test_distributions_have_no_label_to_ignore(key):
    with pytest.raises(UserError, match="none is 9, the label to ignore: leave ignore out"):
        losses(jnp.array([[0.4, 0.6]]), key, ignore=9)
