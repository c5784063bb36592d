"""Learners: players move only themselves, one compilation, 1 == 8 devices == pmap == microbatches."""

from dataclasses import replace

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from smoke import KINDS, smoke

from dljax import axes
from dljax.data import Arrays, Pipeline
from dljax.errors import UserError
from dljax.learner import (
    accumulate,
    freeze,
    keep_best,
    learn,
    many_seeds,
    mixed_precision,
)
from dljax.nn import Dropout, batch_norm
from dljax.runtime.execute import make_executor
from dljax.runtime.profile import Mesh, Profile
from dljax.tasks.classification import classification
from dljax.tasks.linen import forward, initialize
from dljax.types import Aux, Mean, Task

BATCH = 16


class Net(nn.Module):
    """Smooth, so that trajectories of rounding errors stay together."""

    norm: bool = False
    rate: float = 0.0

    @nn.compact
    def __call__(self, image, *, train: bool):
        x = nn.Dense(32)(image)
        if self.norm:
            x = batch_norm(train=train, name="norm")(x)
        x = Dropout(self.rate)(jnp.tanh(x), train=train)
        return nn.Dense(4)(x)


class Generator(nn.Module):
    @nn.compact
    def __call__(self, latent, *, train: bool):
        return nn.Dense(8)(jnp.tanh(batch_norm(train=train, name="norm")(nn.Dense(40)(latent))))


def supervised(tx=None, **net):
    return learn(classification(Net(**net)), tx or optax.sgd(0.1, momentum=0.9))


def gan(tx=None, **every: int):
    """A GAN by hand, with BatchNorm and latent noise; a player moves in every so many-th step."""
    generator, critic = Generator(), Net(norm=True)

    def noise(batch, key):
        return axes.normal(key, (batch["image"].shape[0], 3))

    def init(key, batch):
        latent = jnp.zeros((2, 3))
        return initialize(
            key, {"critic": (critic, (batch["image"],)), "generator": (generator, (latent,))}
        )

    def scores(params, extra, image):
        return forward(critic, params["critic"], extra["critic"], image, key=None, train=True)

    def critic_loss(params, extra, batch, key):
        fake, made = forward(
            generator,
            params["generator"],
            extra["generator"],
            noise(batch, key),
            key=None,
            train=True,
        )
        real, one = scores(params, extra, batch["image"])
        forged, two = scores(params, {**extra, "critic": one}, fake)
        loss = jnp.mean(jnp.square(real[:, 0] - 1)) + jnp.mean(jnp.square(forged[:, 0]))
        return loss, Aux({}, {"critic": two, "generator": made})

    def generator_loss(params, extra, batch, key):
        fake, made = forward(
            generator,
            params["generator"],
            extra["generator"],
            noise(batch, key),
            key=None,
            train=True,
        )
        forged, stats = scores(params, extra, fake)
        return jnp.mean(jnp.square(forged[:, 0] - 1)), Aux({}, {"critic": stats, "generator": made})

    losses = {"critic": critic_loss, "generator": generator_loss}

    def evaluate(params, extra, batch, key):
        return {"zero": Mean.of(jnp.zeros(batch["image"].shape[0]))}

    return learn(Task(init, losses, evaluate), tx or optax.sgd(0.05), every=every)


LEARNERS = {
    "batchnorm": lambda: supervised(norm=True),
    "gan": gan,
    "dropout": lambda: supervised(rate=0.4),
}


def data(size: int = BATCH) -> Pipeline:
    rng = np.random.default_rng(0)
    arrays = {
        "image": rng.normal(size=(64, 8)).astype(np.float32),
        "label": rng.integers(0, 4, 64).astype(np.int32),
    }
    return Pipeline(Arrays(arrays), size)


def trained(learner, profile, steps=4, pipeline=None):
    """(whole state, packed metrics per step, executor) after some steps through the executor."""
    pipeline = pipeline or data()
    executor = make_executor(profile, learner, pipeline)
    state, seen, step = executor.init(jax.random.key(3)), [], 0
    while step < steps:
        k = profile.steps_per_call
        state, packed = executor.step(state, executor.place(step, k), k)
        seen.append(np.asarray(packed))
        step += k
    return executor.whole(state), np.concatenate(seen), executor


