"""The loop and the run's folder: files, refusals, ends of a run."""

import itertools
import json
from dataclasses import replace
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from toy import PROFILE, task, toy

from dljax import axes
from dljax.claims import Expect
from dljax.code import meaning
from dljax.data import Pipeline
from dljax.errors import UserError
from dljax.experiment import Phase
from dljax.learner import Learner, State, freeze, learn
from dljax.runtime import feeder
from dljax.runtime.execute import make_executor
from dljax.runtime.feeder import Ahead, Edge, InFlight, calls
from dljax.runtime.loop import run
from dljax.runtime.measure import Diverged
from dljax.runtime.profile import Mesh
from dljax.runtime.rundir import read_metrics
from dljax.types import Mean


def test_folder_holds_what_is_needed_to_understand_the_run(tmp_path):
    looks = {"weights": lambda variables, key: np.zeros((4, 4)), "words": lambda *_: "hello"}
    result = run(toy(looks=looks, every=10), PROFILE, tmp_path / "run", quiet=True)
    assert result.verdict == {"test/accuracy >= 0.9": True, "test/loss <= 0.5": True}
    assert result.compilations == 1
    folder = tmp_path / "run"
    record = json.loads((folder / "record.json").read_text())
    for key in ("knobs", "profile", "versions", "commit", "host", "devices", "command", "expect"):
        assert key in record
    rows = read_metrics(folder)
    assert [r["step"] for r in rows if "test/loss" in r] == [10, 20]
    assert [r["step"] for r in rows if "model/loss" in r] == list(range(1, 21))
    names = {p.name for p in (folder / "pictures").iterdir()}
    assert names == {f"{n}_{s:07d}.{e}" for n, e in (("weights", "png"), ("words", "txt"))
                     for s in (10, 20)}  # fmt: skip
    report = (folder / "report.html").read_text()
    for part in ("test/accuracy", "hello", "data:image/png", "<svg", "met"):
        assert part in report
    assert any((folder / "tensorboard").iterdir())
    assert json.loads((folder / "result.json").read_text())["verdict"] == result.verdict


@pytest.mark.parametrize("steps, at", [(20, [10, 20]), (21, [10, 21]), (22, [10, 20, 22])])
def test_one_evaluation_at_the_end_is_enough(tmp_path, steps, at):
    run(toy(every=10, steps=steps), PROFILE, tmp_path / "run", quiet=True)
    assert [r["step"] for r in read_metrics(tmp_path / "run") if "test/loss" in r] == at


def test_evaluation_weighs_every_example_once(tmp_path):
    """40 examples in batches of 16: the padded rows of the last do not count."""
    experiment = toy()
    result = run(experiment, replace(PROFILE, eval_batch=16), tmp_path / "run", quiet=True)
    batch = experiment.phases[0].data.source.gather(np.arange(40))
    params = jax.device_get(result.state.params["model"])
    hidden, out = params["hidden"], params["out"]
    z = np.tanh(batch["image"] @ hidden["kernel"] + hidden["bias"]) @ out["kernel"] + out["bias"]
    right = z.argmax(-1) == batch["label"]
    loss = np.log(np.exp(z).sum(-1)) - z[np.arange(40), batch["label"]]
    np.testing.assert_allclose(result.metrics["test/accuracy"], right.mean(), rtol=1e-6)
    # 40 float32 values near 1, by another library's exponential and summed in another order.
    np.testing.assert_allclose(result.metrics["test/loss"], loss.mean(), rtol=1e-5)


def test_nan_stops_with_step_player_and_batch(tmp_path):
    experiment = toy(poison=7, steps=40)
    data = experiment.phases[0].data
    bad = next(s for s in range(10) if 7 in data.indices(s))
    with pytest.raises(Diverged, match=f"model/.* is nan at step {bad}: player 'model'"):
        run(experiment, replace(PROFILE, checkpoint_every=1), tmp_path / "run", quiet=True)
    (stored,) = (tmp_path / "run" / "failure").iterdir()
    with np.load(stored) as batch:
        assert np.isnan(batch["image"]).any()
        np.testing.assert_array_equal(batch["label"], data.batch(bad)["label"])
    kept = {int(p.name) for p in (tmp_path / "run" / "checkpoints").iterdir()}
    assert max(kept, default=0) == bad, "the last good checkpoint stays, none is saved after"


def test_infinite_gradient_stops_too(tmp_path):
    with pytest.raises(Diverged, match="grad_norm|loss"):
        run(toy(tx=optax.sgd(1e38), steps=10), PROFILE, tmp_path / "run", quiet=True)


