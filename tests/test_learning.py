"""Toys are solved, and nothing is learned where there is nothing to learn.

That each experiment's loss falls on its fake twin is in test_experiments.
"""

from dataclasses import replace

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from smoke import EXPERIMENTS, smoke

from dljax import Arrays, Pipeline, learn
from dljax.runtime.execute import make_executor
from dljax.runtime.profile import Mesh, Profile
from dljax.tasks.classification import classification

PROFILE = Profile(mesh=Mesh(data=1))
STEPS = 80


def losses(phase):
    """Player -> its losses."""
    executor = make_executor(PROFILE, phase.learner, phase.data)
    state, seen = executor.init(jax.random.key(1)), []
    for step in range(STEPS):
        state, packed = executor.step(state, executor.place(step, 1), 1)
        seen.append(packed[0])
    values = np.stack(jax.device_get(seen))
    return {name: values[:, i] for i, name in enumerate(executor.names) if name.endswith("/loss")}


def test_a_hidden_layer_solves_xor():
    class Hidden(nn.Module):
        width: int

        @nn.compact
        def __call__(self, image, *, train: bool):
            x = jnp.tanh(nn.Dense(self.width)(image)) if self.width else image
            return nn.Dense(2)(x)

    arrays = Arrays(
        {
            "image": np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32),
            "label": np.array([0, 1, 1, 0], np.int32),
        }
    )
    accuracy = {}
    for width in (0, 8):
        learner = learn(classification(Hidden(width)), optax.adam(0.05))
        data = Pipeline(arrays, 4)
        state, update = learner.init(jax.random.key(0), data.batch(0)), jax.jit(learner.update)
        for step in range(300):
            state, _ = update(state, data.batch(step))
        values = learner.evaluate(state, arrays.gather(np.arange(4)))
        accuracy[width] = float(values["accuracy"].value)
    assert accuracy[8] == 1.0
    assert accuracy[0] <= 0.75, "no line separates XOR (Minsky & Papert 1969)"


def test_labels_without_meaning_are_not_learned():
    """The control: if the loss fell here on unseen data, to see it fall elsewhere would show nothing."""
    path = next(p for p in EXPERIMENTS if p.stem == "lenet")
    experiment = smoke(path, STEPS)
    source = experiment.phases[0].data.source
    shuffled = {
        **source.arrays,
        "label": np.random.default_rng(0).permutation(source.arrays["label"]),
    }
    phase = replace(
        experiment.phases[0],
        data=replace(experiment.phases[0].data, source=Arrays(shuffled), size=64),
    )
    (values,) = losses(phase).values()
    assert values[-16:].mean() > np.log(10) - 0.1