@pytest.fixture
def compilations():
    """The programs that XLA has compiled (or fetched from the cache) since the list was cleared."""
    seen: list[str] = []

    def listen(event: str, duration: float, **_):
        if "backend_compile" in event or "cache_retrieval" in event:
            seen.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield seen
    jax.monitoring.unregister_event_duration_listener(listen)


def close(a, b, atol):
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        np.testing.assert_allclose(np.asarray(x), np.asarray(y), atol=atol, rtol=0)


ONE = Profile(mesh=Mesh(data=1))
EIGHT = {
    "data": Profile(mesh=Mesh(data=8)),
    "fsdp": Profile(mesh=Mesh(data=2, fsdp=4)),
    "pmap": Profile(mesh=Mesh(data=8), executor="pmap"),
    "scan": Profile(mesh=Mesh(data=8), steps_per_call=2),
}


@pytest.mark.parametrize("kind", LEARNERS)
@pytest.mark.parametrize("layout", EIGHT)
def test_eight_devices_give_the_gradients_of_one(kind, layout):
    """One SGD step's change is the gradient times the rate, so parameters compare gradients."""
    learner = LEARNERS[kind]()
    one, seen_one, _ = trained(learner, ONE)
    eight, seen_eight, executor = trained(learner, EIGHT[layout])
    # Sums over 16 examples in another order: some float32 roundings of values near 1.
    close(one.params, eight.params, 1e-6)
    close(one.extra, eight.extra, 1e-6)
    close(one.opt, eight.opt, 1e-6)
    np.testing.assert_allclose(seen_one, seen_eight, rtol=1e-5, atol=1e-6)
    assert executor.compilations() == 1


@pytest.mark.parametrize("layout", EIGHT)
def test_one_compilation_in_a_run(layout, compilations):
    pipeline, profile = data(), EIGHT[layout]
    k = profile.steps_per_call
    executor = make_executor(profile, supervised(norm=True), pipeline)
    state = executor.init(jax.random.key(3))
    state, _ = executor.step(state, executor.place(0, k), k)
    assert any("backend_compile" in event for event in compilations)  # the listener does hear
    compilations.clear()
    for step in range(k, 6 * k, k):
        state, _ = executor.step(state, executor.place(step, k), k)
    assert compilations == []
    assert executor.compilations() == 1


def test_fsdp_divides_the_large_parameters():
    class Wide(nn.Module):
        @nn.compact
        def __call__(self, image, *, train: bool):
            return nn.Dense(4)(jnp.tanh(nn.Dense(512, name="wide")(image)))

    learner = learn(classification(Wide()), optax.adam(1e-2))
    state, _, _ = trained(learner, Profile(mesh=Mesh(data=2, fsdp=4)))
    kernel = state.params["model"]["wide"]["kernel"]
    moment = state.opt["model"][0].mu["wide"]["kernel"]
    for array in (kernel, moment):
        assert array.shape == (8, 512)
        assert array.sharding.shard_shape(array.shape) == (8, 128)


@pytest.mark.parametrize("mover, other", [("critic", "generator"), ("generator", "critic")])
def test_players_move_only_themselves(mover, other):
    """A player that moves every third step keeps all of its bits in the two steps between."""
    learner, batch = gan(optax.adam(0.01), **{other: 3}), data().batch(0)
    states, update = [learner.init(jax.random.key(0), batch)], jax.jit(learner.update)
    for _ in range(3):
        after, metrics = update(states[-1], batch)
        states.append(after)
    for name in ("critic", "generator"):
        assert {f"{name}/loss", f"{name}/grad_norm"} <= set(metrics)

    def moved(name: str) -> list[bool]:
        kernels = [state.params[name]["Dense_0"]["kernel"] for state in states]
        return [bool((a != b).any()) for a, b in zip(kernels[:-1], kernels[1:], strict=True)]

    assert moved(mover) == [True, True, True]
    assert moved(other) == [False, False, True]
    for state in states[1:3]:
        close(state.params[other], states[0].params[other], 0)
        close(state.opt[other], states[0].opt[other], 0)


