"""Prediction of the frames of a video that follow the frames that are seen."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from dljax.errors import UserError
from dljax.tasks.linen import forward, initialize
from dljax.tasks.supervised import MODEL, means
from dljax.types import Aux, Task, Variables


def next_frames(model: nn.Module) -> Task:
    """Cross-entropy of each pixel ahead, a Bernoulli, summed over a video. Shi et al. 2015, arXiv:1506.04214,
    section 4.1.

    Args:
        model: called as ``model(video [b, t, h, w, c], train=...) -> logits [b, ahead, h, w, c]``; it has
            ``ahead``.

    Batch: ``image`` [b, t + ahead, h, w, c] in 0..1. Evaluation: ``loss`` in nats for each video; ``mse`` of the
    pixels, and ``mse_last``, that of the last frame seen in place of all that follow. ``predict`` gives the
    probabilities, [b, ahead, h, w, c].
    """

    def split(batch):
        video = batch["image"]
        return video[:, : -model.ahead], video[:, -model.ahead :]

    def init(key, batch):
        return initialize(key, {MODEL: (model, (split(batch)[0],))})

    def measured(logits, batch):
        seen, ahead = (x.astype(jnp.float32) for x in split(batch))
        logits = logits.astype(jnp.float32)
        pixels = tuple(range(1, ahead.ndim))
        entropy = optax.sigmoid_binary_cross_entropy(logits, ahead)
        return {
            "loss": jnp.sum(entropy, pixels),
            "mse": jnp.mean((jax.nn.sigmoid(logits) - ahead) ** 2, pixels),
            "mse_last": jnp.mean((seen[:, -1:] - ahead) ** 2, pixels),
        }

    def loss(params, extra, batch, key):
        logits, changed = forward(
            model, params[MODEL], extra[MODEL], split(batch)[0], key=key, train=True
        )
        metrics = dict(means(measured(logits, batch), batch))
        return metrics.pop("loss"), Aux(metrics, {**extra, MODEL: changed})

    def logits_in_use(variables, batch):
        given = variables.params[MODEL], variables.extra[MODEL]
        return forward(model, *given, split(batch)[0], key=None, train=False)[0]

    def predict(variables, batch):
        return jax.nn.sigmoid(logits_in_use(variables, batch))

    def evaluate(params, extra, batch, key):
        del key
        return means(measured(logits_in_use(Variables(params, extra), batch), batch), batch)

    def check(variables, batch):
        frames = batch["image"].shape[1]
        if frames <= model.ahead:
            raise UserError(
                f"videos of {frames} frames of which {model.ahead} are ahead: none is left to be seen"
            )

    return Task(init, {MODEL: loss}, evaluate, predict, check=check)
