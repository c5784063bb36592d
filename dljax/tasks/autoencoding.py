"""Autoencoders of a code that is a number for each unit: plain, denoising, sparse and contractive."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from dljax import axes
from dljax.errors import UserError
from dljax.learner import State
from dljax.tasks.linen import forward, initialize
from dljax.tasks.players import called, resting_on
from dljax.tasks.supervised import MODEL, means, weights
from dljax.types import Array, Aux, Batch, Key, Mean, Predict, PyTree, Task


class Output(NamedTuple):
    """The distribution of a pixel, given the decoder's number for it.

    Attributes:
        error: (numbers, pixels) -> nats of each pixel, up to a constant.
        mean: numbers -> the distributions' means, the restored pixels.
    """

    error: Callable[[Array, Array], Array]
    mean: Callable[[Array], Array]


BERNOULLI = Output(optax.sigmoid_binary_cross_entropy, jax.nn.sigmoid)  # pixels in 0..1
GAUSSIAN = Output(lambda number, x: 0.5 * (number - x) ** 2, lambda number: number)  # of variance 1


# Corruptions of the input: (image [b, ...], key) -> image
Corruption = Callable[[Array, Key], Array]


def unharmed(image: Array, key: Key) -> Array:
    """The image as it is."""
    return image


def masking(rate: float) -> Corruption:
    """Each pixel becomes 0 with the chance ``rate``. Vincent et al. 2008, section 2.3."""

    def corrupt(image: Array, key: Key) -> Array:
        return image * axes.keep_mask(key, rate, image.shape).astype(image.dtype)

    return corrupt


def gaussian_noise(deviation: float) -> Corruption:
    """Normal noise of a standard deviation is added to each pixel; nothing is clipped."""

    def corrupt(image: Array, key: Key) -> Array:
        return image + deviation * axes.normal(key, image.shape).astype(image.dtype)

    return corrupt


# Penalties on the code


class Encoding(NamedTuple):
    """An encoder at work, which a penalty judges.

    Attributes:
        encode: image [b, ...] -> code [b, z].
        params: of the model.
        image: the encoder's input [b, ...], corrupted where the task does that.
        code: [b, z] float32.
        batch: with a ``mask`` where rows pad.
    """

    encode: Callable[[Array], Array]
    params: PyTree
    image: Array
    code: Array
    batch: Batch


Penalty = Callable[[Encoding], Array]  # -> [b]; one of the whole batch is the same for every row


def kl_sparsity(target: float = 0.05) -> Penalty:
    """sum_j KL(target || a_j) in nats, with a_j the mean of unit j over the batch, not of its KLs.

    Ng 2011, CS294A lecture notes "Sparse autoencoder". Over microbatches each has its own a_j.

    Args:
        target: activity of each unit, whose values are in 0..1 (a sigmoid's).
    """

    def penalty(given: Encoding) -> Array:
        count = weights(given.batch)
        count = jnp.ones(given.code.shape[:1]) if count is None else count
        total = axes.total((jnp.sum(given.code * count[:, None], 0), jnp.sum(count)))
        active = jnp.clip(total[0] / jnp.maximum(total[1], 1.0), 1e-6, 1 - 1e-6)
        kl = target * jnp.log(target / active)
        kl += (1 - target) * jnp.log((1 - target) / (1 - active))
        return jnp.broadcast_to(jnp.sum(kl), given.code.shape[:1])

    return penalty


def l1_sparsity(given: Encoding) -> Array:
    """sum_j |h_j| of each example [b]."""
    return jnp.sum(jnp.abs(given.code), -1)


def contraction(given: Encoding) -> Array:
    """Squared Frobenius norm of the code's Jacobian for the input, of each example [b].

    Rifai et al. 2011, Contractive Auto-Encoders, ICML, equation 1. Exact for any encoder: one
    Jacobian-vector product for each unit of the shorter side, code or input.
    """
    image = given.image

    def norm(x: Array) -> Array:
        def encode(flat: Array) -> Array:
            return given.encode(jnp.reshape(flat, (1, *x.shape)))[0]

        backwards = given.code.shape[-1] < x.size
        jacobian = (jax.jacrev if backwards else jax.jacfwd)(encode)(jnp.ravel(x))
        return jnp.sum(jacobian.astype(jnp.float32) ** 2)

    return jax.vmap(norm)(image)


def contraction_of_sigmoids(given: Encoding) -> Array:
    """``contraction`` of an encoder of one sigmoid layer: sum_j (h_j (1 - h_j))^2 sum_i W_ij^2, [b].

    Rifai et al. 2011, section 3. It costs no more than the layer itself.

    Raises:
        UserError: the encoder has more layers.
    """
    layers = [name for name in given.params if name.startswith("encoder")]
    if layers != ["encoder_0"]:
        raise UserError(
            f"an encoder of the layers {', '.join(layers)}: this is the contraction of one sigmoid layer, "
            "encoder_0; use tasks.autoencoding.contraction"
        )
    steep = (given.code * (1 - given.code)) ** 2
    return steep @ jnp.sum(given.params["encoder_0"]["kernel"].astype(jnp.float32) ** 2, 0)


# Tasks


def autoencoding(
    model: nn.Module,
    *,
    corrupt: Corruption = unharmed,
    penalties: Mapping[str, tuple[float, Penalty]] | None = None,
    output: Output = BERNOULLI,
) -> Task:
    """The error of images restored from their codes, summed over pixels, and penalties on the codes.

        loss = sum_pixels error(decode(encode(corrupt(x))), x) + sum_p weight_p penalty_p

    averaged over the batch. The target is the image before its corruption (Vincent et al. 2008,
    doi:10.1145/1390156.1390294, equation 5).

    Args:
        model: called as ``model(image, train=...) -> (output like image, code [b, z])``, with a method
            ``encode(image) -> code``. It has parameters alone.
        corrupt: makes the encoder's input of the image, in training and evaluation.
        penalties: name -> (weight, penalty).
        output: of a pixel.

    Batch: ``image`` [b, ...], for ``BERNOULLI`` in 0..1. Evaluation: ``loss`` and ``reconstruction``
    (nats per image), ``mse`` (per pixel), where images are corrupted ``corrupted_mse`` (of the encoder's
    input), and each penalty by its name, unweighted. ``predict`` restores images as they are given.
    """
    given_penalties = dict(penalties or {})

    def init(key, batch):
        return initialize(key, {MODEL: (model, (batch["image"],))})

    def measured(params, extra, batch, key, train: bool):
        noise, inside = jax.random.split(key)
        image = corrupt(batch["image"], noise)
        own = params[MODEL]
        (out, code), _ = forward(model, own, extra[MODEL], image, key=inside, train=train)
        out, clean = out.astype(jnp.float32), batch["image"].astype(jnp.float32)

        def encode(x: Array) -> Any:
            return model.apply({"params": own}, x, method="encode")

        pixels = tuple(range(1, out.ndim))
        error = jnp.sum(output.error(out, clean), pixels)
        mse = jnp.mean((output.mean(out) - clean) ** 2, pixels)
        encoding = Encoding(encode, own, image, code.astype(jnp.float32), batch)
        found = {name: penalty(encoding) for name, (_, penalty) in given_penalties.items()}
        loss = error + sum(given_penalties[name][0] * x for name, x in found.items())
        if corrupt is not unharmed:
            found["corrupted_mse"] = jnp.mean((image.astype(jnp.float32) - clean) ** 2, pixels)
        return dict(means({"loss": loss, "reconstruction": error, "mse": mse, **found}, batch))

    def loss(params, extra, batch, key) -> tuple[Mean, Aux]:
        metrics = measured(params, extra, batch, key, True)
        return metrics.pop("loss"), Aux(metrics, extra)

    def evaluate(params, extra, batch, key):
        return measured(params, extra, batch, key, False)

    def predict(variables, batch):
        given = variables.params[MODEL], variables.extra[MODEL]
        out, _ = forward(model, *given, batch["image"], key=None, train=False)[0]
        return output.mean(out)

    return Task(init, {MODEL: loss}, evaluate, predict)


def coding(model: nn.Module, player: str = MODEL) -> Predict:
    """(variables, batch) -> the codes [b, z] of the batch's images."""

    def predict(variables, batch):
        return model.apply({"params": variables.params[player]}, batch["image"], method="encode")

    return predict


def layer_by_layer(layers: Sequence[nn.Module], corruptions: Sequence[Corruption]) -> list[Task]:
    """Tasks of greedy pre-training: the i-th trains "layer<i>" on the codes of those below it.

    The codes below are of the clean images; layer i's own corruption is put on them. Bengio et al.
    2006, Greedy Layer-Wise Training of Deep Networks, NeurIPS; Vincent et al. 2010, JMLR 11, section 3.5.

    Args:
        layers: autoencoders, each of the codes of the one before.
        corruptions: one for each.
    """

    def codes_below(below, variables, batch):
        code = batch["image"]
        for i, layer in enumerate(below):
            code = coding(layer, f"layer{i}")(variables, {"image": code})
        return {**batch, "image": code}

    tasks: list[Task] = []
    for i, (layer, corrupt) in enumerate(zip(layers, corruptions, strict=True)):
        task = called(autoencoding(layer, corrupt=corrupt), model=f"layer{i}")
        if tasks:
            task = resting_on(task, tasks[-1], partial(codes_below, layers[:i]))
        tasks.append(task)
    return tasks


def unrolled(before: State | None, fresh: State) -> State:
    """Start the player "model" from the encoders of ``layer_by_layer``, whose decoders are left out.

    Its layers "encoder_<i>" are the encoders; the others begin.
    """
    if before is None:
        return fresh
    encoders = {
        f"encoder_{name.removeprefix('layer')}": jax.tree.map(jnp.copy, layer["encoder_0"])
        for name, layer in before.params.items()
    }
    params = {MODEL: {**fresh.params[MODEL], **encoders}}
    return fresh._replace(step=before.step, params=params)
