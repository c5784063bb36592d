"""Reconstruction through a latent code."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from dljax.tasks.linen import forward, initialize
from dljax.types import Array, Aux, Task


def kl_to_standard_normal(mean: Array, log_var: Array) -> Array:
    """KL(N(mean, exp(log_var)) || N(0, 1)) in nats, [b, z] -> [b].

    = 1/2 sum(mean^2 + var - 1 - log var), Kingma & Welling 2014, appendix B.
    """
    return 0.5 * jnp.sum(mean**2 + jnp.exp(log_var) - 1.0 - log_var, axis=-1)


def variational(model: nn.Module, *, player: str = "model") -> Task:
    """Negative evidence lower bound, in nats per image.

        loss = -E_{z ~ q(z|x)} log p(x|z) + KL(q(z|x) || N(0, 1))

    with one draw of z and a Bernoulli for each pixel: cross-entropies summed over pixels, averaged
    over the batch.

    Args:
        model: called as ``model(image, train=...) -> (logits like image, mean [b, z], log_var [b, z])``,
            drawing z from the stream "noise" where ``train``.
        player: the name of the one player.

    Batch: ``image`` [b, h, w, c] in 0..1. Evaluation: ``loss``, ``reconstruction``, ``kl``.
    """

    def init(key, batch):
        return initialize(key, {player: (model, (batch["image"],))})

    def terms(params, extra, batch, key):
        # Evaluated with train=True too: the bound is an expectation over draws of z.
        (logits, mean, log_var), changed = forward(
            model, params[player], extra[player], batch["image"], key=key, train=True
        )
        logits, image = logits.astype(jnp.float32), batch["image"].astype(jnp.float32)
        pixels = optax.sigmoid_binary_cross_entropy(logits, image)
        reconstruction = jnp.sum(pixels, axis=tuple(range(1, pixels.ndim)))
        kl = kl_to_standard_normal(mean.astype(jnp.float32), log_var.astype(jnp.float32))
        per_image = {"loss": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}
        return per_image, changed

    def loss(params, extra, batch, key):
        per_image, changed = terms(params, extra, batch, key)
        means = jax.tree.map(jnp.mean, per_image)
        value = means.pop("loss")
        return value, Aux(means, {**extra, player: changed})

    def evaluate(params, extra, batch, key):
        return terms(params, extra, batch, key)[0]

    return Task(init, {player: loss}, evaluate)
