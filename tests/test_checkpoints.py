"""Checkpoints: those kept, the best of them, and saves that hold nothing up."""

import asyncio
import gc
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy import PROFILE, toy

from dljax.claims import Expect
from dljax.cli.runs import open_checkpoint
from dljax.errors import UserError
from dljax.experiment import Experiment
from dljax.runtime.checkpoints import Checkpoints
from dljax.runtime.loop import run
from dljax.types import Mean


def peaked(at: int, **options) -> Experiment:
    """An experiment whose measured score is highest at step ``at``."""
    learner = toy(**options).phases[0].learner

    def evaluate(state, batch):
        return {"score": Mean(jnp.float32(-jnp.abs(state.step - at)), 1.0)}

    learner = learner._replace(evaluate=evaluate)
    return toy(**options, learner=learner, expect=(Expect("test/score", ">=", -100.0),))


def test_best_checkpoint_is_kept_beside_the_newest(tmp_path):
    """Also where no checkpoint was due when it was measured; and who comes later finds it."""
    path = tmp_path / "run"
    profile = replace(PROFILE, keep=1, checkpoint_every=20)
    experiment = peaked(10, every=5, steps=40)
    run(experiment, profile, path, quiet=True)
    assert {int(p.name) for p in (path / "checkpoints").iterdir()} == {10, 40}
    assert open_checkpoint(experiment, path, PROFILE, best=True).step == 10
    assert open_checkpoint(experiment, path, PROFILE).step == 40


@pytest.fixture
def state(key):
    (phase,) = toy().phases
    return phase.learner.init(key, phase.data.batch(0))


def test_a_best_still_being_written_counts(tmp_path, state):
    """Whatever is on the disk by now: several processes must come to the same decision."""
    with Checkpoints(tmp_path / "run", 1, [("test/accuracy", ">=")]) as saved:
        for step, (score, best) in enumerate([(0.9, 0), (0.5, 0), (0.95, 2), (float("nan"), 2)]):
            saved.save(step, state)
            saved.note(step, {"test/accuracy": score})
            assert saved.best() == best
        saved.note(3, {})
        assert saved.best() == 2


@pytest.mark.parametrize(
    "sign, scores", [("<=", (2.0, 1.0, 3.0, 1.5)), (">=", (2.0, 5.0, 3.0, float("nan")))]
)
def test_best_checkpoint_outlives_a_resume(tmp_path, state, sign, scores):
    """The scores are read from metrics.jsonl, however many rows there are for a step."""
    for step, score in enumerate(scores):
        with Checkpoints(tmp_path, 1, [("test/loss", sign)]) as saved:
            saved.save(step, state)
            saved.note(step, {"test/loss": score})
        with (tmp_path / "metrics.jsonl").open("a") as rows:
            rows.write(json.dumps({"step": step, "model/loss": 7.0}) + "\n")
            rows.write(json.dumps({"step": step, "test/loss": [score, score]}) + "\n")
    with Checkpoints(tmp_path, 1, [("test/loss", sign)], read_only=True) as saved:
        assert saved.all() == [1, 3] and saved.best() == 1
    with Checkpoints(tmp_path, 1, [("test/else", sign)], read_only=True) as saved:
        assert saved.best() is None, "it was never measured"


def test_each_phase_keeps_its_best(tmp_path, state):
    """Scores of different phases are of different things."""
    rankings = [("first/test/loss", "<="), None, ("third/test/accuracy", ">=")]
    measured = [("first/test/loss", x) for x in (3.0, 1.0, 2.0)]
    measured += [("second/test/loss", x) for x in (0.1, 0.2)]
    measured += [("third/test/accuracy", x) for x in (0.5, 0.9, 0.7, 0.8)]
    with Checkpoints(tmp_path, 1, rankings) as saved:
        for step, (metric, value) in enumerate(measured):
            saved.save(step, state)
            saved.note(step, {metric: value})
        saved.wait()
        assert saved.all() == [1, 6, 8] and saved.best() == 6


