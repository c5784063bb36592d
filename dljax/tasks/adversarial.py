"""Two networks against each other. Goodfellow et al. 2014, arXiv:1406.2661."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from dljax import axes
from dljax.tasks.linen import forward, initialize
from dljax.tasks.supervised import means
from dljax.types import Array, Aux, Task

_bce = optax.sigmoid_binary_cross_entropy


def adversarial(
    generator: nn.Module, discriminator: nn.Module, latent: int = 100, *, real: float = 1.0
) -> Task:
    """The non-saturating game, with players "discriminator" and "generator", in this order.

        discriminator:  -E log D(x) - E log(1 - D(G(z)))
        generator:      -E log D(G(z))

    The discriminator sees real and made images as separate batches, each with its own BatchNorm
    statistics, as in pytorch/examples. The generator moves second, against the discriminator just
    updated and on other noise.

    Args:
        generator: called as ``generator(noise [b, latent], train=...) -> image [b, h, w, c]``.
        discriminator: called as ``discriminator(image, train=...) -> logit [b]``.
        latent: length of the standard normal noise.
        real: the discriminator's target for real images; 0.9 is the one-sided smoothing of Salimans
            et al. 2016, arXiv:1606.03498, section 3.4.

    Batch: ``image`` [b, h, w, c] in -1..1, the generator's range. Evaluation: ``real`` and ``fake``,
    D's probability that a real and a made image are real. They do not say whether the samples are
    good: two untrained networks score 1/2 and 1/2. Judge ``sample`` (``dljax.analysis.distances``).
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
        return means({"real": jax.nn.sigmoid(on_real), "fake": jax.nn.sigmoid(on_fake)}, batch)

    @partial(jax.jit, static_argnums=2)
    def sample(variables, key, n):
        noise = jax.random.normal(key, (n, latent))
        given = variables.params["generator"], variables.extra["generator"]
        return (forward(generator, *given, noise, key=None, train=False)[0] + 1) / 2

    losses = {"discriminator": discriminator_loss, "generator": generator_loss}
    return Task(init, losses, evaluate, sample=sample)
