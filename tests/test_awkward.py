"""Awkward experiments in miniature: four players on unpaired data, a rule without a gradient, a start
from a file of weights, packs of small graphs. (Three phases: test_phases.py.)
"""

import functools
from dataclasses import replace

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from toy import PROFILE

from dljax import Arrays, EvalSet, Experiment, Mean, Phase, Pipeline, axes, learn, weights
from dljax.data import transforms
from dljax.data.sources.graph import Graph, Packs
from dljax.errors import UserError
from dljax.learner import Learner, State
from dljax.nn import Dropout
from dljax.runtime.execute import make_executor
from dljax.runtime.loop import run
from dljax.runtime.measure import known
from dljax.runtime.profile import Mesh, Profile
from dljax.tasks.linen import forward, initialize
from dljax.tasks.supervised import means, supervised
from dljax.tasks.supervised import weights as counted
from dljax.types import Aux, Task


class Dense(nn.Module):
    """One linear layer."""

    features: int

    @nn.compact
    def __call__(self, image, *, train: bool):
        return nn.Dense(self.features, name="out")(image)


# CycleGAN: two generators that are one player, two discriminators, horses beside unpaired zebras.


def cycle() -> Task:
    modules = {name: Dense(4) for name in ("to_zebra", "to_horse")}
    judges = {name: Dense(1) for name in ("horse_judge", "zebra_judge")}

    def init(key, batch):
        pairs = {name: (module, (batch["image"],)) for name, module in modules.items()}
        players = {name: (module, (batch["image"],)) for name, module in judges.items()}
        return initialize(key, {**players, "generators": pairs})

    def made(params, name, image):
        return forward(modules[name], params["generators"][name], {}, image, key=None, train=True)[
            0
        ]

    def score(params, name, image):
        return forward(judges[name], params[name], {}, image, key=None, train=True)[0]

    def judge_loss(name, real, source, translator):
        def loss(params, extra, batch, key):
            fake = made(params, translator, batch[source])
            value = (score(params, name, batch[real]) - 1) ** 2 + score(params, name, fake) ** 2
            return jnp.mean(value), Aux({}, extra)

        return loss

    def generator_loss(params, extra, batch, key):
        zebra, horse = (
            made(params, "to_zebra", batch["image"]),
            made(params, "to_horse", batch["zebra"]),
        )
        back = jnp.abs(made(params, "to_horse", zebra) - batch["image"])
        back += jnp.abs(made(params, "to_zebra", horse) - batch["zebra"])
        game = (score(params, "zebra_judge", zebra) - 1) ** 2
        game += (score(params, "horse_judge", horse) - 1) ** 2
        cycle = Mean.of(back)
        return jnp.mean(game) + 10 * cycle.value, Aux({"cycle": cycle}, extra)

    def evaluate(params, extra, batch, key):
        back = made(params, "to_horse", made(params, "to_zebra", batch["image"]))
        return means({"cycle": jnp.mean(jnp.abs(back - batch["image"]), -1)}, batch)

    losses = {
        "horse_judge": judge_loss("horse_judge", "image", "zebra", "to_horse"),
        "zebra_judge": judge_loss("zebra_judge", "zebra", "image", "to_zebra"),
        "generators": generator_loss,
    }
    return Task(init, losses, evaluate)


def animals(n: int, shift: float) -> Arrays:
    rng = np.random.default_rng(int(shift))
    return Arrays({"image": (rng.normal(size=(n, 4)) + shift).astype(np.float32)})


def test_four_networks_on_unpaired_data(tmp_path):
    horses, zebras = animals(24, 1), animals(17, 3)
    both = transforms.unpaired(zebras, {"image": "zebra"})
    phase = Phase(
        learn(
            cycle(),
            {
                "generators": optax.adam(0.02),
                **dict.fromkeys(("horse_judge", "zebra_judge"), optax.sgd(0.01)),
            },
        ),
        Pipeline(horses, 8, transform=both),
        60,
        evals={"test": EvalSet(horses)},
        every=20,
    )
    result = run(Experiment(phase), PROFILE, tmp_path / "run", quiet=True)
    assert set(result.state.params) == {"horse_judge", "zebra_judge", "generators"}
    assert set(result.state.params["generators"]) == {"to_zebra", "to_horse"}
    assert result.metrics["test/cycle"] < 0.5  # it begins near 2
    with pytest.raises(UserError, match="no player 'generator'.*did you mean 'generators'"):
        learn(cycle(), {"generator": optax.sgd(0.1)})


