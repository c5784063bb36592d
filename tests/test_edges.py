"""Edges of a run, where it saves, measures and draws, and where each of these may fail."""

import json
import math
import re
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from toy import PROFILE, task, toy

from dljax import Arrays, Mean, Pipeline, learn
from dljax.claims import Expect
from dljax.errors import UserError
from dljax.learner import many_seeds
from dljax.runtime.checkpoints import Checkpoints
from dljax.runtime.log import EvaluationFailed
from dljax.runtime.loop import run
from dljax.runtime.measure import Diverged, check_finite, verdict
from dljax.runtime.rundir import read_metrics


def saved_steps(path) -> list[int]:
    return sorted(int(p.name) for p in (path / "checkpoints").iterdir() if p.name.isdigit())


def broken(message: str):
    def look(variables, key):
        raise ValueError(message)

    return look


LOOKS = {
    "raises": (broken("no such layer\nat all"), r"ValueError: no such layer \(test_edges.py:\d+\)"),
    "exits": (lambda *_: exit(3), "SystemExit: 3"),
    "none": (lambda *_: None, r"expected uint8, or floats in 0..1, .* found object \(\)"),
    "four axes": (lambda *_: np.zeros((1, 2, 2, 3)), r"found float64 \(1, 2, 2, 3\)"),
    "another scale": (lambda *_: np.full((2, 2), 200.0), "of 200 to 200"),
    "integers": (lambda *_: np.zeros((2, 2), np.int32), r"found int32 \(2, 2\)"),
    "words for numbers": (lambda *_: {"score": "high"}, "ValueError: could not convert"),
}


@pytest.mark.parametrize("kind", LOOKS)
def test_a_look_that_fails_costs_its_picture_and_a_line(kind, tmp_path, capsys):
    look, told = LOOKS[kind]
    looks = {"first": look, "second": lambda *_: "words"}
    experiment = toy(looks=looks, every=10)
    result = run(experiment, PROFILE, tmp_path / "run")
    lines = [line for line in capsys.readouterr().out.splitlines() if "look 'first' failed" in line]
    assert [line.split(":")[0] for line in lines] == [
        f"look 'first' failed at step {step}" for step in (10, 20)
    ]
    assert re.search(told, lines[0]), lines[0]
    names = {p.name for p in (tmp_path / "run" / "pictures").iterdir()}
    assert names == {"second_0000010.txt", "second_0000020.txt"}
    assert result.verdict == {"test/accuracy >= 0.9": True, "test/loss <= 0.5": True}


@pytest.mark.parametrize("every", [5, 0], ids=["saving", "at the end only"])
def test_an_evaluation_that_fails_loses_no_step(every, tmp_path):
    (phase,) = toy().phases

    def evaluate(state, batch):
        def check(step):
            if step >= 10:
                raise ValueError("a shape that does not fit")
            return np.float32(1)

        value = jax.pure_callback(check, jax.ShapeDtypeStruct((), jnp.float32), state.step)
        return {"score": Mean(value, 1.0)}

    failing = phase.learner._replace(evaluate=evaluate)
    given = {"every": 5, "expect": (Expect("test/score", ">=", 0.0),)}
    path, profile = tmp_path / "run", replace(PROFILE, checkpoint_every=every)
    with pytest.raises(EvaluationFailed, match="at step 10 failed: .*the state is saved") as caught:
        run(toy(learner=failing, **given), profile, path, quiet=True)
    assert "\n" not in str(caught.value) and max(saved_steps(path)) == 10
    # Mended, it goes on from there, to where it would have come without.
    plain = phase.learner._replace(evaluate=lambda state, batch: {"score": Mean(state.step, 1.0)})
    mended = run(toy(learner=plain, **given), profile, path, quiet=True)
    alone = run(toy(learner=plain, **given), profile, tmp_path / "alone", quiet=True)
    jax.tree.map(np.testing.assert_array_equal, mended.state.params, alone.state.params)
    assert mended.metrics["test/score"] == 20


