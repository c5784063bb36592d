"""Latent diffusion's two tasks: the loss by hand, latents of variance 1, a fixed coder, a run that is killed."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from toy import PROFILE

from dljax import Arrays, Experiment, Phase, Pipeline, learn
from dljax.experiment import go_on
from dljax.runtime import loop
from dljax.tasks.latent import latent_diffusion
from dljax.tasks.reconstruction import lightly_regularized
from dljax.types import Variables


class Known(nn.Module):
    """Images at half their size, times ``gain`` 3; restored, but for half a gray level too much."""

    latents: int = 1
    factor: int = 2

    def setup(self):
        self.gain = self.param("gain", nn.initializers.constant(3.0), ())

    def __call__(self, image, *, train: bool):
        mean, log_var = self.encode(image)
        return image + 0.5 * self.gain / 3, mean, log_var

    def encode(self, image):
        b, h, w, c = image.shape
        mean = self.gain * image.reshape(b, h // 2, 2, w // 2, 2, c).mean((2, 4))
        return mean, jnp.zeros_like(mean)

    def decode(self, z):
        return (z / self.gain).repeat(2, 1).repeat(2, 2)


class Noise(nn.Module):
    """A guess of the noise that looks at the class."""

    @nn.compact
    def __call__(self, z, time, label, *, train: bool):
        told = nn.Embed(4, 1, name="embed")(label % 4)
        return nn.Dense(1, name="out")(z) + told[:, None, None]


RNG = np.random.default_rng(0)
IMAGE = RNG.uniform(size=(16, 4, 4, 1)).astype(np.float32)
LABEL = np.arange(16, dtype=np.int32) % 3


def stages():
    return latent_diffusion(Known(), Noise(), IMAGE, steps=3, classes=3)


def test_the_loss_by_hand(key):
    """A quarter of the pixels is 1, the rest 1/2: to the coder 1 and 0, half a level too high of each 4 x 4
    image; the latents are 3 and 0, of variance 1, so the divergence is 1/2 (9 + 0 + 0 + 0)."""
    task = lightly_regularized(Known(), weight=0.01)
    batch = {"image": jnp.full((2, 4, 4, 1), 0.5).at[:, :2, :2].set(1.0)}
    params, extra = task.init(key, batch)
    value, aux = task.losses["model"](params, extra, batch, key)
    for found in (task.evaluate(params, extra, batch, key), {**aux.metrics, "loss": value}):
        by_hand = {"loss": 16 * 0.5 + 0.01 * 4.5, "l1": 0.5, "mse": 0.25, "kl": 4.5}
        for name, expected in by_hand.items():
            np.testing.assert_allclose(found[name].value, expected, rtol=1e-6, err_msg=name)
    restored = task.predict(Variables(params, extra), batch)
    np.testing.assert_allclose(restored, jnp.minimum(batch["image"] + 0.25, 1.0), rtol=1e-6)


def begun(key):
    both = stages()
    learners = [learn(task, optax.sgd(0.1)) for task in (both.autoencoder, both.diffusion)]
    batch = {"image": jnp.asarray(IMAGE), "label": jnp.asarray(LABEL)}
    before, fresh = (learner.init(key, batch) for learner in learners)
    return both, batch, both.begin(go_on)(before, fresh)


def test_latents_have_variance_one_and_samples_are_decoded(key, monkeypatch):
    """At the last time the signal is gone: the noise that is guessed right is what was added."""
    both, batch, state = begun(key)
    latents = 3 * (2 * IMAGE - 1).reshape(16, 2, 2, 2, 2, 1).mean((2, 4))
    scale = state.extra["autoencoder"]["latents"]["scale"]
    np.testing.assert_allclose(scale, 1 / latents.std(), rtol=1e-5)
    seen = []

    def shown(self, z, time, label, *, train):
        seen.append(z)
        return jnp.zeros_like(z)

    monkeypatch.setattr(Noise, "__call__", shown)
    monkeypatch.setattr("dljax.axes.normal", lambda key, shape: jnp.zeros(shape))
    monkeypatch.setattr("dljax.axes.uniform_integers", lambda key, shape, n: jnp.zeros(shape, int))
    both.diffusion.evaluate(state.params, state.extra, batch, key)
    signal = np.sqrt(1 - 1e-4)  # of time 0
    np.testing.assert_allclose(seen[-1], signal * latents / latents.std(), rtol=1e-5, atol=1e-5)
    monkeypatch.undo()
    # Without its noise a latent of 3 decodes to a pixel of 1, so the scale is divided by again.
    monkeypatch.setattr(
        "dljax.tasks.latent.drawing",
        lambda *_, **__: lambda variables, key, n: jnp.full((n, 2, 2, 1), 1.5 * scale),
    )
    made = stages().sample(classes=3)(Variables(state.params, state.extra), key, 2)
    np.testing.assert_allclose(made, np.full((2, 4, 4, 1), 0.75), rtol=1e-6)


def test_the_coder_is_fixed(key):
    both, batch, state = begun(key)
    loss = both.diffusion.losses["model"]
    assert set(both.diffusion.losses) == {"model"}
    gradient = jax.grad(lambda params: loss(params, state.extra, batch, key)[0].value)(state.params)
    assert not any(np.any(x) for x in jax.tree.leaves(gradient["autoencoder"]))
    assert all(np.any(x) for x in jax.tree.leaves(gradient["model"]))


def test_a_run_stopped_in_the_second_phase_goes_on(tmp_path, monkeypatch):
    """From its checkpoint, with the scale found when the phase began; bit for bit."""

    def experiment():
        both = stages()
        data = Pipeline(Arrays({"image": IMAGE, "label": LABEL}), 8)

        def start(before, fresh):
            started.append(True)
            return both.begin(go_on)(before, fresh)

        first, second = (learn(t, optax.adam(0.1)) for t in (both.autoencoder, both.diffusion))
        return Experiment(
            Phase(first, data, 5, name="autoencoder"),
            Phase(second, data, 7, start=start, name="diffusion"),
        )

    started: list[bool] = []
    alone = loop.run(experiment(), PROFILE, tmp_path / "alone", quiet=True)
    saved = loop.Checkpoints.save

    class Killed(Exception):
        """An end between two steps."""

    def save(self, step, state):
        saved(self, step, state)
        if step == 10:
            self.wait()
            raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(loop.Checkpoints, "save", save)
        loop.run(experiment(), PROFILE, tmp_path / "killed", quiet=True)
    resumed = loop.run(experiment(), PROFILE, tmp_path / "killed", quiet=True)
    assert len(started) == 2, "of the run alone, and of the one that was killed"
    for a, b in zip(jax.tree.leaves(alone.state), jax.tree.leaves(resumed.state), strict=True):
        if not jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            np.testing.assert_array_equal(a, b)
    assert resumed.state.extra["autoencoder"]["latents"]["scale"] != 1