@pytest.mark.parametrize(
    "change, says",
    [
        ({"knobs": {"seed": 1}}, "--seed: it had 0, you gave 1"),
        ({"name": "other"}, "a run of toy, not of other"),
        ({"texts": {"toy.py": b"def experiment(*, seed: int = 0): return 1"}}, "toy.py"),
    ],
)
def test_another_experiment_is_refused(tmp_path, change, says):
    run(toy(), PROFILE, tmp_path / "run", quiet=True)
    before = (tmp_path / "run" / "metrics.jsonl").read_bytes()
    with pytest.raises(UserError, match=says):
        run(toy(origin=change), PROFILE, tmp_path / "run", quiet=True)
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == before


def test_meaning_ignores_comments_and_docstrings():
    assert meaning('"""A."""\nx = 1  # one') == meaning('"""B."""\n\nx = 1')
    assert meaning("x = 1") != meaning("x = 2")


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(UserError, match="no run of dljax"):
        run(toy(), PROFILE, tmp_path, quiet=True)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_finished_run_is_not_trained_again(tmp_path):
    first = run(toy(), PROFILE, tmp_path / "run", quiet=True)
    files = {p: p.read_bytes() for p in (tmp_path / "run").glob("*.json*")}
    second = run(toy(), PROFILE, tmp_path / "run", quiet=True)
    assert files == {p: p.read_bytes() for p in files}
    assert second.verdict == first.verdict and second.compilations == 0
    jax.tree.map(np.testing.assert_array_equal, first.state.params, second.state.params)


def test_resume_moves_to_other_devices(tmp_path):
    """Saved by one device, gone on with by eight, sharded: equal to one device all the way."""
    short = toy(steps=10)
    run(short, replace(PROFILE, mesh=Mesh(data=1)), tmp_path / "run", quiet=True)
    wide = toy(steps=20, data=Pipeline(short.phases[0].data.source, 8))
    one = run(wide, PROFILE, tmp_path / "one", quiet=True)
    run(toy(steps=10, data=wide.phases[0].data), PROFILE, tmp_path / "two", quiet=True)
    moved = run(wide, replace(PROFILE, mesh=Mesh(data=2, fsdp=4)), tmp_path / "two", quiet=True)
    # Ten SGD steps of sums over eight examples in another order.
    for a, b in zip(
        jax.tree.leaves(one.state.params), jax.tree.leaves(moved.state.params), strict=True
    ):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), atol=1e-5)


def test_phases_start_from_each_other(tmp_path):
    (base,) = toy().phases
    frozen = learn(task(), freeze(optax.sgd(0.1), lambda p: p.startswith("hidden")))
    phases = (Phase(base.learner, base.data, 6), Phase(frozen, base.data, 6))
    both = run(toy(phases=phases, expect=()), PROFILE, tmp_path / "both", quiet=True)
    first = run(toy(phases=phases[:1], expect=()), PROFILE, tmp_path / "first", quiet=True)
    hidden = [r.state.params["model"]["hidden"]["kernel"] for r in (first, both)]
    np.testing.assert_array_equal(*hidden)
    outs = [r.state.params["model"]["out"]["kernel"] for r in (first, both)]
    assert not np.allclose(*outs)
    assert int(both.state.step) == 12


def test_a_phase_with_an_average_may_follow_one_without(tmp_path):
    """The average starts from the parameters, and from buffers of its own."""
    (base,) = toy().phases
    averaged = learn(task(), optax.sgd(0.1), ema=0.9)
    phases = (Phase(base.learner, base.data, 3), Phase(averaged, base.data, 3))
    state = run(toy(phases=phases, expect=()), PROFILE, tmp_path / "run", quiet=True).state
    kernels = [p["model"]["out"]["kernel"] for p in (state.params, state.ema)]
    assert not np.allclose(*kernels)


def test_many_seeds_log_a_value_each(tmp_path):
    result = run(toy(seeds=3, steps=60), PROFILE, tmp_path / "run", quiet=True)
    assert result.metrics["test/accuracy"].shape == (3,)
    assert len(read_metrics(tmp_path / "run")[-1]["test/accuracy"]) == 3
    assert result.verdict["test/accuracy >= 0.9"]