def test_numbers_of_a_look_are_metrics(tmp_path):
    """Logged, expected, and what the best checkpoint is chosen by."""

    def look(variables, key):
        return {"best": -abs(float(counter.pop(0)) - 10), "half": np.float32(0.5)}

    counter = [5, 10, 15, 20]
    expect = (Expect("look/best", ">=", -20.0), Expect("look/half", "<=", 0.5))
    experiment = toy(looks={"look": look}, every=5, expect=expect)
    result = run(experiment, replace(PROFILE, keep=1), tmp_path / "run", quiet=True)
    assert result.verdict == {"look/best >= -20": True, "look/half <= 0.5": True}
    rows = [row["look/best"] for row in read_metrics(tmp_path / "run") if "look/best" in row]
    assert rows == [-5, 0, -5, -10]
    assert saved_steps(tmp_path / "run") == [10, 20]
    with Checkpoints(tmp_path / "run", 1, [experiment.ranking(0)], read_only=True) as saved:
        assert saved.best() == 10
    report = (tmp_path / "run" / "report.html").read_text()
    assert "look/best" in report


@pytest.mark.parametrize("kind", ["number", "picture"])
def test_a_look_that_a_kill_cut_off_is_made_up_for(kind, tmp_path):
    """Killed between the last save and the look after it: the run that goes on looks then."""
    path, made = tmp_path / "run", {"number": {"score": 1.0}, "picture": "words"}[kind]
    expect = (Expect("look/score", ">=", 1.0),) if kind == "number" else ()
    experiment = toy(looks={"look": lambda *_: made}, evals={}, expect=expect)
    run(experiment, PROFILE, path, quiet=True)
    rows = (path / "metrics.jsonl").read_text().splitlines(keepends=True)
    # As the kill leaves the folder.
    (path / "result.json").unlink()
    (path / "metrics.jsonl").write_text("".join(r for r in rows if "look/" not in r))
    for picture in path.glob("pictures/*"):
        picture.unlink()
    result = run(experiment, PROFILE, path, quiet=True)
    assert (path / "metrics.jsonl").read_text() == "".join(rows)
    if kind == "number":
        assert result.verdict == {"look/score >= 1": True}
    else:
        assert [p.name for p in path.glob("pictures/*")] == ["look_0000020.txt"]


def test_rows_past_the_checkpoint_are_nobodys(tmp_path):
    """Neither the verdict nor the choice of the best takes what a lost stretch had measured."""
    path, profile = tmp_path / "run", replace(PROFILE, keep=1)
    (phase,) = toy().phases
    learner = phase.learner._replace(evaluate=lambda s, b: {"score": Mean(s.step * 1.0, 1.0)})
    given = {"learner": learner, "every": 10, "expect": (Expect("test/score", "<=", 30.0),)}
    run(toy(**given, steps=20), profile, path, quiet=True)
    (path / "result.json").unlink()
    with (path / "metrics.jsonl").open("a") as rows:
        rows.write(json.dumps({"step": 30, "test/score": -1.0, "lost/score": 5.0}) + "\n")
    result = run(toy(**given, steps=40), profile, path, quiet=True)
    assert result.metrics["test/score"] == 40 and "lost/score" not in result.metrics
    assert saved_steps(path) == [10, 40], "the lowest score was measured after 10 steps"


