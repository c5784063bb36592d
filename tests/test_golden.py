"""The tiny twin of every kind of experiment, as text: its parameter tree with decay, and five losses.

A refactor that changes an initialiser, a name, an order of keys or a draw shows here as a readable
difference. ``UPDATE_GOLDEN=1 pytest tests/test_golden.py`` writes the files anew.
"""

import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from smoke import KINDS, smoke

from dljax.knobs import read_knobs
from dljax.runtime.execute import make_executor
from dljax.runtime.profile import Mesh, Profile

GOLDEN = Path(__file__).parent / "golden"


def decayed(path: Path) -> list:
    """Per parameter: does it move where the gradient is zero?"""
    # At a small rate, a decay may be lost in rounding.
    fast = {"lr": 1.0} if "lr" in read_knobs(path).knobs else {}
    phase = smoke(path, 5, **fast).phases[0]
    learner, batch = phase.learner, phase.data.batch(0)
    if learner.rewrap is None:
        return []

    def zeroed(name, gradient):
        def wrapped(params, extra, batch, key):
            out, _ = gradient(params, extra, batch, key)
            return out, jax.tree.map(jnp.zeros_like, params[name])

        return wrapped

    learner = learner.rewrap(zeroed)
    state = jax.jit(learner.init)(jax.random.key(0), batch)
    ones, update = jax.tree.map(jnp.ones_like, state.params), jax.jit(learner.update)

    def moved(count: int):
        """At a count of the schedules: some begin at zero, some end there."""
        opt = jax.tree.map(
            lambda x: jnp.full_like(x, count) if jnp.issubdtype(x.dtype, jnp.integer) else x,
            state.opt,
        )
        after, _ = update(state._replace(params=ones, opt=opt), batch)
        return np.array([bool((x != 1).any()) for x in jax.tree.leaves(after.params)])

    return list(moved(1) | moved(100) | moved(10_000))


def described(path: Path) -> tuple[list[str], list[list[float]]]:
    """(lines of the parameter tree, [names..., five rows of metrics])."""
    phase = smoke(path, 5).phases[0]
    executor = make_executor(Profile(mesh=Mesh(data=1)), phase.learner, phase.data)
    state, rows = executor.init(jax.random.key(0)), []
    moving = iter(decayed(path))
    tree = [
        f"{jax.tree_util.keystr(where, simple=True, separator='/')} {leaf.dtype} "
        f"{'x'.join(map(str, leaf.shape)) or 'scalar'}"
        f"{' decays' if where[0].key == 'params' and next(moving, False) else ''}"
        for where, leaf in jax.tree_util.tree_leaves_with_path(
            {"params": state.params, "extra": state.extra}
        )
    ]
    kept = [i for i, name in enumerate(executor.names) if name.endswith("/loss")] or [0]
    for step in range(5):
        state, packed = executor.step(state, executor.place(step, 1), 1)
        rows.append([float(np.mean(np.asarray(packed)[0, i])) for i in kept])
    return [*tree, "losses " + " ".join(executor.names[i] for i in kept)], rows


@pytest.mark.parametrize("path", KINDS, ids=[p.stem for p in KINDS])
def test_golden(path):
    file = GOLDEN / f"{path.stem}.txt"
    tree, rows = described(path)
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        lines = [*tree, *(" ".join(f"{value:.5g}" for value in row) for row in rows)]
        file.write_text("\n".join(lines) + "\n")
    assert file.exists(), f"UPDATE_GOLDEN=1 pytest {Path(__file__).name} writes {file.name}"
    lines = file.read_text().splitlines()
    assert lines[: len(tree)] == tree
    stored = np.array([[float(word) for word in line.split()] for line in lines[len(tree) :]])
    # Other cores sum in another order; five steps carry that no further than the fourth digit.
    np.testing.assert_allclose(rows, stored, rtol=1e-3, atol=1e-5)
