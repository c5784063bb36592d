"""Reconstruction of images through a latent code."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from dljax.tasks.linen import forward, initialize
from dljax.tasks.supervised import MODEL, means, supervised
from dljax.types import Array, Aux, Batch, Predict, Task, Variables


def kl_to_standard_normal(mean: Array, log_var: Array) -> Array:
    """KL(N(mean, exp(log_var)) || N(0, 1)) in nats, [b, z] and [b, z] -> [b].

    Equal to 1/2 sum(mean^2 + var - 1 - log var), Kingma & Welling 2014, appendix B.
    """
    return 0.5 * jnp.sum(mean**2 + jnp.exp(log_var) - 1.0 - log_var, axis=-1)


def decoded(model: nn.Module) -> Callable[[Variables, Array], Array]:
    """The function (variables, z [b, z]) -> images in 0..1, the mean of p(x|z)."""

    @jax.jit
    def of(variables: Variables, z: Array) -> Array:
        given = {"params": variables.params[MODEL], **variables.extra[MODEL]}
        logits: Any = model.apply(given, z, method="decode")
        return jax.nn.sigmoid(logits)

    return of


def posterior_mean(model: nn.Module) -> Predict:
    """The function (variables, batch of ``image`` in 0..1) -> the mean of q(z|x), [b, z]."""

    def of(variables: Variables, batch: Batch) -> Array:
        given = variables.params[MODEL], variables.extra[MODEL]
        return forward(model, *given, batch["image"], key=None, train=False)[0][1]

    return of


def lightly_regularized(model: nn.Module, *, weight: float = 1e-6) -> Task:
    """Latent diffusion's first stage, with the absolute error alone for its reconstruction: Rombach et al.
    2022, arXiv:2112.10752, appendix G, without its perceptual and adversarial terms.

        loss = sum_pixels |x - x'| + weight KL(q(z|x) || N(0, 1))

    averaged over the batch; training draws z, and its mean is taken otherwise.

    Args:
        model: called as ``model(image, train=...) -> (image', mean, log_var [b, ...])``, images in -1..1,
            drawing z from the stream "noise" where ``train``.
        weight: of the divergence, which is summed over a code.

    Batch: ``image`` [b, h, w, c] in 0..1; the model sees it in -1..1, where errors are measured.
    Evaluation: ``loss``, ``l1`` (per pixel), ``mse`` (per pixel), ``kl`` (nats per image).
    """

    def signed(batch):
        return (2 * batch["image"] - 1,)

    def measured(output, batch, train):
        (image,) = signed(batch)
        made, *gaussian = (x.astype(jnp.float32).reshape(len(x), -1) for x in output)
        error = made - image.astype(jnp.float32).reshape(made.shape)
        kl, l1 = kl_to_standard_normal(*gaussian), jnp.mean(jnp.abs(error), -1)
        loss = l1 * error.shape[-1] + weight * kl
        return {"loss": loss, "l1": l1, "kl": kl, "mse": jnp.mean(error**2, -1)}

    task = supervised(model, signed, measured)
    output: Any = task.predict

    def predict(variables, batch):
        """The images as restored from the means of their codes, [b, h, w, c] in 0..1."""
        return jnp.clip((output(variables, batch)[0] + 1) / 2, 0.0, 1.0)

    return task._replace(predict=predict)


def variational(model: nn.Module, *, beta: float = 1.0) -> Task:
    """Negative evidence lower bound, in nats per image; with another ``beta`` than 1 that of Higgins et al.
    2017 (beta-VAE), equation 4.

        loss = -E_{z ~ q(z|x)} log p(x|z) + beta KL(q(z|x) || N(0, 1))

    with one draw of z and a Bernoulli for each pixel: cross-entropies summed over pixels, averaged
    over the batch. A sample is the mean of p(x|z) for z ~ N(0, 1).

    Args:
        model: called as ``model(image, train=...) -> (logits like image, mean [b, z], log_var [b, z])``,
            drawing z from the stream "noise" where ``train``; it has ``latents``, the length of z,
            and a method ``decode(z) -> logits``.
        beta: weight of the divergence.

    Batch: ``image`` [b, h, w, c] in 0..1. Evaluation: ``loss``, ``reconstruction``, ``kl``.
    """

    def init(key, batch):
        return initialize(key, {MODEL: (model, (batch["image"],))})

    def measured(output, batch):
        logits, mean, log_var = output
        logits, image = logits.astype(jnp.float32), batch["image"].astype(jnp.float32)
        pixels = optax.sigmoid_binary_cross_entropy(logits, image)
        reconstruction = jnp.sum(pixels, axis=tuple(range(1, pixels.ndim)))
        kl = kl_to_standard_normal(mean.astype(jnp.float32), log_var.astype(jnp.float32))
        return {"loss": reconstruction + beta * kl, "reconstruction": reconstruction, "kl": kl}

    def terms(params, extra, batch, key):
        # An evaluation has train=True too: the bound is an expectation over draws of z.
        output, changed = forward(
            model, params[MODEL], extra[MODEL], batch["image"], key=key, train=True
        )
        return dict(means(measured(output, batch), batch)), changed

    def loss(params, extra, batch, key):
        metrics, changed = terms(params, extra, batch, key)
        return metrics.pop("loss"), Aux(metrics, {**extra, MODEL: changed})

    def evaluate(params, extra, batch, key):
        return terms(params, extra, batch, key)[0]

    def predict(variables, batch):
        """The images as restored from the means of their codes, [b, h, w, c] in 0..1."""
        given = variables.params[MODEL], variables.extra[MODEL]
        logits, _, _ = forward(model, *given, batch["image"], key=None, train=False)[0]
        return jax.nn.sigmoid(logits)

    decode = decoded(model)

    def sample(variables, key, n):
        return decode(variables, jax.random.normal(key, (n, model.latents)))

    return Task(init, {MODEL: loss}, evaluate, predict, sample)
