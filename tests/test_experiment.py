"""Experiments: parts of another kind are refused when they are built, and data that changed is told."""

import json
from dataclasses import replace

import numpy as np
import pytest
from toy import PROFILE, toy

from dljax import Arrays, EvalSet, Experiment, Pipeline
from dljax.errors import UserError
from dljax.runtime.loop import run

PARTS = {
    "learner": ("adam", "expected a Learner"),
    "data": ([1, 2], "expected a Pipeline"),
    "steps": (2.5, "expected 1 or more, found 2.5"),
    "every": (-1, "expected 0 or more steps"),
    "evals": ({"test": [1]}, "expected EvalSets by name"),
    "looks": ({"weights": "filters"}, "expected functions"),
    "start": ("carry", "expected a function"),
    "name": ("a b", "expected letters, digits"),
}


@pytest.mark.parametrize("part", PARTS)
def test_parts_of_another_kind_are_told_when_a_phase_is_built(part):
    value, told = PARTS[part]
    with pytest.raises(UserError, match=rf"Phase\({part}=\): {told}"):
        replace(toy().phases[0], **{part: value})


@pytest.mark.parametrize(
    "arguments, options, told",
    [
        ((), {}, "one Phase or more"),
        (("phase",), {}, "one Phase or more"),
        ((0,), {"seed": -1}, "expected a whole number from 0 to 4294967295"),
        ((0,), {"seed": 2**32}, "seed 4294967296"),
        ((0,), {"seed": 1.5}, "seed 1.5"),
        ((0, 0), {"name": "a"}, "two phases are called 'a'"),
    ],
)
def test_an_experiment_of_other_parts_is_told(arguments, options, told):
    name = options.pop("name", "")
    phases = [replace(toy().phases[0], name=name) if x == 0 else x for x in arguments]
    with pytest.raises(UserError, match=told):
        Experiment(*phases, **options)


def data(image: np.ndarray) -> dict:
    arrays = Arrays({"image": image, "label": np.arange(len(image), dtype=np.int32) % 2})
    return {"data": Pipeline(arrays, 4), "evals": {"test": EvalSet(arrays)}, "expect": ()}


CHANGES = {
    "a column": (lambda x: x * np.array([1, 1, -1, 1], np.float32), "'data' has other values"),
    "a row more": (lambda x: np.concatenate([x, x[:1]]), "'data' has 41 examples, it had 40"),
    "a type": (lambda x: x.astype(np.float64), "'data' has 'image' is float64 .*, it was float32"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_data_that_changed_behind_a_run_is_told(change, tmp_path, capsys):
    image = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    path = tmp_path / "run"
    run(toy(**data(image)), PROFILE, path, quiet=True)
    made, told = CHANGES[change]
    other = toy(**data(made(image)))
    with pytest.raises(UserError, match=f"its data has changed: {told}.*--anyway"):
        run(other, PROFILE, path, quiet=True)
    (path / "result.json").unlink()  # as if it had been stopped
    run(other, PROFILE, path, anyway=True)
    assert "going on with other data than the run had so far" in capsys.readouterr().out
    record = json.loads((path / "record.json").read_text())
    assert record["data"]["data"]["length"] == len(made(image))
    run(other, PROFILE, path, quiet=True)  # its own from now on
