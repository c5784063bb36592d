"""Prediction of masked tokens. Devlin et al. 2018, arXiv:1810.04805, section 3.1, task 1."""

import flax.linen as nn

from dljax.tasks.language import fits, measured
from dljax.tasks.supervised import supervised
from dljax.types import Batch, Task


def texts(batch: Batch) -> tuple:
    """The arguments of a model of texts: ``tokens``, and their ``types`` where the batch has them."""
    return tuple(batch[name] for name in ("tokens", "types") if name in batch)


def masked_language(model: nn.Module) -> Task:
    """Mean cross-entropy of ``model(tokens) -> logits [b, t, v]`` with the tokens that were hidden.

    Args:
        model: called as ``model(tokens [b, t], train=...)``; with a second argument, ``types`` [b, t],
            where the batch has them.

    Batch: ``tokens`` and ``targets`` int32 [b, t], as ``dljax.data.masking`` makes them; a target below 0
    does not count. Evaluation: ``loss`` in nats and ``accuracy``, per hidden token.
    """
    return supervised(model, texts, measured, fits)
