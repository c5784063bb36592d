"""Denoising diffusion on MNIST. Ho et al. 2020, arXiv:2006.11239.

    dljax train experiments/diffusion/ddpm_mnist.py

Pictures are drawn with the moving average of the parameters: "ddim" in 50 steps, "ddpm" over all
1000.
Expected: at most 0.04 squared error of the predicted noise. All five epochs have not been run (hours on
2 cores, minutes on an accelerator); ``--batch 32 --epochs 1`` gives 0.025 in 28 minutes on one core,
every sample in clean strokes, a good half of them digits.
"""

import optax

from dljax import Experiment, at_most, models
from dljax.analysis.pictures import grid
from dljax.data import EvalSet, Pipeline, transforms
from dljax.data.datasets import mnist
from dljax.learner import make_learner, players
from dljax.models.diffusion import ddpm
from dljax.tasks import diffusion


def experiment(
    *,
    variant: str = "small",
    epochs: float = 5,
    batch: int = 128,
    lr: float = 1e-3,
    ema: float = 0.999,
    data: str = "",
    samples: int = 32,
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = mnist.load(data=data, fake=fake)
    batches = Pipeline(train, batch, seed=seed, transform=transforms.signed)
    model = models.build(ddpm, variant)
    task = diffusion.diffusion(model)

    def predict(params, x, time):
        return model.apply({"params": params}, x, time, train=False)

    def view(kind):
        sampled = kind(predict, (samples, *mnist.SHAPE))
        return lambda state, key: grid((sampled(state.ema["model"], key) + 1) / 2, 8, enlarge=3)

    steps = batches.steps(epochs)
    decay = optax.cosine_decay_schedule(lr, steps, alpha=0.05)
    clipped = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(decay))
    return Experiment(
        learner=make_learner(
            task.init, players(task.losses, clipped), evaluate=task.evaluate, ema=ema
        ),
        data=batches,
        steps=steps,
        evals={"test": EvalSet(test, 500, transforms.signed)},
        eval_every=batches.steps(1),
        views={"ddim": view(diffusion.ddim), "ddpm": view(diffusion.ddpm)},
        expect={"test/loss": at_most(0.04)},
        seed=seed,
    )
