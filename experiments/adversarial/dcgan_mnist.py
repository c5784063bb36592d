"""DCGAN on MNIST. Radford et al. 2016, arXiv:1511.06434.

    dljax train experiments/adversarial/dcgan_mnist.py

Expected: samples of which most read as digits after 8 epochs, at an energy distance of at most 0.2
from the test images (measured 0.10; 33.2 before training, 0.31 for real digits of five classes),
ten minutes on one core.
"""

import jax
import optax

from dljax import Experiment, at_most, models
from dljax.analysis.pictures import grid
from dljax.data import EvalSet, Pipeline, transforms
from dljax.data.datasets import mnist
from dljax.learner import make_learner, players
from dljax.models.adversarial import dcgan
from dljax.tasks.adversarial import adversarial
from dljax.tasks.linen import forward


def experiment(
    *,
    variant: str = "28",
    epochs: float = 8,
    batch: int = 64,
    lr: float = 2e-4,
    smoothing: float = 0.1,
    ema: float = 0.995,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = mnist.load(data=data, fake=fake)
    batches = Pipeline(train, batch, seed=seed, transform=transforms.signed)
    model = models.build(dcgan, variant)
    generator, discriminator = model.parts()
    task = adversarial(generator, discriminator, model.latent, real=1.0 - smoothing)

    @jax.jit
    def made(params, extra, key):
        noise = jax.random.normal(key, (32, model.latent))
        return forward(generator, params, extra, noise, key=None, train=False)[0]

    def samples(state, key):
        images = made(state.ema["generator"], state.extra["generator"], key)
        return grid((images + 1) / 2, 8, enlarge=2)

    return Experiment(
        learner=make_learner(
            task.init,
            players(task.losses, optax.adam(lr, b1=0.5)),
            evaluate=task.evaluate,
            ema=ema,
        ),
        data=batches,
        steps=batches.steps(epochs),
        evals={"test": EvalSet(test, 500, transforms.signed)},
        eval_every=batches.steps(1),
        views={"samples": samples},
        expect={"test/energy": at_most(0.2)},
        seed=seed,
    )
