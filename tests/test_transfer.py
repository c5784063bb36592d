"""Transfer: frozen statistics, rates by path, a new head, few labels of some classes."""

from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from refusal import refused

from dljax import Arrays, learn
from dljax.data.subsets import of_classes
from dljax.experiment import Anew
from dljax.learner import State, freeze, scale_by_path
from dljax.tasks.classification import classification
from dljax.tasks.players import beside_untrained, called
from dljax.tasks.transfer import with_frozen_statistics
from dljax.types import Variables

SMOOTH = Path(__file__).parent / "smooth_digits.py"
BATCH = {
    "image": jnp.asarray(np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)),
    "label": jnp.array([0, 1, 1, 0, 1, 0]),
}


class Normed(nn.Module):
    """Dense and a norm below, a norm and Dense above; told to train by attribute, or by argument."""

    by_argument: bool = False

    @nn.compact
    def __call__(self, image, *, train: bool):
        def norm(x, name: str):
            told = {"use_running_average": not train}
            at_call = told if self.by_argument else {}
            made = {} if self.by_argument else told
            return nn.BatchNorm(momentum=0.5, epsilon=0.0, name=name, **made)(x, **at_call)

        x = norm(nn.Dense(3, name="low")(image), "low_bn")
        return nn.Dense(2, name="high")(norm(x, "high_bn"))


def is_low(path: str) -> bool:
    return path.startswith("low")


@pytest.mark.parametrize("by_argument", [False, True])
def test_frozen_layers_stay_bit_for_bit_and_normalize_by_what_they_know(by_argument, key):
    task = with_frozen_statistics(classification(Normed(by_argument)), is_low)
    learner = learn(task, freeze(optax.adam(0.1), is_low))
    first = jax.jit(learner.init)(key, BATCH)
    known = {"mean": jnp.array([1.0, 2.0, 3.0]), "var": jnp.array([4.0, 9.0, 16.0])}
    extra = {"batch_stats": {**first.extra["model"]["batch_stats"], "low_bn": known}}
    state = first = first._replace(extra={"model": extra})
    # What the upper norm sees, and moves to by half: the lower one's output by its own statistics.
    low = first.params["model"]["low"]
    dense = np.asarray(BATCH["image"]) @ np.asarray(low["kernel"]) + np.asarray(low["bias"])
    seen = (dense - np.array([1, 2, 3])) / np.array([2, 3, 4])
    update = jax.jit(learner.update)
    state, _ = update(state, BATCH)
    moved = state.extra["model"]["batch_stats"]["high_bn"]
    np.testing.assert_allclose(moved["mean"], 0.5 * seen.mean(0), rtol=1e-5, atol=1e-6)  # float32
    np.testing.assert_allclose(moved["var"], 0.5 + 0.5 * seen.var(0), rtol=1e-5)
    for _ in range(4):
        state, _ = update(state, BATCH)
    for name in ("low", "low_bn"):
        jax.tree.map(
            np.testing.assert_array_equal, state.params["model"][name], first.params["model"][name]
        )
    jax.tree.map(
        np.testing.assert_array_equal, state.extra["model"]["batch_stats"]["low_bn"], known
    )
    for name in ("high", "high_bn"):
        changed = jax.tree.map(
            lambda a, b: bool((a != b).any()),
            state.params["model"][name],
            first.params["model"][name],
        )
        assert all(jax.tree.leaves(changed))
    # Without it they would have moved, though all their parameters are held.
    thawed = learn(classification(Normed(by_argument)), freeze(optax.adam(0.1), is_low))
    after, _ = jax.jit(thawed.update)(first, BATCH)
    assert (after.extra["model"]["batch_stats"]["low_bn"]["mean"] != known["mean"]).all()


