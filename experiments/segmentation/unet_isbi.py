"""U-Net on electron-microscopy slices (ISBI 2012): cell or membrane? Ronneberger et al. 2015,
arXiv:1505.04597, section 4.

    dljax train experiments/segmentation/unet_isbi.py --data FOLDER

Random windows of 20 slices, turned and mirrored (without the paper's elastic deformations and weight
map); whole slices in evaluation. ``--variant 1to2`` is the paper's network, for an accelerator.
Expected: 90 % of the pixels of 5 held-out slices (measured 90.9), three minutes on one core.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from dljax import Experiment, at_least, models
from dljax.analysis.pictures import grid
from dljax.data import EvalSet, Pipeline, transforms
from dljax.data.datasets import isbi
from dljax.learner import make_learner, players
from dljax.models.segmentation import unet
from dljax.tasks.segmentation import segmentation


def experiment(
    *,
    variant: str = "small",
    steps: int = 600,
    batch: int = 4,
    lr: float = 1e-3,
    crop: int = 128,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = isbi.load(data=data, fake=fake)
    crops = isbi.crops(crop)
    batches = Pipeline(
        train, batch, seed=seed, transform=lambda e, s: transforms.unit(crops(e, s), s)
    )
    model = models.build(unet, variant, classes=isbi.CLASSES)
    task = segmentation(model)
    one = transforms.unit(test.gather(np.zeros(1, int)), np.zeros(1))
    # Whole slices have other sides than the crops: refused now, not in the first evaluation.
    jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), one["image"])

    @jax.jit
    def cell(params):
        logits = model.apply({"params": params}, jnp.asarray(one["image"]), train=False)
        return jax.nn.softmax(logits)[..., 1]

    def segmentations(state, key):
        """A test slice, the probability of cell, the truth."""
        shown = [one["image"][..., 0], cell(state.params["model"]), one["label"]]
        return grid(np.concatenate(shown), 3)

    return Experiment(
        learner=make_learner(
            task.init,
            players(task.losses, optax.adam(optax.cosine_decay_schedule(lr, steps, alpha=0.05))),
            evaluate=task.evaluate,
        ),
        data=batches,
        steps=steps,
        evals={"test": EvalSet(test, 1, transforms.unit)},
        eval_every=max(1, steps // 3),
        views={"segmentations": segmentations},
        expect={"test/accuracy": at_least(0.90)},
        seed=seed,
    )
