"""Two networks against each other. Goodfellow et al. 2014, arXiv:1406.2661."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from dljax import axes
from dljax.tasks.linen import forward, initialize
from dljax.types import Array, Aux, Task

_bce = optax.sigmoid_binary_cross_entropy


def energy_distance(x: Array, y: Array, counts: Array | None = None) -> Array:
    """Each x's share of the energy distance between two samples: their mean is the distance.

        2 E|x - y| - E|x - x'| - E|y - y'|:  0 where the distributions are equal, else above

    (Székely & Rizzo 2013, doi:10.1016/j.jspi.2013.03.018), with Euclidean norms, in the units of x and
    y. Nothing is paired with itself (a U-statistic), so the estimate is unbiased, and so is its mean
    over batches; between close distributions it may fall below 0.

    Args:
        x: [n, ...], flattened.
        y: [m, ...], flattened.
        counts: [n], 0 where an x is padding; by default every x counts.

    Returns:
        [n] float32, to be averaged over those that count; 0 for an x that has no other to pair with.
    """
    counts = jnp.ones(len(x)) if counts is None else (counts > 0).astype(jnp.float32)
    # The distance of something to itself, 0 but for rounding, is left out by name.
    x_pairs = (1.0 - jnp.eye(len(x))) * counts[None, :]
    y_pairs = 1.0 - jnp.eye(len(y))
    others = jnp.sum(x_pairs, axis=1)
    x_apart = jnp.sum(_distances(x, x) * x_pairs, axis=1) / jnp.maximum(others, 1.0)
    y_apart = jnp.sum(_distances(y, y) * y_pairs) / max(len(y) * (len(y) - 1), 1)
    share = 2.0 * jnp.mean(_distances(x, y), axis=1) - x_apart - y_apart
    return jnp.where(others > 0, share, 0.0)


def _distances(x: Array, y: Array) -> Array:
    """|x_i - y_j|, [n, m], by inner products: differences would take n m images of memory."""
    x, y = (a.reshape(len(a), -1).astype(jnp.float32) for a in (x, y))
    inner = jnp.matmul(x, y.T, precision="highest")  # the difference of large squares is small
    squared = jnp.sum(x * x, 1)[:, None] - 2.0 * inner + jnp.sum(y * y, 1)[None, :]
    positive = squared > 0  # rounding may leave less, and at 0 the root has no gradient
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, squared, 1.0)), 0.0)


def adversarial(
    generator: nn.Module, discriminator: nn.Module, latent: int = 100, *, real: float = 1.0
) -> Task:
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
    being real that D gives to a real and to a made image; ``energy``, how far as many made images are
    from the real ones (see ``energy_distance``). Only the last says whether the samples are good: two
    untrained networks score 1/2 and 1/2 on the first.
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
        return {
            "real": jax.nn.sigmoid(on_real),
            "fake": jax.nn.sigmoid(on_fake),
            "energy": energy_distance(batch["image"], made, batch.get("mask")),
        }

    return Task(init, {"discriminator": discriminator_loss, "generator": generator_loss}, evaluate)