def test_a_save_compiles_nothing(tmp_path, key):
    experiment = toy()
    state = experiment.phases[0].learner.init(key, experiment.phases[0].data.batch(0))
    state = jax.block_until_ready(state._replace(key=key))
    jax.random.key_data(key)  # one small program, the same for all
    seen: list[str] = []

    def note(event: str, seconds: float, **_) -> None:
        seen.append(event)

    jax.monitoring.register_event_duration_secs_listener(note)
    try:
        with Checkpoints(tmp_path / "run", 1) as saved:
            saved.save(1, state)
        assert not [event for event in seen if "compile" in event]
        jax.tree.map(lambda x: x.copy(), state.params)  # which would have
        assert [event for event in seen if "compile" in event]
    finally:
        jax.monitoring.unregister_event_duration_listener(note)


@pytest.fixture
def step(tmp_path, key) -> Iterator[tuple[Path, Callable[[], bool]]]:
    """A saved step's folder, and whether what is restored from it is what was saved."""
    phase = toy().phases[0]
    state = phase.learner.init(key, phase.data.batch(0))
    with Checkpoints(tmp_path / "run", 2) as saved:
        for number in (1, 2):
            saved.save(number, state)

    def same() -> bool:
        with Checkpoints(tmp_path / "run", 2, read_only=True) as saved:
            abstract = jax.tree.map(
                lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), state
            )
            found = saved.restore(2, abstract)
        a, b = (x._replace(key=jax.random.key_data(x.key)) for x in (found, state))
        pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
        return all(np.array_equal(x, y) for x, y in pairs)

    yield tmp_path / "run" / "checkpoints" / "2", same
    gc.collect()


def flips(data: bytes) -> Iterator[bytes]:
    """The bytes with one bit of them flipped, at twelve places."""
    for bit in np.linspace(0, 8 * len(data) - 1, 12).astype(int):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        yield bytes(damaged)


# Once an array could not be read, orbax drops the coroutines that read the others.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_damage_is_told_or_changes_nothing(step):
    folder, same = step
    assert same()
    refused = harmless = 0
    for file in sorted(p for p in folder.rglob("*") if p.is_file()):
        whole = file.read_bytes()
        for damaged in (None, b"", whole[: len(whole) // 2], *flips(whole)):
            file.unlink() if damaged is None else file.write_bytes(damaged)
            try:
                assert same(), f"{file}: {damaged!r} for {whole!r}"
                harmless += 1
            except UserError as error:
                assert str(error).startswith("checkpoint 2 is damaged") and "\n" not in str(error)
                refused += 1
            file.write_bytes(whole)
    assert same()
    # Refused is all but what concerns Orbax's two notes on the step, and digests gone as a whole.
    items = sum(p.is_file() for p in folder.glob("*/**/*"))
    assert refused >= 15 * items + 14 and harmless <= 15 * 2 + 1, (refused, harmless)


def test_digests_are_what_sha256sum_says_and_older_runs_have_none(step):
    folder, same = step
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    arrays = [p for p in (folder / "default").rglob("*") if p.is_file()]
    assert len(arrays) == len(lines) > 5
    for line in lines:
        digest, name = line.split("  ")
        assert digest == hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / "SHA256SUMS").unlink()
    assert same()


def test_failed_writes_that_orbax_does_not_await_are_not_reported_with_tracebacks(caplog):
    """Whether asyncio finds any depends on the order in which the arrays of a save fail."""

    def fails(module: str) -> Exception:
        space: dict = {"__name__": module}
        exec("def write(): raise ValueError(__name__)", space)
        with pytest.raises(ValueError) as caught:
            space["write"]()
        return caught.value

    async def leave(*errors: Exception):
        for error in errors:
            asyncio.get_running_loop().create_future().set_exception(error)

    with asyncio.Runner() as runner:
        runner.run(leave(fails("orbax.checkpoint.serialization"), fails("theirs")))
        gc.collect()
    assert [str(r.exc_info[1]) for r in caplog.records if r.name == "asyncio"] == ["theirs"]
