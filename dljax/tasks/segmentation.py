"""A class for every pixel."""

import flax.linen as nn
import jax.numpy as jnp
import optax

from dljax.tasks.linen import forward, initialize
from dljax.types import Array, Aux, Task


def overlap(guess: Array, label: Array, classes: int) -> tuple[Array, Array]:
    """(IoU, Dice) per image, each the mean over the classes that occur in guess or label.

    IoU = |A and B| / |A or B|, Dice = 2 |A and B| / (|A| + |B|); [b, h, w] integers -> [b] each.
    """
    which = jnp.arange(classes)[None, None, None, :]
    a, b = guess[..., None] == which, label[..., None] == which
    both = jnp.sum(a & b, axis=(1, 2)).astype(jnp.float32)
    total = jnp.sum(a, axis=(1, 2)) + jnp.sum(b, axis=(1, 2)).astype(jnp.float32)
    occurs = total > 0
    count = jnp.sum(occurs, axis=-1)
    iou = jnp.where(occurs, both / jnp.maximum(total - both, 1.0), 0.0)
    dice = jnp.where(occurs, 2.0 * both / jnp.maximum(total, 1.0), 0.0)
    return jnp.sum(iou, axis=-1) / count, jnp.sum(dice, axis=-1) / count


def segmentation(model: nn.Module, *, player: str = "model") -> Task:
    """Mean cross-entropy over all pixels of ``model(image) -> logits [b, h, w, classes]``.

    Args:
        model: called as ``model(batch["image"], train=...)``.
        player: the name of the one player.

    Batch: ``image`` [b, h, w, c], ``label`` [b, h, w] int32. Evaluation, per image: ``loss`` (nats per
    pixel), ``accuracy`` (share of the pixels), ``iou`` and ``dice`` (see ``overlap``).
    """

    def init(key, batch):
        return initialize(key, {player: (model, (batch["image"],))})

    def loss(params, extra, batch, key):
        logits, changed = forward(
            model, params[player], extra[player], batch["image"], key=key, train=True
        )
        logits, label = logits.astype(jnp.float32), batch["label"]
        value = jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, label))
        accuracy = jnp.mean(jnp.argmax(logits, -1) == label)
        return value, Aux({"accuracy": accuracy}, {**extra, player: changed})

    def evaluate(params, extra, batch, key):
        del key
        logits, _ = forward(
            model, params[player], extra[player], batch["image"], key=None, train=False
        )
        logits, label = logits.astype(jnp.float32), batch["label"]
        pixels = optax.softmax_cross_entropy_with_integer_labels(logits, label)
        guess = jnp.argmax(logits, -1)
        iou, dice = overlap(guess, label, logits.shape[-1])
        accuracy = jnp.mean((guess == label).astype(jnp.float32), axis=(1, 2))
        return {
            "loss": jnp.mean(pixels, axis=(1, 2)),
            "accuracy": accuracy,
            "iou": iou,
            "dice": dice,
        }

    return Task(init, {player: loss}, evaluate)
