"""Cross-entropy over classes, with auxiliary heads in training. Szegedy et al. 2014, arXiv:1409.4842,
section 5; Lee et al. 2014, Deeply-Supervised Nets, arXiv:1409.5185.
"""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn

from dljax.errors import UserError
from dljax.tasks.classification import fits, scored
from dljax.tasks.supervised import Values, image, supervised
from dljax.types import Batch, Mean, Task


def auxiliary_classification(
    model: nn.Module, *, weights: Sequence[float], smoothing: float = 0.0
) -> Task:
    """Mean cross-entropy of a classifier and, in training, of its auxiliary heads:
    loss(logits) + sum_i weights_i loss(auxiliary logits_i).

    Args:
        model: called as ``model(batch["image"], train=...)``; in training it gives a tuple of logits
            [b, classes], its own first, and in use its own alone.
        weights: of the heads, in the order of the tuple.
        smoothing: label smoothing of Szegedy et al. 2016, arXiv:1512.00567, section 7, of all heads.

    Batch: ``image`` [b, ...] float32, ``label`` [b] int32. Training: ``loss``, and ``main_loss`` and
    ``accuracy`` of the model's own logits. Evaluation: ``loss`` (nats, without smoothing) and
    ``accuracy``, of its own logits alone.

    Raises:
        UserError: the model has another number of auxiliary heads, in training.
    """

    def measured(output: Any, batch: Batch, train: bool) -> Values:
        if not train:
            return scored(output, batch, False)
        logits, *others = output if isinstance(output, tuple) else (output,)
        if len(others) != len(weights):
            raise UserError(
                f"{type(model).__name__} has {len(others)} auxiliary heads where there are "
                f"{len(weights)} weights {tuple(weights)}: expected one weight per head; "
                "use another variant, or tasks.classification for a model without"
            )
        own, *more = (scored(x, batch, True, smoothing=smoothing) for x in (logits, *others))
        loss = own["loss"]
        for weight, head in zip(weights, more, strict=True):
            loss = Mean(loss.total + weight * head["loss"].total, loss.count)
        return {**own, "loss": loss, "main_loss": own["loss"]}

    return supervised(model, image, measured, fits)
