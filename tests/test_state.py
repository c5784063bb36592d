"""What a step hands on, in numbers small enough for the head: turns, statistics, averages, keys."""

import zlib

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dljax.data import Arrays, Pipeline
from dljax.experiment import go_on
from dljax.learner import State, accumulate, keep_best, learn, mixed_precision
from dljax.nn import batch_norm
from dljax.runtime.execute import make_executor
from dljax.runtime.profile import Mesh, Profile
from dljax.tasks.classification import classification
from dljax.tasks.linen import initialize
from dljax.types import Aux, Mean, Task

BATCH = {"image": np.zeros((2, 1), np.float32)}


def two_players(noted=lambda key: {}) -> Task:
    """Losses a and a * b, over players a = 5 and b = 2 and a number n = 1 that both change."""

    def init(key, batch):
        return {"a": jnp.float32(5), "b": jnp.float32(2)}, {"n": jnp.float32(1)}

    def first(params, extra, batch, key):
        return params["a"], Aux(noted(key), {"n": 2 * extra["n"]})

    def second(params, extra, batch, key):
        return params["a"] * params["b"], Aux(noted(key), {"n": extra["n"] + 3})

    return Task(init, {"a": first, "b": second}, lambda *_: {})


def test_a_player_sees_what_moved_before_it(key):
    """a falls by its slope 1 to 4; then b by its slope, which is a: 2 - 4. And n is 2 * 1 + 3."""
    learner = learn(two_players(), optax.sgd(1.0))
    state = learner.init(key, BATCH)
    state, metrics = learner.update(state, BATCH)
    assert (state.params["a"], state.params["b"], state.extra["n"]) == (4, -2, 5)
    assert (metrics["a/loss"], metrics["b/loss"]) == (5, 8)
    state, _ = learner.update(state, BATCH)
    assert (state.params["a"], state.params["b"], state.extra["n"]) == (3, -5, 13)


def test_a_programs_metrics_go_by_their_names():
    """The losses above, their slopes, and what the losses report."""
    learner = learn(two_players(lambda key: {"seven": jnp.float32(7)}), optax.sgd(1.0))
    executor = make_executor(Profile(mesh=Mesh(data=1)), learner, Pipeline(Arrays(BATCH), 2))
    _, packed = executor.step(executor.init(jax.random.key(0)), executor.place(0, 1), 1)
    found = dict(zip(executor.names, packed[0].tolist(), strict=True))
    slopes = {"a/grad_norm": 1, "b/grad_norm": 4}
    assert found == {"a/loss": 5, "b/loss": 8, "seven": 7, **slopes}


def test_a_players_key_is_at_its_address(key):
    """fold_in(fold_in(root, step), crc32(name))."""
    seen = []

    def noted(key):
        seen.append(jax.random.key_data(key).tolist())
        return {}

    learner = learn(two_players(noted), optax.sgd(1.0))
    state = learner.init(key, BATCH)
    for _ in range(2):
        state, _ = learner.update(state, BATCH)
    addresses = [(step, zlib.crc32(name)) for step in (0, 1) for name in (b"a", b"b")]
    expected = [jax.random.fold_in(jax.random.fold_in(key, step), name) for step, name in addresses]
    assert seen == [jax.random.key_data(k).tolist() for k in expected]


def test_players_of_one_kind_begin_apart(key):
    """From keys of their own."""

    class Layer(nn.Module):
        @nn.compact
        def __call__(self, x, *, train: bool):
            return nn.Dense(3, name="dense")(x)

    given = Layer(), (jnp.ones((1, 2)),)
    params, _ = initialize(key, {"first": given, "second": given})
    kernels = [params[name]["dense"]["kernel"] for name in ("first", "second")]
    assert not np.isclose(*kernels).any()


def test_the_gradients_norm_is_the_gradients(key):
    """Of 3 x + 4 y it is 5, whatever the rate."""

    def loss(params, extra, batch, key):
        return 3 * params["model"]["x"] + 4 * params["model"]["y"], Aux({}, extra)

    zeros = {"model": {"x": jnp.zeros(()), "y": jnp.zeros(())}}
    task = Task(lambda *_: (zeros, {"model": {}}), {"model": loss}, lambda *_: {})
    learner = learn(task, optax.sgd(0.01))
    _, metrics = learner.update(learner.init(key, BATCH), BATCH)
    assert metrics["model/grad_norm"] == 5


def test_an_optimizer_is_given_gradients_in_float32(key):
    """Of 3 x in bfloat16, in which the loss is computed."""
    seen = []

    def loss(params, extra, batch, key):
        seen.append(params["model"].dtype)
        return 3 * params["model"], Aux({}, extra)

    def note(updates, params):
        seen.append(updates.dtype)
        return updates

    task = Task(lambda *_: ({"model": jnp.ones(())}, {"model": {}}), {"model": loss}, lambda *_: {})
    learner = mixed_precision(learn(task, optax.stateless(note)), jnp.bfloat16)
    state, _ = learner.update(learner.init(key, BATCH), BATCH)
    assert seen == [jnp.bfloat16, jnp.float32] and state.params["model"] == 4


class Normed(nn.Module):
    """Two logits of a normalized number."""

    @nn.compact
    def __call__(self, image, *, train: bool):
        return nn.Dense(2)(batch_norm(train=train, name="norm")(image))


