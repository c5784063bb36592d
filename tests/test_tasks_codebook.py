"""The losses of a VQ-VAE and of the prior over its codes."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dljax.errors import UserError
from dljax.tasks.codebook import perplexity, prior, vector_quantized
from dljax.types import Variables

Z, CODES = jnp.array([[0.9, 0.1], [0.2, 0.8]]), jnp.eye(2)


class Known(nn.Module):
    """Codes of known distance from z; an image is restored without its first pixel."""

    decay: float | None = None
    codes: int = 3

    @nn.compact
    def __call__(self, image, *, train: bool):
        z, code = self.param("z", lambda _: Z), self.param("code", lambda _: CODES)
        many = len(image) // 2
        places = (many, 1, 1, 1)
        share = jnp.tile(jnp.array([[0.75, 0.25, 0.0], [0.25, 0.75, 0.0]]), (many, 1))
        z, code = (jnp.tile(x[:, None, None], places) for x in (z, code))
        return image.at[:, 0, 0].set(0.0), z, code, share

    def encode(self, image):
        return jnp.where(image[..., 0] > 0, 2, 1)

    def decode(self, code):
        return code[..., None] / 2 - 0.5


# Pixels 1, 1/2, 1/2, 1/2 are 1/2, 0, 0, 0 to the model, and 0 is restored: an error of 1/16 over 1/4.
BATCH = {"image": jnp.full((2, 2, 2, 1), 0.5).at[:, 0, 0].set(1.0)}


@pytest.mark.parametrize("decay, gap", [(None, 0.03125), (0.99, 0.00625)], ids=["gradient", "EMA"])
def test_the_loss_by_hand(key, decay, gap):
    """Squares .01, .01, .04, .04 have the mean .025, which counts once for the codebook where the gradient
    moves it, and a quarter for the commitment."""
    task = vector_quantized(Known(decay), 0.25)
    params, extra = task.init(key, BATCH)
    measured = task.evaluate(params, extra, BATCH, key)
    value, aux = task.losses["model"](params, extra, BATCH, key)
    for found in (measured, {**aux.metrics, "loss": value}):
        np.testing.assert_allclose(found["error"].value, 0.25, rtol=1e-6)
        np.testing.assert_allclose(found["loss"].value, 0.25 + gap, rtol=1e-6)
        np.testing.assert_allclose(found["perplexity"].value, 2.0, rtol=1e-6)  # halves of two codes


def test_beta_weighs_the_commitment_alone(key):
    """d/dz = 2 beta (z - e) / 4 and d/de = 2 (e - z) / 4, of a mean over two images of two numbers."""
    task = vector_quantized(Known(), 0.25, commitment=0.5)
    params, extra = task.init(key, BATCH)
    gradient = jax.grad(lambda p: task.losses["model"](p, extra, BATCH, key)[0].value)(params)
    np.testing.assert_allclose(gradient["model"]["z"], 0.25 * (Z - CODES), rtol=1e-6)
    np.testing.assert_allclose(gradient["model"]["code"], 0.5 * (CODES - Z), rtol=1e-6)


def test_padding_counts_neither_for_the_error_nor_for_the_codes(key):
    task = vector_quantized(Known(), 0.25)
    params, extra = task.init(key, BATCH)
    batch = {
        "image": BATCH["image"].at[1].set(1.0),  # three numbers more, of which one would be wrong
        "mask": jnp.array([1.0, 0.0]),
    }
    measured = task.evaluate(params, extra, batch, key)
    np.testing.assert_allclose(measured["error"].value, 0.25, rtol=1e-6)
    of_first = 0.75**-0.75 * 0.25**-0.25
    np.testing.assert_allclose(measured["perplexity"].value, of_first, rtol=1e-6)
    assert measured["perplexity"].count == 1


def test_predictions_are_in_the_range_of_the_images(key):
    task = vector_quantized(Known(), 0.25)
    variables = Variables(*task.init(key, BATCH))
    restored = task.predict(variables, BATCH)
    np.testing.assert_array_equal(restored, BATCH["image"].at[:, 0, 0].set(0.5))


def test_perplexity_of_known_chances():
    np.testing.assert_allclose(perplexity(np.full(8, 1 / 8)), 8.0, rtol=1e-6)
    assert perplexity(np.array([1.0, 0.0])) == 1.0


def test_pixels_that_do_not_vary_are_refused():
    with pytest.raises(UserError, match="variance 0.0"):
        vector_quantized(Known(), 0.0)


class Next(nn.Module):
    """Logits that know the code at each place: 1, 2, 2, 1."""

    vocabulary: int = 4
    context: int = 4

    @nn.compact
    def __call__(self, tokens, *, train: bool):
        scale = self.param("scale", nn.initializers.ones, ())
        at = jnp.array([1, 2, 2, 1])
        return jnp.broadcast_to(scale * 50 * jax.nn.one_hot(at, 4), (len(tokens), 4, 4))


def test_a_prior_reads_the_codes_line_by_line_and_its_draws_are_decoded(key):
    seen = []

    def draw(net, params, first, key, *, length, context):
        seen.append(np.asarray(first))
        return jnp.tile(jnp.array([1, 2, 2, 0]), (len(first), 1))[:, :length]

    coder = vector_quantized(Known(), 0.25)
    task = prior(Next(), coder, Known(), draw)
    image = jnp.array([[0.0, 1.0], [1.0, 0.0]])[None, :, :, None].repeat(2, 0)
    params, extra = task.init(key, {"image": image})
    assert set(params) == {"model", "prior"} and set(task.losses) == {"prior"}
    measured = task.evaluate(params, extra, {"image": image}, key)
    assert measured["accuracy"].value == 1 and measured["accuracy"].count == 8
    np.testing.assert_allclose(measured["loss"].value, 0.0, atol=1e-6)
    made = task.sample(Variables(params, extra), key, 3)
    np.testing.assert_array_equal(seen[0], [[3]] * 3)  # the token that is no code
    np.testing.assert_array_equal(made[1, :, :, 0], [[0.5, 1.0], [1.0, 0.0]])
    gradient = jax.grad(lambda p: task.losses["prior"](p, extra, {"image": image}, key)[0].value)(
        params
    )
    assert not any(np.any(x) for x in jax.tree.leaves(gradient["model"]))


def test_a_prior_of_other_codes_is_refused():
    with pytest.raises(UserError, match="expected 4"):
        prior(Next(vocabulary=3), vector_quantized(Known(), 0.25), Known(), lambda *_: None)
