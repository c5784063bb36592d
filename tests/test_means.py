"""Means over what counts: equal on one device, on eight, in microbatches, wherever the padding lies."""

from dataclasses import replace

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dljax import Arrays, EvalSet, Experiment, Mean, Phase, Pipeline, learn
from dljax.data.pipeline import extremes
from dljax.errors import UserError
from dljax.runtime.execute import make_executor
from dljax.runtime.loop import run
from dljax.runtime.measure import evaluate
from dljax.runtime.profile import Mesh, Profile
from dljax.tasks.classification import classification
from dljax.tasks.language import language
from dljax.tasks.nodes import nodes
from dljax.tasks.segmentation import segmentation
from dljax.types import Aux, Task

ONE = Profile(mesh=Mesh(data=1), compilation_cache=jax.config.jax_compilation_cache_dir)
PARTS = {
    "eight": Profile(mesh=Mesh(data=8)),
    "pmap": Profile(mesh=Mesh(data=8), executor="pmap"),
    "microbatch": replace(ONE, microbatch=4),
    "both": Profile(mesh=Mesh(data=2), executor="pmap", microbatch=2),
}


def test_means_add_up():
    """Two parts of different size and the whole of them."""
    parts = Mean.of(jnp.array([1.0, 2.0])), Mean.of(jnp.array([6.0]))
    whole = Mean(*(a + b for a, b in zip(*parts, strict=True)))
    assert whole.value == 3.0
    values = jnp.array([[1.0, jnp.nan], [3.0, 5.0], [jnp.inf, 7.0]])
    # Rows weigh 1, 2 and 0; what has no weight may be anything.
    assert Mean.of(values[:, 1:], jnp.array([0, 2, 0])).value == 5.0
    entries = jnp.array([[1, 0], [1, 1], [0, 1]])
    found = Mean.of(values, entries)
    assert (found.total, found.count, found.value) == (16.0, 4.0, 4.0)
    assert Mean.of(values, jnp.zeros(3)).value == 0


class Words(nn.Module):
    """The logits of the next word, from the last one alone."""

    @nn.compact
    def __call__(self, tokens, *, train: bool):
        return nn.Dense(5, name="out")(nn.Embed(5, 3, name="embed")(tokens))


class Pixels(nn.Module):
    """A linear model; the last axis is features."""

    classes: int

    @nn.compact
    def __call__(self, image, *, train: bool):
        return nn.Dense(self.classes, name="out")(image)


class Rows(nn.Module):
    """A pack's nodes, each classified by itself."""

    @nn.compact
    def __call__(self, node, senders, receivers, *, train: bool):
        return nn.Dense(3, name="out")(node)


