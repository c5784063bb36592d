"""Latent diffusion's U-Net: tokens are a set, of which a mask hides some; classes and captions that are not told."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from architectures import tiny

from dljax.models.diffusion import latent_unet


def test_tokens_are_a_set_and_a_hidden_one_is_not_there():
    model, params, _, inputs = tiny(latent_unet)
    image, time, tokens = inputs["image"], inputs["time"], inputs["tokens"]
    apply = jax.jit(lambda tokens, mask: model.apply(
        {"params": params}, image, time, tokens, mask, train=False
    ))  # fmt: skip
    mask = jnp.array([[True, True, False], [True, True, True]])
    out = apply(tokens, mask)
    changed = apply(tokens.at[:, 2].add(1.0), mask)
    np.testing.assert_array_equal(changed[0], out[0])
    assert np.abs(changed[1] - out[1]).max() > 1e-3  # one that is there is read
    turned = apply(tokens[:, ::-1], mask[:, ::-1])
    np.testing.assert_allclose(turned, out, atol=1e-5)  # sums of three in another order


SEEN = []


class Shown(nn.Module):
    """The image again; the tokens that it is told are noted."""

    context: int = 8

    @nn.compact
    def __call__(self, image, time, tokens, mask=None, *, train: bool):
        SEEN.append((tokens, mask))
        return image


def test_a_class_has_a_token_and_so_has_none(key):
    model = latent_unet.ToldClass(Shown(), 3)
    image, time, label = jnp.zeros((3, 2, 2, 1)), jnp.zeros(3, int), jnp.array([0, 2, -1])
    variables = model.init(key, image, time, label, train=False)
    table = variables["params"]["embed"]["embedding"]
    assert table.shape == (4, 8)
    model.apply(variables, image, time, label, train=False)
    tokens, _ = SEEN[-1]
    np.testing.assert_array_equal(tokens[:, 0], table[jnp.array([0, 2, 3])])


class Words(nn.Module):
    """A text encoder: one number for each word."""

    def setup(self):
        self.table = nn.Embed(7, 8)

    def encode(self, tokens, *, train: bool):
        return self.table(tokens), tokens != 0


def test_no_caption_is_its_first_token_alone(key):
    model = latent_unet.ToldCaption(Shown(), Words())
    caption = jnp.array([[1, 5, 6, 0], [-1, -1, -1, -1]])
    image, time = jnp.zeros((2, 2, 2, 1)), jnp.zeros(2, int)
    variables = model.init(key, image, time, caption, train=False)
    model.apply(variables, image, time, caption, train=False)
    tokens, mask = SEEN[-1]
    np.testing.assert_array_equal(mask, [[True, True, True, False], [True, False, False, False]])
    table = variables["params"]["encoder"]["table"]["embedding"]
    np.testing.assert_array_equal(tokens, table[jnp.array([[1, 5, 6, 0], [1, 0, 0, 0]])])
