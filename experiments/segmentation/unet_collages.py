"""U-Net on collages of handwritten digits: whole digits apart from scraps of others. Ronneberger et
al. 2015, arXiv:1505.04597.

    dljax train experiments/segmentation/unet_collages.py

A quarter of the paper's width and four levels.
Expected: mean IoU of the two classes of at least 0.85 on collages of test digits (measured 0.91), two
to five minutes on 2 cores.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from dljax import Experiment, at_least, models
from dljax.analysis.pictures import grid
from dljax.data import EvalSet, Pipeline, transforms
from dljax.data.datasets import digit_collages
from dljax.learner import make_learner, players
from dljax.models.segmentation import unet
from dljax.tasks.segmentation import segmentation


def whole_digits(examples, seeds):
    """Two classes: the ink of a whole digit, and all else (ground, noise, scraps)."""
    label = (examples["label"] > 0).astype(np.int32)
    return transforms.unit({**examples, "label": label}, seeds)


def experiment(
    *,
    variant: str = "small",
    epochs: float = 3,
    batch: int = 16,
    lr: float = 2e-3,
    size: int = 64,
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = digit_collages.load(size=size, fake=fake)
    batches = Pipeline(train, batch, seed=seed, transform=whole_digits)
    model = models.build(unet, variant, classes=2)
    task = segmentation(model)
    some = whole_digits(test.gather(np.arange(8)), np.arange(8))

    @jax.jit
    def labelled(params):
        return model.apply({"params": params}, jnp.asarray(some["image"]), train=False).argmax(-1)

    def segmentations(state, key):
        """Above the collages, then what the network sees, then the truth."""
        rows = [some["image"][..., 0], labelled(state.params["model"]), some["label"]]
        return grid(np.concatenate(rows), 8, enlarge=2)

    steps = batches.steps(epochs)
    return Experiment(
        learner=make_learner(
            task.init,
            players(task.losses, optax.adam(optax.cosine_decay_schedule(lr, steps, alpha=0.05))),
            evaluate=task.evaluate,
        ),
        data=batches,
        steps=steps,
        evals={"test": EvalSet(test, 40, whole_digits)},
        eval_every=batches.steps(1),
        views={"segmentations": segmentations},
        expect={"test/iou": at_least(0.85)},
        seed=seed,
    )