# Hopfield: the patterns are stored by one outer product; no gradient, no optimizer.


def hopfield() -> Learner:
    def init(key, batch):
        d = batch["image"].shape[-1]
        params = {"model": {"weight": jnp.zeros((d, d))}}
        return State(jnp.zeros((), jnp.int32), key, params, {"model": {}}, {}, None)

    def update(state, batch):
        x = batch["image"]
        outer = axes.total(x.T @ x) / x.shape[-1]
        weight = state.params["model"]["weight"] + outer - jnp.diag(jnp.diag(outer))
        params = {"model": {"weight": weight}}
        return state._replace(step=state.step + 1, params=params), {
            "stored": jnp.sum(jnp.ones(len(x)))
        }

    def evaluate(state, batch):
        settled = jnp.sign(batch["image"] @ state.params["model"]["weight"])
        return means({"stable": jnp.mean(settled == batch["image"], -1)}, batch)

    return Learner(init, update, evaluate)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_rule_without_gradient_runs_wherever_a_profile_says(tmp_path, precision):
    patterns = np.sign(np.random.default_rng(0).normal(size=(4, 100))).astype(np.float32)
    source = Arrays({"image": patterns})
    phase = Phase(hopfield(), Pipeline(source, 4), 1, evals={"patterns": EvalSet(source)})
    profile = replace(PROFILE, precision=precision, mesh=Mesh(data=1))
    result = run(Experiment(phase), profile, tmp_path / "run", quiet=True)
    weight = np.asarray(result.state.params["model"]["weight"])
    by_hand = patterns.T @ patterns / 100
    np.fill_diagonal(by_hand, 0)
    np.testing.assert_allclose(weight, by_hand, atol=1e-6)  # sums of four products of 1 and -1
    assert result.metrics["patterns/stable"] == 1.0, "4 patterns are far below 0.138 x 100"


# BERT: a model that begins from a file of weights under other names, with a fresh head.


class Encoder(nn.Module):
    """A stand-in for BERT: an embedding and a pooler."""

    @nn.compact
    def __call__(self, image, *, train: bool):
        pooled = jnp.tanh(nn.Dense(6, name="pooler")(image))
        return nn.Dense(2, name="head")(pooled)


def test_fine_tuning_starts_from_a_file_of_weights(tmp_path):
    rng = np.random.default_rng(5)
    stored = {"bert.pooler.weight": rng.normal(size=(6, 4)), "bert.pooler.bias": rng.normal(size=6)}
    stored = {name: x.astype(np.float32) for name, x in stored.items()}
    weights.write(tmp_path / "bert.safetensors", stored)
    entries = [
        weights.Entry("params/pooler/kernel", "bert.pooler.weight", (1, 0)),
        weights.Entry("params/pooler/bias", "bert.pooler.bias"),
    ]
    source = Arrays({"image": rng.normal(size=(16, 4)).astype(np.float32)})

    def measured(out, batch, train):
        return {"loss": jnp.sum(out**2, -1)}

    task = supervised(Encoder(), lambda batch: (batch["image"],), measured)
    start = weights.load(
        tmp_path / "bert.safetensors", entries, keep=lambda path: path.startswith("params/head")
    )
    frozen = Phase(learn(task, optax.sgd(0.0)), Pipeline(source, 8), 1, start=start)
    result = run(Experiment(frozen), PROFILE, tmp_path / "run", quiet=True)
    np.testing.assert_array_equal(
        result.state.params["model"]["pooler"]["kernel"], stored["bert.pooler.weight"].T
    )
    # And a third model begins from that run.
    again = replace(frozen, start=weights.from_run(tmp_path / "run"))
    second = run(Experiment(again, seed=9), PROFILE, tmp_path / "second", quiet=True)
    jax.tree.map(np.testing.assert_array_equal, result.state.params, second.state.params)


