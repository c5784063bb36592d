"""Classification of sentences."""

import flax.linen as nn
import numpy as np

from dljax.errors import UserError
from dljax.tasks.classification import fits as labels_fit
from dljax.tasks.classification import scored
from dljax.tasks.supervised import supervised
from dljax.types import Task


def sentence_classification(model: nn.Module) -> Task:
    """Mean cross-entropy of ``model(tokens) -> logits [b, classes]``.

    Args:
        model: called as ``model(tokens [b, t], train=...)``, where the token 0 fills sentences up; it has
            ``vocabulary``, the number of tokens.

    Batch: ``tokens`` int32 [b, t], ``label`` int32 [b]. Evaluation: ``loss`` (nats) and ``accuracy``.
    """

    def fits(logits, batch):
        labels_fit(logits, batch)
        most = int(np.max(batch["tokens"]))
        if most >= model.vocabulary:
            raise UserError(
                f"token {most} is none of the model's {model.vocabulary}: build it with the "
                "vocabulary's size"
            )

    return supervised(model, lambda batch: (batch["tokens"],), scored, fits)