@pytest.mark.parametrize(
    "k, mean, var",
    [
        # 1, 5, 3 and 9 together: 4.5 and 8.75
        (1, 0.45, 0.9 + 0.875),
        # 1 and 3: 2 and 1; then 5 and 9: 7 and 4
        (2, 0.9 * 0.2 + 0.7, 0.9 * (0.9 + 0.1) + 0.4),
        # each alone, with no variance
        (4, 0.1 * (0.729 * 1 + 0.81 * 5 + 0.9 * 3 + 9), 0.6561),
    ],
)
def test_statistics_over_microbatches_by_hand(k, mean, var, key):
    """Each microbatch, of every k-th example, moves them a tenth of the way, from 0 and 1."""
    learner = accumulate(learn(classification(Normed()), optax.sgd(0.1)), k)
    image = np.array([[1], [5], [3], [9]], np.float32)
    batch = {"image": image, "label": np.array([0, 1, 1, 0], np.int32)}
    state, _ = jax.jit(learner.update)(learner.init(key, batch), batch)
    norm = state.extra["model"]["batch_stats"]["norm"]
    # A few float32 roundings.
    np.testing.assert_allclose(norm["mean"], [mean], rtol=1e-6)
    np.testing.assert_allclose(norm["var"], [var], rtol=1e-6)


def test_the_best_is_judged_and_kept_by_its_average(key):
    """A number that falls by 1 a step, averaged with decays 1/10, 2/11 and 3/12: -0.9, -1.8 and -2.7.
    The second is the best where -1.8 is the aim."""

    def loss(params, extra, batch, key):
        return params["model"], Aux({}, extra)

    def evaluate(params, extra, batch, key):
        return {"loss": Mean((params["model"] + 1.8) ** 2, 1.0), "at": Mean(params["model"], 1.0)}

    task = Task(lambda *_: ({"model": jnp.zeros(())}, {"model": {}}), {"model": loss}, evaluate)
    learner = keep_best(learn(task, optax.sgd(1.0), ema=0.9), lambda batch: batch)
    state, scores = learner.init(key, BATCH), []
    for _ in range(3):
        state, metrics = learner.update(state, BATCH)
        scores.append(metrics["held_out/loss"])
    np.testing.assert_allclose(scores, [0.81, 0, 0.81], atol=1e-6)  # float32
    assert state.params["model"] == -3 and state.extra["best"]["step"] == 2
    np.testing.assert_allclose(state.ema["model"], -2.7, rtol=1e-6)
    np.testing.assert_allclose(learner.evaluate(state, BATCH)["at"].value, -1.8, rtol=1e-6)
    np.testing.assert_allclose(learner.chosen(state).params["model"], -1.8, rtol=1e-6)


def test_of_no_held_out_examples_none_is_the_best(key):
    """A number that falls from 10 to 9, 8 and 7, where the first of these is judged by nothing."""

    def loss(params, extra, batch, key):
        return params["model"], Aux({}, extra)

    def evaluate(params, extra, batch, key):
        return {"loss": Mean.of(params["model"].reshape(1), batch["mask"])}

    task = Task(lambda *_: ({"model": jnp.float32(10)}, {"model": {}}), {"model": loss}, evaluate)
    learner = keep_best(learn(task, optax.sgd(1.0)), lambda batch: batch)
    nothing, one = ({**BATCH, "mask": jnp.array([mask])} for mask in (0.0, 1.0))
    state, best = learner.init(key, one), []
    for batch in (nothing, one, one, nothing):
        state, metrics = learner.update(state, batch)
        kept = state.extra["best"]
        best.append(
            tuple(float(x) for x in (metrics["held_out/loss"], kept["step"], kept["score"]))
        )
    assert best == [(np.inf, 0, np.inf), (8, 2, 8), (7, 3, 7), (np.inf, 3, 7)]
    assert learner.chosen(state).params["model"] == 7


def state(step: int, ema: float | None = None, **players: float) -> State:
    params = {name: jnp.float32(value) for name, value in players.items()}
    extra = {name: {"mean": 10 * value} for name, value in params.items()}
    average = None if ema is None else {name: jnp.float32(ema) for name in players}
    opt = {name: jnp.float32(-value) for name, value in players.items()}
    return State(jnp.int32(step), jax.random.key(step), params, extra, opt, average)


def test_going_on_by_hand():
    """Step, parameters, statistics and average of those that are known; optimizers and key are new."""
    begun = go_on(state(7, ema=3, old=1, gone=5), state(0, ema=4, old=2, new=2))
    assert (begun.step, begun.params) == (7, {"old": 1, "new": 2})
    assert begun.extra == {"old": {"mean": 10}, "new": {"mean": 20}}
    assert begun.ema == {"old": 3, "new": 4} and begun.opt == {"old": -2, "new": -2}
    assert begun.key == jax.random.key(0)
    # From a phase without an average, and to one.
    assert go_on(state(7, old=1), state(0, ema=4, old=2)).ema == {"old": 1}
    assert go_on(state(7, ema=3, old=1), state(0, old=2)).ema is None
    fresh = state(0, old=2)
    assert go_on(None, fresh) is fresh
