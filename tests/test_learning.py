"""Every kind of training learns: the loss falls on each experiment's fake twin, toys are solved."""

from dataclasses import replace

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from smoke import EXPERIMENTS, KINDS, smoke

from dljax import Arrays, Experiment, Pipeline, learn
from dljax.runtime.execute import make_executor
from dljax.runtime.profile import Mesh, Profile
from dljax.tasks.classification import classification

PROFILE = Profile(mesh=Mesh(data=1))
STEPS = 80


def losses(experiment, steps=STEPS):
    """{player: its losses} over the first phase."""
    phase = experiment.phases[0]
    executor = make_executor(PROFILE, phase.learner, phase.data)
    state, seen = executor.init(jax.random.key(1)), []
    for step in range(steps):
        state, packed = executor.step(state, executor.place(step, 1), 1)
        seen.append(packed[0])
    values = np.stack(jax.device_get(seen))
    return {name: values[:, i] for i, name in enumerate(executor.names) if name.endswith("/loss")}


@pytest.mark.parametrize("path", KINDS, ids=[p.stem for p in KINDS])
def test_loss_falls_on_the_fake_twin(path):
    experiment = smoke(path, STEPS)
    for name, values in losses(experiment).items():
        assert np.isfinite(values).all(), name
        if "discriminator" in name or "generator" in name:
            # Two players' losses are a game's: either may rise. Both must have moved.
            assert np.ptp(values) > 0.01
            continue
        early, late = values[:8].mean(), values[-16:].mean()
        assert late < early, f"{name}: {early:.4f} -> {late:.4f}"


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
    """The control: if the loss fell here on unseen data, the tests above would show nothing."""
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
    (values,) = losses(Experiment(phase)).values()
    assert values[-16:].mean() > np.log(10) - 0.1