def test_a_later_phase_is_checked_before_the_first_is_trained(tmp_path):
    (phase,) = toy().phases
    source = Arrays({"image": np.zeros((8, 4), np.float32), "label": np.full(8, 7, np.int32)})
    phases = (replace(phase, name="a"), replace(phase, name="b", data=Pipeline(source, 4)))
    with pytest.raises(UserError, match="labels are 7 where the model has 2 outputs"):
        run(toy(phases=phases, expect=()), PROFILE, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_looks_get_the_variables_that_are_evaluated(tmp_path):
    """The moving average, and of several seeds the first."""
    seen = []
    learner = many_seeds(learn(task(), optax.sgd(0.5), ema=0.9), 3)
    looks = {"look": lambda variables, key: seen.append(variables.params) or "seen"}
    result = run(toy(learner=learner, looks=looks), PROFILE, tmp_path / "run", quiet=True)
    average = jax.tree.map(lambda x: x[0], result.state.ema)
    jax.tree.map(np.testing.assert_array_equal, average, seen[-1])
    kernel = result.state.params["model"]["out"]["kernel"][0]
    assert not np.allclose(kernel, seen[-1]["model"]["out"]["kernel"])


def test_an_evaluation_uses_the_moving_average(tmp_path):
    """The loss by hand, of the averaged parameters."""
    learner = learn(task(), optax.sgd(0.5), ema=0.9)
    experiment = toy(learner=learner)
    result = run(experiment, PROFILE, tmp_path / "run", quiet=True)
    source = experiment.phases[0].data.source
    losses = {}
    for name, params in (("average", result.state.ema), ("last", result.state.params)):
        p = jax.device_get(params["model"])
        h = np.tanh(source.arrays["image"] @ p["hidden"]["kernel"] + p["hidden"]["bias"])
        z = h @ p["out"]["kernel"] + p["out"]["bias"]
        right = z[np.arange(len(z)), source.arrays["label"]]
        losses[name] = np.mean(np.log(np.exp(z).sum(-1)) - right)
    assert abs(losses["average"] - losses["last"]) > 1e-3
    # float32 in another order
    np.testing.assert_allclose(result.metrics["test/loss"], losses["average"], rtol=1e-5)


def test_a_metric_that_is_nan_is_told(tmp_path, capsys):
    (phase,) = toy().phases
    learner = phase.learner._replace(
        evaluate=lambda state, batch: {"score": Mean(jnp.float32(jnp.nan), 1.0)}
    )
    expect = (Expect("test/score", ">=", 0.0),)
    result = run(toy(learner=learner, expect=expect), PROFILE, tmp_path / "run")
    assert "test/score is nan at step 20" in capsys.readouterr().out
    assert result.verdict == {"test/score >= 0": False}


@pytest.mark.parametrize(
    "sign, bound, values, holds",
    [
        (">=", 0.9, [0.8, 0.9, 0.97], False),  # 0.89 in the mean
        (">=", 0.9, [0.8, 0.9, 1.0], True),  # as much as is asked for
        ("<=", 0.5, [0.2, 0.7, 0.6], True),
        ("<=", 0.5, [0.2, 0.7, 0.63], False),
        (">=", 0.0, [1.0, math.nan, 1.0], False),
        ("<=", 0.0, [], False),
    ],
)
def test_the_verdict_is_about_the_mean_over_seeds(sign, bound, values, holds):
    metrics = {"test/score": np.array(values)} if values else {}
    experiment = toy(expect=(Expect("test/score", sign, bound),))
    assert verdict(experiment, metrics) == {f"test/score {sign} {bound:g}": holds}


@pytest.mark.parametrize("seeds", [(), (2,)], ids=["one", "two seeds"])
def test_divergence_is_told_at_its_own_step(seeds, tmp_path):
    """The third of four steps in a call, from step 8 on; and a metric that is NaN is none."""

    class Folder:
        path = tmp_path

        def diverged(self, step, player, batch):
            return f"{player} {step} {batch}"

    names = ("accuracy", "critic/loss", "model/grad_norm", "model/loss")
    values = np.zeros((4, 4, *seeds))
    values[1, 0] = np.nan
    check_finite(names, 8, values, Folder(), None)
    values[2, 2, ...], values[3, 1, ...] = np.inf, np.nan
    with pytest.raises(Diverged, match="^model/grad_norm is .* at step 10: .* model 10 batch 10,"):
        check_finite(names, 8, values, Folder(), lambda step: f"batch {step}")


@pytest.mark.parametrize(
    "metric, told",
    [
        ("test/acuracy", r"expect 'test/acuracy >= 0': it is not measured; did you mean 'test/acc"),
        ("tset/accuracy", "it is not measured; did you mean 'test/accuracy'"),
        ("accuracy/test", "it is not measured"),
    ],
)
def test_a_mistyped_expectation_is_told_before_training(metric, told, tmp_path):
    with pytest.raises(UserError, match=told):
        run(toy(expect=(Expect(metric, ">=", 0.0),)), PROFILE, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_an_expectation_about_no_phase_is_told_before_training(tmp_path):
    (phase,) = toy().phases
    phases = (replace(phase, name="first"), replace(phase, name="second"))
    with pytest.raises(UserError, match="no phase is called 'secnd'; did you mean 'second'"):
        run(
            toy(phases=phases, expect=(Expect("secnd/test/loss", "<=", 9.0),)),
            PROFILE,
            tmp_path / "run",
            quiet=True,
        )


MEASURES = {
    "an array": ({"score": jnp.zeros(4)}, "gave no Mean for 'score': expected Mean.of"),
    "one of rows": (
        {"score": Mean(jnp.ones(4), jnp.ones(4))},
        r"gave a Mean of shape \(4,\) for 'score': expected Mean.of",
    ),
    "counts of rows": ({"score": Mean(jnp.float32(1), jnp.ones(4))}, "for 'score': expected"),
    "no dict": (Mean(jnp.float32(1), 1.0), "evaluate gave Mean: expected a dict"),
}


@pytest.mark.parametrize("kind", MEASURES)
@pytest.mark.parametrize("seeds", [1, 4])
def test_evaluate_must_give_means(kind, seeds, tmp_path):
    """Told before training, also where as many models are trained as there are rows."""
    given, told = MEASURES[kind]
    (phase,) = toy().phases
    learner = phase.learner._replace(evaluate=lambda state, batch: given)
    learner = many_seeds(learner, seeds) if seeds > 1 else learner
    told = told if seeds == 1 else "evaluate gave"
    with pytest.raises(UserError, match=told):
        run(toy(learner=learner, expect=()), PROFILE, tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_a_look_that_failed_last_keeps_no_number_of_before(tmp_path):
    def look(variables, key):
        return {"score": scores.pop(0)}

    scores, expect = [1.0], (Expect("look/score", ">=", 0.5),)
    experiment = toy(looks={"look": look}, every=10, expect=expect)
    for _ in range(2):  # the second time the run has finished, and is read
        result = run(experiment, PROFILE, tmp_path / "run", quiet=True)
        assert result.verdict == {"look/score >= 0.5": False}
        assert np.isnan(result.metrics["look/score"])


def test_a_look_does_not_take_the_place_of_a_metric(tmp_path, capsys):
    looks = {"test": lambda *_: {"accuracy": -7.0, "other": 1.0}}
    result = run(toy(looks=looks), PROFILE, tmp_path / "run")
    assert result.metrics["test/accuracy"] >= 0.9 and result.metrics["test/other"] == 1.0
    assert "look number 'test/accuracy' is also a metric" in capsys.readouterr().out


def swapped(value):
    """A State with one part of another kind, or another value altogether."""
    return lambda before, fresh: fresh._replace(**value(fresh)) if callable(value) else value


STARTS = {
    "nothing": (swapped(None), "gave NoneType: expected State"),
    "a tuple": (swapped((1.0, 2.0)), "gave tuple: expected State"),
    "no average": (
        swapped(lambda f: {"ema": None}),
        r"state.ema\['model'\].* absent: expected float32",
    ),
    "other shapes": (
        swapped(lambda f: {"params": jax.tree.map(lambda x: x[..., None], f.params)}),
        r"'bias'\] float32 \(8, 1\): expected float32 \(8,\), as fresh has it",
    ),
    "half precision": (
        swapped(lambda f: {"params": jax.tree.map(lambda x: x.astype("float16"), f.params)}),
        r"float16 \(8,\): expected float32 \(8,\)",
    ),
}


@pytest.mark.parametrize("kind", STARTS)
def test_a_start_must_give_a_state_of_the_phase(kind, tmp_path):
    start, told = STARTS[kind]
    learner = learn(task(), optax.sgd(0.1), ema=0.9)
    with pytest.raises(UserError, match=told) as caught:
        run(toy(learner=learner, start=start), PROFILE, tmp_path / "run", quiet=True)
    assert "\n" not in str(caught.value)


def test_a_start_may_use_an_array_twice(tmp_path):
    learner = learn(task(), optax.sgd(0.1), ema=0.9)
    start = swapped(lambda fresh: {"ema": fresh.params})
    twice = run(toy(learner=learner, start=start), PROFILE, tmp_path / "twice", quiet=True)
    once = run(toy(learner=learner), PROFILE, tmp_path / "once", quiet=True)
    jax.tree.map(np.testing.assert_array_equal, twice.state.ema, once.state.ema)