# MPNN: packs of small graphs, divided over devices, each graph with draws of its own.


class Sum(nn.Module):
    """One round of messages with dropout, and the sum over each graph of a pack."""

    graphs: int

    @nn.compact
    def __call__(self, node, senders, receivers, graph_id, *, train: bool):
        hidden = Dropout(0.5)(nn.Dense(8, name="in")(node), train=train)
        hidden += jax.ops.segment_sum(hidden[senders], receivers, len(node))
        pooled = jax.ops.segment_sum(jnp.tanh(hidden), graph_id, self.graphs)
        return nn.Dense(1, name="out")(pooled)[:, 0]


def regression(graphs: int) -> Task:
    """Mean squared error per graph over packs: packs are rows, graphs what counts."""
    model = Sum(graphs)
    names = ("node", "senders", "receivers", "graph_id")

    def over_packs(params, batch, key, train):
        def one(*row):
            *arrays, key = row
            rngs = None if key is None else {"dropout": key}
            return model.apply({"params": params}, *arrays, train=train, rngs=rngs)

        return axes.each(one, *(batch[name] for name in names), key=key)

    def init(key, batch):
        first = [jnp.zeros(batch[name].shape[1:], batch[name].dtype) for name in names]
        variables = model.init({"params": key, "dropout": key}, *first, train=False)
        return {"model": variables["params"]}, {"model": {}}

    def error(params, batch, key, train):
        out = over_packs(params["model"], batch, key, train)
        return Mean.of((out - batch["label"]) ** 2, counted(batch, batch["graph_mask"]))

    def loss(params, extra, batch, key):
        return error(params, batch, key, True), Aux({}, extra)

    def evaluate(params, extra, batch, key):
        return {"loss": error(params, batch, None, False)}

    return Task(init, {"model": loss}, evaluate)


@functools.cache
def molecules() -> Packs:
    rng = np.random.default_rng(7)
    graphs = []
    for size in rng.integers(1, 6, 40):
        ring = np.arange(size)
        senders, receivers = np.r_[ring, (ring + 1) % size], np.r_[(ring + 1) % size, ring]
        node = rng.normal(size=(size, 3)).astype(np.float32)
        graphs.append(Graph(node, senders, receivers, np.float32(size)))
    return Packs(graphs, 4)


def test_packs_of_graphs_are_rows_like_any_other(tmp_path):
    """Trained, evaluated on each graph once, equal on eight devices and in microbatches."""
    source = molecules()
    # 40 graphs are 10 packs; a batch of 8 packs holds 32 of them, padding elsewhere in each.
    data = Pipeline(source, 8)
    learner = learn(regression(5), optax.sgd(0.003))
    phase = Phase(learner, data, 80, evals={"test": EvalSet(source)}, every=40)
    result = run(Experiment(phase), PROFILE, tmp_path / "run", quiet=True)
    assert result.metrics["test/loss"] < 3.0  # sizes 1 to 5 have a variance of about 2, from 0: 11
    executor = make_executor(PROFILE, learner, data)
    assert known(executor, phase) == {"model/loss", "model/grad_norm", "test/loss"}
    state = executor.whole(executor.fresh(jax.random.key(0)))
    counts = [
        float(executor.evaluate(state, batch, i, False)["loss"].count)
        for i, batch in enumerate(EvalSet(source).batches(4))
    ]
    assert counts == [16, 16, 8]

    def stepped(profile):
        executor = make_executor(profile, learner, data)
        state = executor.init(jax.random.key(1))
        for step in range(3):
            state, packed = executor.step(state, executor.place(step, 1), 1)
        return executor.whole(state).params

    one = stepped(Profile(mesh=Mesh(data=1)))
    for profile in (
        Profile(mesh=Mesh(data=8)),
        Profile(mesh=Mesh(data=8), executor="pmap"),
        Profile(mesh=Mesh(data=1), microbatch=2),
    ):
        # Three SGD steps on sums over 32 graphs, in another order.
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, atol=2e-6), one, stepped(profile)
        )