def test_rates_by_path():
    """Of each parameter's own, decay included: -(0.1 + 0.01 x parameter) times 1, 1/2 and 1/4."""
    params = {
        "a": {"kernel": jnp.full(2, 1.0)},
        "b": {"x": {"bias": jnp.full(2, 2.0)}},
        "c": jnp.ones(2),
    }
    rates = {"a/kernel": 1.0, "b/x/bias": 0.5, "c": 0.25}
    tx = optax.chain(
        optax.add_decayed_weights(0.1), optax.sgd(0.1), scale_by_path(rates.__getitem__)
    )
    ones = jax.tree.map(jnp.ones_like, params)
    updates, _ = jax.jit(tx.update)(ones, tx.init(params), params)
    found = [float(x[0]) for x in jax.tree.leaves(updates)]
    np.testing.assert_allclose(found, [-0.11, -0.06, -0.0275], rtol=1e-6)  # float32
    # Within others that leave parameters out
    held = freeze(tx, lambda path: path == "c")
    updates, _ = held.update(ones, held.init(params), params)
    found = [float(x[0]) for x in jax.tree.leaves(updates)]
    np.testing.assert_allclose(found, [-0.11, -0.06, 0.0], rtol=1e-6)


# A new head


def state(value: float, classes: int, step: int = 0, ema: bool = False, **more) -> State:
    def full(*shape):
        return jnp.full(shape, value, jnp.float32)

    body = {"kernel": full(4, 8)}
    params = {"model": {"body": body, "head": {"bias": full(classes)}, **more}}
    extra = {
        "model": {"batch_stats": {"norm": {"mean": full(8)}, "head_bn": {"mean": full(classes)}}}
    }
    average = jax.tree.map(lambda x: x + 10, params) if ema else None
    return State(jnp.int32(step), jax.random.key(0), params, extra, {"model": ()}, average)


NEW_HEAD = Anew(lambda path: path.split("/")[1].startswith("head"))


def test_a_head_begins_anew():
    fresh = state(-1, 5, ema=True)
    begun = NEW_HEAD(state(1, 3, step=7, ema=True), fresh)
    assert begun.step == 7
    params, average = begun.params["model"], begun.ema["model"]
    assert params["body"]["kernel"].tolist() == [[1] * 8] * 4
    assert params["head"]["bias"].tolist() == [-1] * 5
    assert average["body"]["kernel"].tolist() == [[11] * 8] * 4
    assert average["head"]["bias"].tolist() == [-1] * 5
    stats = begun.extra["model"]["batch_stats"]
    assert stats["norm"]["mean"].tolist() == [1] * 8
    assert stats["head_bn"]["mean"].tolist() == [-1] * 5
    leaves = jax.tree.leaves((begun.params, begun.ema, begun.extra))
    assert len({x.unsafe_buffer_pointer() for x in leaves}) == len(leaves)
    assert NEW_HEAD(None, fresh) is fresh


def test_what_is_not_named_must_fit():
    with refused("head/bias was (3,) in the last phase and is (5,)", "start=Anew(paths)"):
        Anew(lambda path: path.startswith("batch_stats"))(state(1, 3), state(-1, 5))
    with refused("neck was absent in the last phase and is (2,)"):
        NEW_HEAD(state(1, 3), state(-1, 5, neck=jnp.zeros(2)))
    with refused("neck was (2,) in the last phase and is absent"):
        NEW_HEAD(state(1, 3, neck=jnp.zeros(2)), state(-1, 5))