@pytest.mark.parametrize("layout", ["one", "data", "pmap"])
def test_microbatches_equal_the_batch(layout):
    """Dropout masks included: draws belong to the example, not to the microbatch."""
    profile = {"one": ONE, **EIGHT}[layout]
    learner = supervised(rate=0.4)
    whole, seen, _ = trained(learner, ONE)
    parts, seen_parts, _ = trained(learner, replace(profile, microbatch=1))
    close(whole.params, parts.params, 1e-6)  # as above: another order of summation
    np.testing.assert_allclose(seen, seen_parts, rtol=1e-5, atol=1e-6)


def test_microbatches_are_refused_where_they_would_change_the_meaning():
    with pytest.raises(UserError, match="batch statistics"):
        make_executor(replace(ONE, microbatch=4), supervised(norm=True), data())


def test_accumulate_needs_a_batch_that_divides():
    learner = accumulate(supervised(), 3)
    batch = data().batch(0)
    with pytest.raises(UserError, match="does not divide"):
        learner.update(learner.init(jax.random.key(0), batch), batch)


def test_many_seeds_are_that_many_models():
    learner, batch, root = supervised(rate=0.4), data().batch(0), jax.random.key(5)
    together = many_seeds(learner, 3)
    states = together.init(root, batch)
    update = jax.jit(together.update)
    for step in range(3):
        states, metrics = update(states, data().batch(step))
    assert metrics["model/loss"].shape == (3,)
    for member in range(3):
        alone = learner.init(jax.random.fold_in(root, member), batch)
        for step in range(3):
            alone, _ = jax.jit(learner.update)(alone, data().batch(step))
        # Batched and single matrix products sum in different orders.
        close(alone.params, jax.tree.map(lambda x, m=member: x[m], states.params), 1e-6)
    values = together.evaluate(states, batch)
    assert values["loss"].total.shape == (3,)
    np.testing.assert_array_equal(values["loss"].count, [BATCH] * 3)
    chosen = together.chosen(states).params
    close(chosen, jax.tree.map(lambda x: x[0], states.params), 0)


@pytest.mark.parametrize("norm", [False, True], ids=["plain", "batchnorm"])
def test_the_best_on_held_out_examples_are_kept(norm):
    """Each of several seeds keeps its own, and trains as it would without."""
    # So fast that the loss goes up and down.
    plain = supervised(optax.sgd(3.0), norm=norm, rate=0.4)
    counts = jnp.arange(BATCH) < 5
    judge = {**data().batch(7), "mask": counts}
    counted = {name: x[:5] for name, x in data().batch(7).items()}
    learner = many_seeds(keep_best(plain, lambda batch: judge), 2)
    root, first = jax.random.key(3), data().batch(0)
    states, scores, at = learner.init(root, first), [], []
    alone = [plain.init(jax.random.fold_in(root, member), first) for member in range(2)]
    update, step_alone = jax.jit(learner.update), jax.jit(plain.update)
    for step in range(8):
        states, metrics = update(states, data().batch(step))
        alone = [step_alone(state, data().batch(step))[0] for state in alone]
        scores.append([float(plain.evaluate(state, counted)["loss"].value) for state in alone])
        at.append(alone)
        # Batched and single matrix products sum in different orders; the rate magnifies that.
        np.testing.assert_allclose(metrics["held_out/loss"], scores[-1], rtol=1e-4)
    lowest = np.argmin(scores, axis=0)
    assert (lowest < 7).any(), "the last is the best: this test shows nothing"
    best = states.extra["best"]
    np.testing.assert_array_equal(best["step"], lowest + 1)
    for member, step in enumerate(lowest):
        expected = at[step][member]
        kept = jax.tree.map(lambda x, m=member: x[m], (best["params"], best["extra"]))
        close((expected.params, expected.extra), kept, 1e-3)
        values = jax.tree.map(lambda x, m=member: x[m], learner.evaluate(states, first))
        wanted = {name: x.value for name, x in plain.evaluate(expected, first).items()}
        close(wanted, {name: x.value for name, x in values.items()}, 1e-3)
    close(learner.chosen(states).params, jax.tree.map(lambda x: x[0], best["params"]), 0)


