"""Supervised learning: one model, its output measured against the batch."""

from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from dljax.errors import UserError
from dljax.tasks.linen import forward, initialize
from dljax.types import Array, Aux, Batch, Mean, Measures, Predict, Task, Variables

MODEL = "model"  # name of a task's one player
Values = Mapping[str, Array | Mean]


def weights(batch: Batch, counts: Array | None = None) -> Array | None:
    """Weights of a batch's values: its ``mask`` times ``counts``; None where all count once.

    Args:
        counts: [b, ...], 1 or True where a value (a pixel, a token) counts.
    """
    mask = batch.get("mask")
    if mask is None or counts is None:
        return mask if counts is None else counts
    return jnp.reshape(mask, (*mask.shape, *[1] * (counts.ndim - mask.ndim))) * counts


def means(values: Values, batch: Batch) -> Measures:
    """Means of values per row, [b, ...], over the rows that count; a Mean stays as it is."""
    return {
        name: x if isinstance(x, Mean) else Mean.of(x, weights(batch)) for name, x in values.items()
    }


def image(batch: Batch) -> tuple:
    """The arguments of a model of images."""
    return (batch["image"],)


def texts(batch: Batch) -> tuple:
    """The arguments of a model of texts: ``tokens``, then what the batch has of ``types`` (which of two texts
    a token is of) and ``fresh`` (which rows begin another text).
    """
    return tuple(batch[name] for name in ("tokens", "types", "fresh") if name in batch)


def check_tokens(tokens: Array | np.ndarray, vocabulary: int) -> None:
    """Check that a model knows all tokens of a host array.

    Args:
        vocabulary: number of the model's tokens.

    Raises:
        UserError: it does not.
    """
    least, most = int(np.min(tokens, initial=0)), int(np.max(tokens, initial=0))
    if least < 0 or most >= vocabulary:
        raise UserError(
            f"token {least if least < 0 else most} is none of the model's {vocabulary}: expected 0 to {vocabulary - 1}; build "
            "the model with the vocabulary's size"
        )


def represented(model: nn.Module) -> Predict:
    """The function (variables, batch) -> what ``model.represent`` makes of ``image``, in use."""

    def of(variables: Variables, batch: Batch) -> Array:
        given = {"params": variables.params[MODEL], **variables.extra[MODEL]}
        return model.apply(given, batch["image"], method="represent")  # type: ignore[return-value]

    return of


def accept(output: Any, batch: Batch) -> None:
    """Accept any output."""


def supervised(
    model: nn.Module,
    inputs: Callable[[Batch], tuple],
    measured: Callable[[Any, Batch, bool], Values],
    fits: Callable[[Any, Batch], None] = accept,
) -> Task:
    """The task of one model that minimizes "loss".

    Args:
        model: called as ``model(*inputs(batch), train=...)``.
        inputs: the model's arguments in a batch.
        measured: (output, batch, train) -> name -> values per row, [b, ...], or a ``Mean`` that has
            taken ``weights`` into account.
        fits: (abstract output, host batch): raises UserError where the two do not fit.
    """

    def init(key, batch):
        return initialize(key, {MODEL: (model, inputs(batch))})

    def loss(params, extra, batch, key):
        output, changed = forward(
            model, params[MODEL], extra[MODEL], *inputs(batch), key=key, train=True
        )
        metrics = dict(means(measured(output, batch, True), batch))
        return metrics.pop("loss"), Aux(metrics, {**extra, MODEL: changed})

    def predict(variables, batch):
        params, extra = variables
        return forward(model, params[MODEL], extra[MODEL], *inputs(batch), key=None, train=False)[0]

    def evaluate(params, extra, batch, key):
        del key
        return means(measured(predict(Variables(params, extra), batch), batch, False), batch)

    def check(variables, batch):
        numbers = {name: x for name, x in batch.items() if jnp.issubdtype(x.dtype, jnp.number)}
        fits(jax.eval_shape(predict, variables, numbers), batch)

    return Task(init, {MODEL: loss}, evaluate, predict, check=check)
