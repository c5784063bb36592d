"""Every experiment file: builds at full size, and trains on its fake twin through the real loop."""

import ast
import json

import jax
import numpy as np
import pytest
from smoke import EXPERIMENTS, IDS, smoke

import dljax
from dljax.knobs import read_knobs
from dljax.runtime.feed import Feed
from dljax.runtime.loop import run
from dljax.runtime.mesh import make_mesh
from dljax.runtime.profile import Mesh, Profile
from dljax.runtime.rundir import read_metrics

PROFILE = Profile(mesh=Mesh(data=1), compilation_cache=jax.config.jax_compilation_cache_dir)


ROWS = [(path, claim) for path in EXPERIMENTS for claim in read_knobs(path).claims]


@pytest.mark.parametrize("path, claim", ROWS, ids=[f"{p.stem}-{claim}" for p, claim in ROWS])
def test_builds_at_full_size(path, claim):
    """Every claim, from abstract shapes; only the data is the fake twin's."""
    experiment = dljax.load(path)(claim=claim, fake=True)
    for phase in experiment.phases:
        spec = Feed(phase.data, make_mesh(PROFILE)).spec
        state = jax.eval_shape(phase.learner.init, jax.random.key(0), spec)
        after, metrics = jax.eval_shape(phase.learner.update, state, spec)
        assert jax.tree.structure(after) == jax.tree.structure(state)
        for path_, (old, new) in zip(
            jax.tree_util.tree_leaves_with_path(state),
            zip(jax.tree.leaves(state), jax.tree.leaves(after), strict=True),
            strict=True,
        ):
            assert (old.shape, old.dtype) == (new.shape, new.dtype), path_[0]
        assert any(name.endswith("/loss") for name in metrics)


@pytest.mark.parametrize("path", EXPERIMENTS, ids=IDS)
def test_trains_on_its_fake_twin(path, tmp_path):
    experiment = smoke(path)
    result = run(experiment, PROFILE, tmp_path / "run", quiet=True)
    assert int(np.max(result.state.step)) == experiment.total_steps
    for name, value in result.metrics.items():
        assert np.isfinite(value).all(), name
    for expect in experiment.claim.expect:
        assert expect.metric in result.metrics, f"{expect}: measures {sorted(result.metrics)}"
    assert result.verdict == {}, "nothing is claimed of a fake twin"
    assert result.compilations <= 1
    folder = result.workdir
    record = json.loads((folder / "record.json").read_text())
    assert record["knobs"] == dict(experiment.origin.knobs)
    assert (folder / "code" / path.name).read_text() == path.read_text()
    assert "<svg" in (folder / "report.html").read_text()
    rows = read_metrics(folder)
    for index, phase in enumerate(experiment.phases):
        prefix = experiment.prefix(index)
        for look in phase.looks:
            pictured = list((folder / "pictures").glob(f"{prefix}{look}_*".replace("/", "_")))
            numbers = [name for row in rows for name in row if name.startswith(f"{prefix}{look}/")]
            assert pictured or numbers, f"nothing came of {look}"


@pytest.mark.parametrize("path", EXPERIMENTS, ids=IDS)
def test_file_keeps_the_contract(path):
    text = path.read_text()
    knobs = read_knobs(path)
    assert len(text.splitlines()) <= 80
    assert len(knobs.knobs) <= 12
    assert {"seed", "fake"} <= set(knobs.knobs)
    relative = path.relative_to(path.parents[2])
    assert f"dljax train {relative}" in knobs.doc, "the docstring shows the command"
    assert knobs.claims and all(claim.expect for claim in knobs.claims.values())
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            assert not (node.module or "").startswith("experiments")
