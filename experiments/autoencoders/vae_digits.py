"""A variational autoencoder on scikit-learn's digits. Kingma & Welling 2014, arXiv:1312.6114.

    dljax train experiments/autoencoders/vae_digits.py

Grey levels in 0..1 are the targets of the pixels' Bernoulli, not binarised (as in pytorch/examples).
Expected: at most 320 nats on the test set after 100 epochs, a quarter of a minute on one core;
most of it is the entropy of the grey levels themselves, so it does not compare with MNIST's.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from dljax import Experiment, at_most, models
from dljax.analysis.pictures import grid
from dljax.data import EvalSet, Pipeline, transforms
from dljax.data.datasets import digits
from dljax.learner import make_learner, players
from dljax.models.autoencoders import vae
from dljax.tasks.reconstruction import variational


def experiment(
    *,
    variant: str = "20",
    epochs: float = 100,
    batch: int = 128,
    lr: float = 2e-3,
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = digits.load(fake=fake)
    batches = Pipeline(train, batch, seed=seed, transform=transforms.unit)
    model = models.build(vae, variant)
    task = variational(model)
    some = transforms.unit(test.gather(np.arange(16)), np.arange(16))["image"]

    @jax.jit
    def decoded(params, key):
        z = jax.random.normal(key, (32, model.latents))
        return jax.nn.sigmoid(model.apply({"params": params}, z, method=model.decode))

    @jax.jit
    def restored(params):
        return jax.nn.sigmoid(model.apply({"params": params}, jnp.asarray(some), train=False)[0])

    def samples(state, key):
        return grid(decoded(state.params["model"], key), 8, enlarge=2)

    def reconstructions(state, key):
        return grid(np.concatenate([some, restored(state.params["model"])]), 16, enlarge=2)

    steps = batches.steps(epochs)
    rate = optax.cosine_decay_schedule(lr, steps, alpha=0.02)
    return Experiment(
        learner=make_learner(
            task.init, players(task.losses, optax.adam(rate)), evaluate=task.evaluate
        ),
        data=batches,
        steps=steps,
        evals={"test": EvalSet(test, 359, transforms.unit)},
        eval_every=batches.steps(20),
        views={"samples": samples, "reconstructions": reconstructions},
        expect={"test/loss": at_most(320)},
        seed=seed,
    )