def test_mixed_precision_keeps_float32_state():
    learner = mixed_precision(supervised(norm=True), jnp.bfloat16)
    batch = data().batch(0)
    state = learner.init(jax.random.key(0), batch)
    after, metrics = jax.jit(learner.update)(state, batch)
    assert {x.dtype for x in jax.tree.leaves((after.params, after.extra))} == {np.dtype("float32")}
    full, _ = jax.jit(supervised(norm=True).update)(state, batch)
    assert metrics["model/loss"].dtype == jnp.float32
    close(full.params, after.params, 0.02)  # rate 0.1 x bfloat16's 3 digits of a gradient below 1
    text = str(jax.make_jaxpr(learner.update)(state, batch))
    assert "bf16[16,32] = dot_general" in text.replace("preferred_element_type=bfloat16", "")


def test_frozen_parameters_stay_and_cost_no_gradient():
    learner = supervised(freeze(optax.adam(0.1), lambda path: path.startswith("Dense_0")))
    batch = data().batch(0)
    state = learner.init(jax.random.key(0), batch)
    after, _ = jax.jit(learner.update)(state, batch)
    close(after.params["model"]["Dense_0"], state.params["model"]["Dense_0"], 0)
    assert not np.allclose(
        after.params["model"]["Dense_1"]["kernel"], state.params["model"]["Dense_1"]["kernel"]
    )


def test_moving_average_closed_form():
    learner = learn(classification(Net()), optax.sgd(0.1), ema=0.5)
    batch = data().batch(0)
    state = learner.init(jax.random.key(0), batch)
    expected = state.params["model"]["Dense_0"]["kernel"]
    for step in range(6):
        state, _ = jax.jit(learner.update)(state, batch)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * state.params["model"]["Dense_0"]["kernel"]
    np.testing.assert_allclose(state.ema["model"]["Dense_0"]["kernel"], expected, rtol=1e-6)


def test_root_key_never_changes_and_steps_draw_anew():
    learner, batch = supervised(rate=0.5), data().batch(0)
    state = learner.init(jax.random.key(0), batch)
    update = jax.jit(learner.update)
    after, first = update(state, batch)
    np.testing.assert_array_equal(jax.random.key_data(after.key), jax.random.key_data(state.key))
    _, second = update(state._replace(step=state.step + 1), batch)
    assert first["model/loss"] != second["model/loss"]  # same parameters, another mask
    _, again = update(state, batch)
    assert first["model/loss"] == again["model/loss"]


def test_batch_must_divide_by_the_mesh():
    with pytest.raises(UserError, match="batch 12 does not divide by the mesh of 8 devices"):
        make_executor(Profile(mesh=Mesh(data=8)), supervised(), data(12))


def test_microbatches_stay_divided_over_the_devices():
    """Each device computes its share of every microbatch, and not whole ones."""
    learner = supervised()

    def work(profile):
        executor = make_executor(profile, learner, data())
        batch = executor.place(0, 1)
        step = jax.jit(lambda state, batch: executor.step(state, batch, 1))
        return step.lower(executor.abstract, batch).compile().cost_analysis()["flops"]

    whole = work(EIGHT["data"])
    # Gradients are added up and divided once more, beside the same products.
    assert work(replace(EIGHT["data"], microbatch=1)) < 1.5 * whole
    assert work(ONE) > 3 * whole, "the count does tell one device's work from all devices'"


def test_a_whole_graph_is_computed_at_the_profiles_precision():
    experiment = smoke(next(p for p in KINDS if p.stem == "gcn"))
    phase = experiment.phases[0]

    def program(precision):
        executor = make_executor(replace(ONE, precision=precision), phase.learner, phase.data)
        step = jax.make_jaxpr(lambda state, batch: executor.step(state, batch, 1))
        return str(step(executor.abstract, executor.place(0, 1)))

    assert "bf16" in program("bfloat16") and "bf16" not in program("float32")
    with pytest.raises(UserError, match="one whole example"):
        make_executor(replace(ONE, microbatch=8), phase.learner, phase.data)