def test_a_run_with_another_head_begins_from_a_run(command, tmp_path):
    """--fresh names the head; the layers below are the other run's."""
    twelve = SMOOTH.read_text().replace('nn.Dense(10, name="out")', 'nn.Dense(12, name="out")')
    (tmp_path / "twelve.py").write_text(twelve)
    own = twelve.replace("            every=every,", "            every=every, start=START,")
    own = own.replace(
        "CLAIMS", 'from dljax.experiment import Anew\nSTART = Anew(lambda p: "out" in p)\nCLAIMS'
    )
    (tmp_path / "own.py").write_text(own)
    still = ("--steps", "1", "--lr", "1e-30")  # nothing moves
    assert command("train", str(SMOOTH), *still, "--seed", "5", "--workdir", "base")[0] == 0
    words = ("train", "twelve.py", *still, "--init", "base")
    status, _, err = command(*words)
    assert status == 2 and "params/out/bias has shape (10,), expected (12,)" in err
    assert "(--fresh)" in err
    status, _, err = command(*words, "--fresh", "output")
    assert status == 2 and "--fresh output: no such layer; did you mean 'out'?" in err
    status, _, err = command("train", "twelve.py", *still, "--fresh", "out")
    assert status == 2 and "--fresh out without --init" in err
    assert command(*words, "--fresh", "out", "--workdir", "named")[0] == 0
    assert command("eval", "named")[0] == 0
    assert command("train", "own.py", *still, "--init", "base", "--workdir", "own")[0] == 0
    from dljax.weights import restore_raw

    base, *begun = (restore_raw(tmp_path / n)["params"]["model"] for n in ("base", "named", "own"))
    for params in begun:
        np.testing.assert_array_equal(params["hidden"]["kernel"], base["hidden"]["kernel"])
        assert params["out"]["kernel"].shape == (16, 12)
        assert np.abs(params["out"]["kernel"]).max() > 0


# Few labels


def test_some_classes_by_hand():
    label = np.array([2, 0, 1, 2, 0, 2], np.int32)
    source = Arrays({"image": np.arange(6), "label": label}, ("zero", "one", "two"))
    found = of_classes(source, (2, 0))
    assert found.arrays["image"].tolist() == [0, 1, 3, 4, 5]
    assert found.arrays["label"].tolist() == [0, 1, 0, 1, 0]
    assert found.arrays["label"].dtype == np.int32 and found.names == ["two", "zero"]
    sets = [set(of_classes(source, (2,), n, seed=4).arrays["image"].tolist()) for n in (1, 2, 3)]
    assert [len(x) for x in sets] == [1, 2, 3] and sets[0] < sets[1] < sets[2] == {0, 3, 5}
    drawn = {tuple(of_classes(source, (2,), 1, seed=s).arrays["image"]) for s in range(20)}
    assert drawn == {(0,), (3,), (5,)}
    with refused("class 1 has 1 examples: expected 2 or more", "0, 1, 2"):
        of_classes(source, (1,), 2)
    with refused("class 7 has 0 examples"):
        of_classes(source, (7,))


# A chart of a sweep


def test_a_sweep_draws_what_its_claim_is_about(command, tmp_path):
    """Lines over a number that is varied; else a bar for each choice, as of seeds."""
    words = ("sweep", str(SMOOTH), "--seed", "0:2", "--steps", "2")
    for folder, more, drawn in (
        ("grid", ("--lr", "0.01,0.1"), "sweep.png"),
        ("seeds", (), "test_accuracy.png"),
    ):
        status, _, err = command(*words, *more, "--workdir", folder)
        assert status == 0, err
        assert [p.name for p in (tmp_path / folder).glob("*.png")] == [drawn]


def test_a_trunk_that_goes_on_beside_a_net_from_nothing(key):
    """Both begin with one head; the trunk is the earlier phase's in the first alone, which predicts."""
    net = classification(Normed())
    both = beside_untrained(net, "trained")
    fresh = learn(both, optax.sgd(0.1)).init(key, BATCH)
    before = learn(called(net, model="trained"), optax.sgd(0.1)).init(jax.random.key(1), BATCH)
    del before.params["trained"]["high"]  # it had no such head
    begun = Anew(lambda path: "low" not in path)(before, fresh)
    kernels = {name: x["low"]["kernel"] for name, x in begun.params.items()}
    np.testing.assert_array_equal(kernels["trained"], before.params["trained"]["low"]["kernel"])
    np.testing.assert_array_equal(kernels["supervised"], fresh.params["trained"]["low"]["kernel"])
    heads = [x["high"]["kernel"] for x in begun.params.values()]
    np.testing.assert_array_equal(*heads)
    given = Variables(begun.params, begun.extra)
    alone = {name: {"model": tree["trained"]} for name, tree in given._asdict().items()}
    np.testing.assert_array_equal(
        both.predict(given, BATCH), net.predict(Variables(**alone), BATCH)
    )