def sentences() -> tuple[Task, Arrays]:
    """Lengths 1 to 16, the short ones first, so that parts of a batch count differently."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 5, (16, 17)).astype(np.int32)
    short = np.arange(16)[None] > np.arange(16)[:, None]
    return language(Words()), Arrays(
        {"tokens": tokens[:, :-1], "targets": np.where(short, np.int32(-1), tokens[:, 1:])}
    )


def maps() -> tuple[Task, Arrays]:
    """Label 9 does not count, and fills most of the first images."""
    rng = np.random.default_rng(1)
    label = rng.integers(0, 3, (16, 4, 4)).astype(np.int32)
    label[rng.random(label.shape) > (np.arange(16) / 16)[:, None, None]] = 9
    image = rng.normal(size=(16, 4, 4, 2)).astype(np.float32)
    return segmentation(Pixels(3), ignore=9), Arrays({"image": image, "label": label})


def images() -> tuple[Task, Arrays]:
    rng = np.random.default_rng(2)
    label = np.where(np.arange(16) < 7, 9, rng.integers(0, 3, 16)).astype(np.int32)
    image = rng.normal(size=(16, 6)).astype(np.float32)
    return classification(Pixels(3), ignore=9), Arrays({"image": image, "label": label})


def graphs() -> tuple[Task, Arrays]:
    """Nodes in padded rows: a mask says which count."""
    rng = np.random.default_rng(3)
    mask = (np.arange(8)[None] <= np.arange(16)[:, None] // 2).astype(np.float32)
    arrays = {
        "node": rng.normal(size=(16, 8, 4)).astype(np.float32),
        "senders": np.zeros((16, 1), np.int32),
        "receivers": np.zeros((16, 1), np.int32),
        "label": rng.integers(0, 3, (16, 8)).astype(np.int32),
        "mask": mask,
    }
    return nodes(Rows()), Arrays(arrays)


KINDS = {"language": sentences, "segmentation": maps, "classification": images, "nodes": graphs}


def moved(task: Task, source: Arrays, profile: Profile):
    """Parameters after one SGD step on all 16 rows, in order, and the step's metrics."""
    data = Pipeline(source, 16, shuffle=False)
    executor = make_executor(profile, learn(task, optax.sgd(1.0)), data)
    state, packed = executor.step(executor.init(jax.random.key(1)), executor.place(0, 1), 1)
    values = dict(zip(executor.names, np.asarray(packed)[0], strict=True))
    return executor.whole(state).params, values


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("parts", PARTS)
def test_unequal_counts_weigh_by_what_counts(kind, parts):
    task, source = KINDS[kind]()
    one, one_measured = moved(task, source, ONE)
    some, measured = moved(task, source, PARTS[parts])
    # Sums of up to 256 float32 values near 1, in another order.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-6), one, some)
    for name, value in one_measured.items():
        np.testing.assert_allclose(measured[name], value, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_is_the_closed_form(kind):
    """The output bias moves by the mean over what counts of (one-hot - softmax)."""
    task, source = KINDS[kind]()
    data = Pipeline(source, 16, shuffle=False)
    before = learn(task, optax.sgd(1.0)).init(jax.random.key(1), data.batch(0)).params["model"]
    batch = data.batch(0)
    if kind == "language":
        x, label = before["embed"]["embedding"][batch["tokens"]], batch["targets"]
        counts = label >= 0
    else:
        x = batch["node" if kind == "nodes" else "image"]
        label = batch["label"]
        counts = batch["mask"] > 0 if kind == "nodes" else label != 9
    kernel = np.asarray(before["out"]["kernel"], np.float64)
    z = np.asarray(x, np.float64) @ kernel
    chance = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    pull = np.eye(z.shape[-1])[np.where(counts, label, 0)] - chance
    executor = make_executor(ONE, learn(task, optax.sgd(1.0)), data)
    state = executor.init(jax.random.key(1))
    start = np.asarray(executor.whole(state).params["model"]["out"]["kernel"])
    np.testing.assert_allclose(start, kernel, rtol=1e-6)
    state, _ = executor.step(state, executor.place(0, 1), 1)
    bias = executor.whole(state).params["model"]["out"]["bias"]
    np.testing.assert_allclose(bias, pull[counts].mean(0), atol=1e-6)  # float32 against float64


@pytest.mark.parametrize("kind", KINDS)
def test_padded_rows_do_not_count_in_an_evaluation(kind):
    """16 examples in batches of 12, the last one padded, are 16 in one."""
    task, source = KINDS[kind]()
    params, extra = task.init(jax.random.key(0), Pipeline(source, 16).batch(0))

    def measured(size):
        found: dict = {}
        for batch in EvalSet(source).batches(size):
            for name, x in task.evaluate(params, extra, batch, jax.random.key(0)).items():
                total, count = found.get(name, (0.0, 0.0))
                found[name] = total + float(x.total), count + float(x.count)
        return {name: total / count for name, (total, count) in found.items()}

    whole, padded = measured(16), measured(12)
    assert whole.keys() == padded.keys()
    for name in whole:
        np.testing.assert_allclose(padded[name], whole[name], rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("rows", [3, 4, 100])
def test_an_evaluation_fills_up_the_devices_with_nothing(rows):
    """0, 1, ... 9 have the mean 4.5, in batches that do not divide by eight."""
    task = Task(
        lambda *_: ({"model": jnp.zeros(())}, {"model": {}}),
        {"model": lambda params, extra, batch, key: (params["model"], Aux({}, extra))},
        lambda params, extra, batch, key: {"x": Mean.of(batch["x"], batch["mask"])},
    )
    source = Arrays({"x": np.arange(10, dtype=np.float32)})
    data = Pipeline(source, 8)
    executor = make_executor(
        replace(PARTS["eight"], eval_batch=rows), learn(task, optax.sgd(1.0)), data
    )
    phase = Phase(executor.learner, data, 1, evals={"test": EvalSet(source)})
    state = executor.fresh(jax.random.key(0))
    assert evaluate(executor, phase, state) == {"test/x": 4.5}


@pytest.mark.parametrize("most, size", [(1, 1), (2, 2), (3, 2), (5, 4), (8, 8), (16, 16), (99, 16)])
@pytest.mark.parametrize("devices", [1, 2])
def test_microbatches_are_as_large_as_the_profile_lets_them(most, size, devices):
    """The largest that 16 rows of a device divide into."""
    seen = []

    def loss(params, extra, batch, key):
        seen.append(len(batch["x"]))
        return params["model"] * jnp.mean(batch["x"]), Aux({}, extra)

    task = Task(
        lambda *_: ({"model": jnp.zeros(())}, {"model": {}}), {"model": loss}, lambda *_: {}
    )
    data = Pipeline(Arrays({"x": np.zeros(32, np.float32)}), 16 * devices)
    profile = Profile(mesh=Mesh(data=devices), microbatch=most)
    executor = make_executor(profile, learn(task, optax.sgd(1.0)), data)
    assert executor.names and set(seen) == {size * devices}


def test_a_loss_may_be_a_scalar_as_well():
    """Shares of equal weight, whatever they count."""

    def loss(params, extra, batch, key):
        return jnp.mean(params["model"] * batch["x"]), Aux({"x": jnp.mean(batch["x"])}, extra)

    task = Task(
        lambda key, batch: ({"model": jnp.zeros(())}, {"model": {}}), {"model": loss}, lambda *_: {}
    )
    x = np.arange(16, dtype=np.float32)
    for profile in (ONE, *PARTS.values()):
        params, values = moved(task, Arrays({"x": x}), profile)
        np.testing.assert_allclose(params["model"], -7.5, rtol=1e-6)
        np.testing.assert_allclose(values["x"], 7.5, rtol=1e-6)


LABELS = {
    "outside": (np.array([-1, 1] * 8), r"labels are -1, 1 where the model has 3 outputs"),
    "above": (np.arange(16) % 4, r"labels are 0, 3 where the model has 3 outputs"),
    "float": (
        np.array([0.0, 1.0] * 8),
        r"labels are float64 \(0.0, 1.0\): expected integers 0 to 2",
    ),
    "bool": (np.array([True, False] * 8), r"labels are bool \(False, True\): expected integers"),
    "column": (np.zeros((16, 1), int), r"labels are of shape \(2, 1\) \(0\): .* of shape \(2,\)"),
    "one-hot": (np.eye(3, dtype=int)[[0, 1] * 8], r"labels are of shape .*take argmax\(-1\)"),
    "string": (np.array(["cat", "dog"] * 8), r"labels are <U3 \(cat, dog\): expected integers"),
}


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("where", ["train", "test"])
def test_labels_that_do_not_fit_are_told_before_training(kind, where, tmp_path):
    labels, told = LABELS[kind]
    image = np.zeros((16, 6), np.float32)
    good = {"image": image, "label": np.arange(16, dtype=np.int32) % 3}
    sets = {"train": Arrays(good), "test": Arrays(good), where: Arrays({**good, "label": labels})}
    learner = learn(classification(Pixels(3)), optax.sgd(0.1))
    phase = Phase(learner, Pipeline(sets["train"], 4), 2, evals={"test": EvalSet(sets["test"])})
    with pytest.raises(UserError, match=told) as caught:
        run(Experiment(phase), ONE, tmp_path / "run", quiet=True)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_one_label_in_a_thousand_is_found():
    label = np.zeros(1000, np.int32)
    label[777] = 5
    source = Arrays({"image": np.zeros((1000, 2), np.float32), "label": label})
    assert set(extremes(Pipeline(source, 4))["label"]) == {0, 5}
    assert set(extremes(EvalSet(source))["label"]) == {0, 5}


def test_logits_of_one_row_do_not_broadcast():
    class Pooled(nn.Module):
        @nn.compact
        def __call__(self, image, *, train: bool):
            return jnp.mean(nn.Dense(3)(image), 0, keepdims=True)

    task = classification(Pooled())
    batch = {"image": jnp.zeros((4, 6)), "label": jnp.zeros(4, jnp.int32)}
    params, extra = task.init(jax.random.key(0), batch)
    with pytest.raises(UserError, match=r"labels are of shape \(4,\).* of shape \(1,\)"):
        task.losses["model"](params, extra, batch, jax.random.key(0))


def test_smoothing_does_not_hide_a_label_that_is_no_class():
    task = classification(Pixels(3), smoothing=0.1)
    batch = {"image": jnp.ones((2, 6)), "label": jnp.array([0, 7])}
    params, extra = task.init(jax.random.key(0), batch)
    loss, _ = task.losses["model"](params, extra, batch, jax.random.key(0))
    assert jnp.isnan(loss.value)
