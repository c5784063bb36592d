"""Latent diffusion in miniature: three phases of different kinds, killed and resumed."""

import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from toy import PROFILE, claiming

from dljax import Arrays, EvalSet, Experiment, Phase, Pipeline, learn
from dljax.analysis.looks import Samples
from dljax.claims import Expect
from dljax.errors import UserError
from dljax.nn import Dropout
from dljax.runtime.checkpoints import Ranks
from dljax.runtime.loop import run
from dljax.runtime.measure import Diverged
from dljax.runtime.rundir import read_metrics
from dljax.tasks.players import called, resting_on
from dljax.tasks.supervised import supervised
from dljax.types import Aux, Task


class Coder(nn.Module):
    """A linear autoencoder."""

    @nn.compact
    def __call__(self, image, *, train: bool):
        return nn.Dense(4, name="decoder")(self.encode(image))

    @nn.compact
    def encode(self, image):
        return nn.Dense(2, name="encoder")(image)


class Wide(nn.Module):
    """Another network."""

    @nn.compact
    def __call__(self, image, *, train: bool):
        return nn.Dense(3, name="out")(image)


class Denoiser(nn.Module):
    """A guess of the noise in a noisy latent."""

    @nn.compact
    def __call__(self, latent, *, train: bool):
        hidden = Dropout(0.1)(jnp.tanh(nn.Dense(8, name="hidden")(latent)), train=train)
        return nn.Dense(2, name="out")(hidden)


def autoencoder() -> Task:
    def measured(out, batch, train):
        return {"loss": jnp.mean((out - batch["image"]) ** 2, -1)}

    task = supervised(Coder(), lambda batch: (batch["image"],), measured)
    return called(task, model="coder")


def denoising() -> Task:
    """Noise of the example's own is in the batch, so that the loss is a mean per example."""

    def measured(out, batch, train):
        return {"loss": jnp.mean((out - batch["noise"]) ** 2, -1)}

    task = supervised(Denoiser(), lambda batch: (batch["latent"] + batch["noise"],), measured)

    def sample(variables, key, n):
        noise = jax.random.normal(key, (n, 2))
        return noise - Denoiser().apply({"params": variables.params["model"]}, noise, train=False)

    return called(task._replace(sample=sample), model="denoiser")


def encoded(variables, batch):
    given = {"params": variables.params["coder"]}
    return {**batch, "latent": Coder().apply(given, batch["image"], method="encode")}


def decoded(variables, latent):
    kernel = variables.params["coder"]["decoder"]
    return jax.nn.sigmoid(latent @ kernel["kernel"] + kernel["bias"][None]).reshape(-1, 2, 2, 1)


def latent_experiment() -> Experiment:
    rng = np.random.default_rng(3)
    image, noise = rng.normal(size=(48, 2)) @ rng.normal(size=(2, 4)), rng.normal(size=(48, 2))
    source = Arrays({"image": image.astype(np.float32), "noise": noise.astype(np.float32)})
    data, evals = Pipeline(source, 8), {"test": EvalSet(source)}
    first, second = autoencoder(), resting_on(denoising(), autoencoder(), encoded, decoded)
    losses = {**first.losses, **second.losses}

    def both(params, extra, *rest):
        other = {f"denoiser_{k}": v for k, v in second.evaluate(params, extra, *rest).items()}
        return {**first.evaluate(params, extra, *rest), **other}

    third = Task(second.init, losses, both, sample=second.sample)
    looks = {"samples": Samples(second.sample, 4)}
    return Experiment(
        Phase(learn(first, optax.adam(0.05)), data, 30, evals, every=10, name="coder"),
        Phase(learn(second, optax.adam(0.02), ema=0.9), data, 12, evals, looks, 4, name="denoiser"),
        Phase(learn(third, optax.sgd(0.01)), data, 10, evals, looks, 5, name="both"),
        seed=4,
    )


def test_three_phases_of_different_kinds(tmp_path):
    experiment = latent_experiment()
    result = run(experiment, PROFILE, tmp_path / "run", quiet=True)
    found = set(result.metrics)
    assert {
        "coder/test/loss",
        "denoiser/test/loss",
        "both/test/loss",
        "both/test/denoiser_loss",
    } <= found
    assert set(result.state.params) == {"coder", "denoiser"}
    pictures = {p.name for p in (tmp_path / "run" / "pictures").iterdir()}
    assert pictures == {f"denoiser_samples_{s:07d}.png" for s in (34, 38, 42)} | {
        f"both_samples_{s:07d}.png" for s in (47, 52)
    }
    # The coder rests while the denoiser moves in its latent space, and goes on after it.
    two = run(Experiment(*experiment.phases[:2], seed=4), PROFILE, tmp_path / "two", quiet=True)
    one = run(Experiment(experiment.phases[0], seed=4), PROFILE, tmp_path / "one", quiet=True)
    jax.tree.map(
        np.testing.assert_array_equal, one.state.params["coder"], two.state.params["coder"]
    )
    moved = result.state.params["coder"]["encoder"]["kernel"]
    assert not np.array_equal(moved, two.state.params["coder"]["encoder"]["kernel"])
    assert result.metrics["coder/test/loss"] < 0.1  # 2 latents suffice for data of rank 2


KILLED = """
import os, sys
sys.path.insert(0, sys.argv[2])
import test_phases
from dljax.runtime import loop
from toy import PROFILE, claiming
saved = loop.Checkpoints.save
def save(self, step, state):
    saved(self, step, state)
    if step == int(sys.argv[3]):
        self.wait()
        os._exit(9)
loop.Checkpoints.save = save
loop.run(test_phases.latent_experiment(), PROFILE, sys.argv[1], quiet=True)
"""