def test_scanned_steps_give_the_same_run(tmp_path):
    one = run(toy(), PROFILE, tmp_path / "one", quiet=True)
    four = run(toy(), replace(PROFILE, steps_per_call=4), tmp_path / "four", quiet=True)
    # The same operations, fused anew inside the scan's body.
    for a, b in zip(
        jax.tree.leaves(one.state.params), jax.tree.leaves(four.state.params), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_schedule_is_a_function_of_the_step():
    edges = (Edge(10), Edge(0))
    whole = list(calls(0, 23, 4, edges))
    assert whole == [(0, 4), (4, 4), (8, 1), (9, 1), (10, 1), (11, 1), (12, 4), (16, 4), (20, 1),
                     (21, 1), (22, 1)]  # fmt: skip
    for first, _ in whole:
        assert list(calls(first, 23, 4, edges)) == [c for c in whole if c[0] >= first]
    # Every ten steps since the third: the call at 12 would pass the edge at 13.
    since = list(calls(8, 18, 4, (Edge(10, 3),)))
    assert since == [(8, 4), (12, 1), (13, 1), (14, 1), (15, 1), (16, 1), (17, 1)]


def test_ahead_passes_errors_on_and_ends():
    def items(stop):
        for i in range(5):
            if i == stop:
                raise ValueError("broken file")
            yield i

    assert list(Ahead(items(None))) == [0, 1, 2, 3, 4]
    ahead = Ahead(items(2))
    seen = []
    with pytest.raises(ValueError, match="broken file"):
        for item in ahead:
            seen.append(item)
    assert seen == [0, 1]
    ahead.close()


def test_ahead_makes_no_more_than_it_may():
    made = []
    ahead = Ahead((made.append(i) or i for i in range(100)), ahead=2)
    taken = [item for item, _ in zip(ahead, range(3), strict=False)]
    ahead.close()
    assert taken == [0, 1, 2] and len(made) <= 3 + 2


@pytest.fixture
def clock(monkeypatch):
    """Sets how many seconds pass from one look at the clock to the next."""

    def tick(seconds):
        times = itertools.count(0.0, seconds)
        monkeypatch.setattr(feeder, "time", SimpleNamespace(monotonic=lambda: next(times)))

    return tick


def test_results_are_read_one_behind_where_the_device_has_its_own_cores(clock):
    clock(0.001)
    flying = InFlight(shared=False)
    assert [flying.add(step) for step in range(4)] == [[], [0], [1], [2]]
    assert flying.rest() == [3] and flying.rest() == []


def test_quick_steps_are_read_in_groups_once_and_in_order(clock):
    clock(0.01)
    flying = InFlight(shared=True)
    due = [flying.add(step) for step in range(50)]
    assert max(map(len, due)) == 8
    assert all(earlier < step for step, some in enumerate(due) for earlier in some)
    assert sum(due, []) + flying.rest() == list(range(50))


def test_slow_steps_are_not_grouped(clock):
    """Half a second each: a stop is noticed at once."""
    clock(0.5)
    flying = InFlight(shared=True)
    assert [flying.add(step) for step in range(4)] == [[], [0], [1], [2]]


def test_learner_without_gradients_runs_in_the_same_loop(tmp_path):
    """A running mean of the images: no loss, no optimizer."""

    def init(key, batch):
        return State(jnp.zeros((), jnp.int32), key, {"mean": jnp.zeros(4)}, {}, {}, None)

    def update(state, batch):
        rate = 1.0 / (state.step + 1)
        mean = state.params["mean"]
        mean = mean + rate * (jnp.mean(batch["image"], 0) - mean)
        return state._replace(step=state.step + 1, params={"mean": mean}), {"moved": rate}

    def evaluate(state, batch):
        distance = jnp.sum(jnp.square(batch["image"] - state.params["mean"][None]), -1)
        return {"distance": Mean.of(distance, batch["mask"])}

    learner = Learner(init, update, evaluate)
    experiment = toy(learner=learner, steps=10, expect=(Expect("test/distance", "<=", 100.0),))
    result = run(experiment, PROFILE, tmp_path / "run", quiet=True)
    data = experiment.phases[0].data
    images = data.source.arrays["image"]
    # Ten batches of four are the forty examples; a running mean in float32.
    np.testing.assert_allclose(result.state.params["mean"], images.mean(0), rtol=1e-5)
    with pytest.raises(UserError, match="needs gradients"):
        make_executor(replace(PROFILE, microbatch=1), learner, data)


def test_every_batch_of_an_evaluation_draws_its_own(tmp_path):
    """Else all batches share one batch's draws, and the error of the mean does not shrink with them."""

    def evaluate(state, batch):
        return {"draw": Mean.of(axes.normal(state.key, batch["label"].shape), batch["mask"])}

    (phase,) = toy().phases
    learner = phase.learner._replace(evaluate=evaluate)
    executor = make_executor(PROFILE, learner, phase.data)
    state = executor.whole(executor.init(jax.random.key(0)))
    found = [
        float(executor.evaluate(state, batch, number, False)["draw"].total)
        for number, batch in enumerate(phase.evals["test"].batches(16))
    ]
    assert len(set(found)) == len(found) == 3
