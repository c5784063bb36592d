"""Views of a trained classifier."""

from collections.abc import Sequence

import flax.linen as nn
import jax
import numpy as np

from dljax.analysis import pictures
from dljax.data.pipeline import EvalSet
from dljax.experiment import View
from dljax.tasks.linen import forward


def filters(layer: str = "conv1", player: str = "model") -> View:
    """The kernel of a convolution on the image, as pictures of its filters."""
    return lambda state, key: pictures.filters(state.params[player][layer]["kernel"])


def mistakes(
    model: nn.Module,
    data: EvalSet,
    names: Sequence[str] = (),
    *,
    batches: int = 10,
    player: str = "model",
) -> View:
    """The test images that the model gets most wrong, captioned "truth as guess".

    Args:
        model: called as ``model(image, train=False) -> logits``.
        data: its first ``batches`` batches are looked at.
        names: of the classes; digits by default.
        player: the model's name in the state.
    """

    @jax.jit
    def logits_of(params, extra, image):
        return forward(model, params, extra, image, key=None, train=False)[0]

    def view(state, key):
        image, label, logits = [], [], []
        for batch, _ in zip(data.batches(), range(batches), strict=False):
            real = np.asarray(batch["mask"]) > 0
            out = logits_of(state.params[player], state.extra[player], batch["image"])
            image.append(batch["image"][real])
            label.append(batch["label"][real])
            logits.append(np.asarray(out)[real])
        parts = (np.concatenate(part) for part in (image, label, logits))
        return pictures.mistakes(*parts, names)

    return view