@pytest.mark.deep
def test_three_phases_killed_go_on_bit_for_bit(tmp_path):
    """Killed in each phase, right after a save and before the evaluation that follows it."""
    alone = run(latent_experiment(), PROFILE, tmp_path / "alone", quiet=True)
    folder = tmp_path / "killed"
    for step in (20, 30, 38, 47):
        words = [sys.executable, "-c", KILLED, str(folder), str(Path(__file__).parent), str(step)]
        done = subprocess.run(words, capture_output=True, text=True)
        assert done.returncode == 9, done.stderr
    resumed = run(latent_experiment(), PROFILE, folder, quiet=True)
    for a, b in zip(jax.tree.leaves(alone.state), jax.tree.leaves(resumed.state), strict=True):
        if not jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            np.testing.assert_array_equal(a, b)
    rows = [(path / "metrics.jsonl").read_text() for path in (tmp_path / "alone", folder)]
    assert rows[0] == rows[1]


def noting() -> Task:
    """A loss that reports the first of the batch's numbers, and a draw."""

    def loss(params, extra, batch, key):
        reported = {"first": batch["x"][0], "draw": jax.random.uniform(key)}
        return params["model"] * jnp.mean(batch["x"]), Aux(reported, extra)

    return Task(
        lambda *_: ({"model": jnp.zeros(())}, {"model": {}}), {"model": loss}, lambda *_: {}
    )


def counted(start: float, n: int = 10) -> Pipeline:
    x = np.arange(start, start + n, dtype=np.float32)
    return Pipeline(Arrays({"x": x}), 2, shuffle=False)


def test_a_phase_begins_at_its_own_first_batch(tmp_path):
    """And draws by its own key, at the step that goes on."""
    learner = learn(noting(), optax.sgd(0.0))
    phases = Phase(learner, counted(0), 3), Phase(learner, counted(100), 2)
    path = tmp_path / "run"
    run(Experiment(*phases, seed=4), PROFILE, path, quiet=True)
    rows = read_metrics(path)
    assert [row.get("0/first", row.get("1/first")) for row in rows] == [0, 2, 4, 100, 102]
    for step, row in enumerate(rows):
        key, phase = jax.random.key(4), int(step > 2)
        for at in (zlib.crc32(b"phase %d" % phase), step, zlib.crc32(b"model")):
            key = jax.random.fold_in(key, at)
        assert row[f"{phase}/draw"] == jax.random.uniform(key)


def test_a_later_phase_diverges_at_its_own_batch(tmp_path):
    """Step 4 of the run is the second phase's batch 1; its numbers 102 and 103 are stored."""
    data = counted(100)
    data.source.arrays["x"][3] = np.nan
    learner = learn(noting(), optax.sgd(0.0))
    phases = Phase(learner, counted(0), 3), Phase(learner, data, 4)
    with pytest.raises(Diverged, match="is nan at step 4"):
        run(Experiment(*phases), PROFILE, tmp_path / "run", quiet=True)
    (stored,) = (tmp_path / "run" / "failure").iterdir()
    with np.load(stored) as batch:
        np.testing.assert_array_equal(batch["x"], [102, np.nan])


@pytest.mark.parametrize(
    "expected, sets, ranking",
    [
        ([("test/loss", "<=")], ["test"], ("test/loss", "<=")),
        ([("test/loss", "<=")], ["test", "validation"], ("validation/loss", "<=")),
        ([("train/acc", ">="), ("test/loss", "<=")], ["validation"], ("train/acc", ">=")),
        ([("validation/acc", ">=")], ["test", "validation"], ("validation/acc", ">=")),
        ([], ["test"], None),
    ],
)
@pytest.mark.parametrize("prefix", ["", "second/"])
def test_what_ranks_the_checkpoints_of_a_phase(prefix, expected, sets, ranking):
    """The first expectation, of the validation set where there is one and not of the test set."""
    learner, data = learn(noting(), optax.sgd(0.0)), counted(0)
    phase = Phase(learner, data, 1, evals=dict.fromkeys(sets, EvalSet(data.source)), name="second")
    phases = [replace(phase, name="first"), phase] if prefix else [phase]
    claim = claiming(*(Expect(prefix + metric, sign, 0.5) for metric, sign in expected))
    experiment = Experiment(*phases).of(None, claim)
    found = ranking and (prefix + ranking[0], ranking[1])
    assert experiment.ranking(len(phases) - 1) == found
    if prefix:
        assert experiment.ranking(0) is None


@pytest.mark.parametrize("sign, scores", [(">=", (1, 5, 2, 5)), ("<=", (7, 5, 6, 5))])
def test_the_older_of_two_equals_is_best(sign, scores):
    ranks = Ranks([("x", sign)])
    for step in (3, 1, 2, 0):  # in whatever order they are read
        ranks.note(step, {"x": scores[step]})
    assert ranks.best([0, 1, 2, 3]) == [1] and ranks.best([0, 2, 3]) == [3]


def test_a_player_of_other_shapes_cannot_go_on():
    experiment = latent_experiment()
    phase = replace(experiment.phases[0], name="again")
    wide = called(supervised(Wide(), lambda b: (b["image"],), lambda *_: {}), model="coder")
    other = replace(phase, learner=learn(wide, optax.sgd(0.1)))
    batch = phase.data.batch(0)
    before, fresh = (p.learner.init(jax.random.key(0), batch) for p in (phase, other))
    with pytest.raises(UserError, match="player 'coder' cannot go on: decoder/bias was .* absent"):
        other.start(before, fresh)
