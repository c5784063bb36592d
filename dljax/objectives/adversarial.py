"""Two networks against each other. Goodfellow et al. 2014, arXiv:1406.2661."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from dljax import axes
from dljax.objectives.linen import forward, initialize
from dljax.types import Array, Aux, Objective

_bce = optax.sigmoid_binary_cross_entropy


def adversarial(
    generator: nn.Module, discriminator: nn.Module, latent: int = 100, *, real: float = 1.0
) -> Objective:
    """The non-saturating game, with players "discriminator" and "generator", in this order.

        discriminator:  -E log D(x) - E log(1 - D(G(z)))
        generator:      -E log D(G(z))

    The discriminator sees real and made images as separate batches, each with its own BatchNorm
    statistics, as in pytorch/examples; the generator moves after it, against it as it has become,
    on noise of its own.

    Args:
        generator: ``(noise [b, latent], train=...) -> image``.
        discriminator: ``(image, train=...) -> logit [b]``.
        latent: length of the standard normal noise.
        real: the discriminator's target for real images; 0.9 is the one-sided smoothing of Salimans
            et al. 2016, arXiv:1606.03498, section 3.4.

    Batch: ``image`` in the generator's range. Evaluation: ``real`` and ``fake``, the probability of
    being real that D gives to a real and to a made image.
    """

    def init(key, batch):
        noise = jnp.zeros((batch["image"].shape[0], latent), batch["image"].dtype)
        return initialize(
            key,
            {
                "discriminator": (discriminator, (batch["image"],)),
                "generator": (generator, (noise,)),
            },
        )

    def make(params, extra, batch, key, train: bool):
        key, noise_key = jax.random.split(key)
        image = batch["image"]
        noise = axes.normal(noise_key, (image.shape[0], latent)).astype(image.dtype)
        made, changed = forward(
            generator, params["generator"], extra["generator"], noise, key=key, train=train
        )
        return made, {**extra, "generator": changed}

    def judge(params, extra, image, key, train: bool) -> tuple[Array, dict]:
        logit, changed = forward(
            discriminator,
            params["discriminator"],
            extra["discriminator"],
            image,
            key=key,
            train=train,
        )
        return logit.astype(jnp.float32), {**extra, "discriminator": changed}

    def discriminator_loss(params, extra, batch, key):
        make_key, real_key, fake_key = jax.random.split(key, 3)
        on_real, extra = judge(params, extra, batch["image"], real_key, True)
        made, extra = make(params, extra, batch, make_key, True)
        on_fake, extra = judge(params, extra, made, fake_key, True)
        value = jnp.mean(_bce(on_real, real)) + jnp.mean(_bce(on_fake, 0.0))
        chances = {
            "real": jnp.mean(jax.nn.sigmoid(on_real)),
            "fake": jnp.mean(jax.nn.sigmoid(on_fake)),
        }
        return value, Aux(chances, extra)

    def generator_loss(params, extra, batch, key):
        make_key, fake_key = jax.random.split(key)
        made, extra = make(params, extra, batch, make_key, True)
        on_fake, extra = judge(params, extra, made, fake_key, True)
        return jnp.mean(_bce(on_fake, 1.0)), Aux({}, extra)

    def evaluate(params, extra, batch, key):
        made, _ = make(params, extra, batch, key, False)
        on_real, _ = judge(params, extra, batch["image"], None, False)
        on_fake, _ = judge(params, extra, made, None, False)
        return {"real": jax.nn.sigmoid(on_real), "fake": jax.nn.sigmoid(on_fake)}

    return Objective(
        init, {"discriminator": discriminator_loss, "generator": generator_loss}, evaluate
    )
