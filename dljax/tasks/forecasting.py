"""Forecasts of series."""

import math

import flax.linen as nn
import jax.numpy as jnp

from dljax.errors import UserError
from dljax.tasks.supervised import supervised
from dljax.types import Task


def forecasting(model: nn.Module) -> Task:
    """Mean squared error of ``model(past) -> [b, ahead * c]``, the future in one go.

    Args:
        model: called as ``model(past [b, t, c], train=...)``.

    Batch: ``past`` [b, t, c] and ``future`` [b, ahead, c] float32. Evaluation: ``loss`` is the mean of the
    squared errors over all numbers, ``mae`` that of their amounts.
    """

    def measured(output, batch, train):
        future = batch["future"].astype(jnp.float32)
        error = output.astype(jnp.float32).reshape(future.shape) - future
        axes = tuple(range(1, error.ndim))
        return {"loss": jnp.mean(error**2, axes), "mae": jnp.mean(jnp.abs(error), axes)}

    def fits(output, batch):
        wanted = math.prod(batch["future"].shape[1:])
        if output.shape[1:] != (wanted,):
            raise UserError(
                f"the model makes {output.shape[1:]} numbers of each past, the future has {wanted}: build "
                f"it with outputs={wanted}"
            )

    return supervised(model, lambda batch: (batch["past"],), measured, fits)
