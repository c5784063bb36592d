"""Super-resolution: a large image for a small one."""

from typing import Literal

import flax.linen as nn
import jax.numpy as jnp

from dljax.tasks.supervised import image, supervised
from dljax.types import Array, Task

ERRORS = {"l2": jnp.square, "l1": jnp.abs}


def enlargement(model: nn.Module, error: Literal["l1", "l2"] = "l2") -> Task:
    """Mean error of the large image's pixels: squared ("l2", which is PSNR's) or absolute ("l1").

    Args:
        model: called as ``model(image [b, h, w, c], train=...) -> [b, scale h, scale w, c]``.

    Batch: ``image`` [b, h, w, c], small, and ``high`` [b, scale h, scale w, c], the truth. Evaluation:
    ``loss``.
    """

    def measured(made: Array, batch, train):
        del train
        apart = ERRORS[error](made.astype(jnp.float32) - batch["high"])
        return {"loss": jnp.mean(apart, axis=(1, 2, 3))}

    return supervised(model, image, measured)
