"""Classes of texts, or of their tokens."""

from functools import partial

import flax.linen as nn

from dljax.tasks.classification import fits, scored
from dljax.tasks.masked_language import texts
from dljax.tasks.supervised import supervised
from dljax.types import Task


def text_classes(model: nn.Module, *, smoothing: float = 0.0, ignore: int | None = None) -> Task:
    """Mean cross-entropy of ``model(tokens) -> logits [b, classes]``, or [b, t, classes] of tokens.

    Args:
        model: called as ``model(tokens [b, t], train=...)``; with a second argument, ``types`` [b, t],
            where the batch has them.
        smoothing: label smoothing of Szegedy et al. 2016, arXiv:1512.00567, section 7.
        ignore: a label that does not count, as of the later pieces of a tagged word.

    Batch: ``tokens`` int32 [b, t], ``label`` int32 [b] or [b, t]. Evaluation: ``loss`` (nats, without
    smoothing) and ``accuracy``, per label that counts.
    """
    check = partial(fits, ignore=ignore)
    return supervised(model, texts, partial(scored, smoothing=smoothing, ignore=ignore), check)
