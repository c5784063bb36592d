"""Starts of a phase: from a file of weights, from another run, beside what goes on anyway."""

import fcntl
import gc
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from refusal import refused
from toy import PROFILE, toy

import dljax
from dljax import weights
from dljax.learner import State
from dljax.runtime.checkpoints import Checkpoints
from dljax.runtime.profile import Mesh
from dljax.weights import Entry

ENTRIES = [
    Entry("params/body/kernel", "body.weight", (1, 0)),
    Entry("params/body/bias", "body.bias"),
    Entry("params/head/kernel", "head.weight", (1, 0)),
    Entry("params/head/bias", "head.bias"),
    Entry("batch_stats/norm/mean", "norm.running_mean"),
]
HEAD = "params/head"


def stored(**change) -> dict[str, np.ndarray]:
    """The file's arrays, in float64."""
    arrays = {
        "body.weight": np.arange(32.0).reshape(8, 4),  # [out, in]
        "body.bias": np.arange(8.0),
        "head.weight": np.full((3, 8), 7.0),
        "head.bias": np.full(3, 8.0),
        "norm.running_mean": np.arange(8.0) + 100,
    }
    arrays |= {name.replace("_", ".", 1): x for name, x in change.items()}
    return {name: x for name, x in arrays.items() if x is not None}


def variables(value: float, classes: int = 3):
    """(params, extra) of one player: two Dense layers and a moving mean, all of one value."""

    def full(*shape):
        return jnp.full(shape, value, jnp.float32)

    params = {
        "body": {"kernel": full(4, 8), "bias": full(8)},
        "head": {"kernel": full(8, classes), "bias": full(classes)},
    }
    return params, {"batch_stats": {"norm": {"mean": full(8)}}}


def state(step: int = 0, ema: bool = False, **players: float) -> State:
    """Every player's variables of one value, its average's of the same, in other buffers."""
    made = {name: variables(value) for name, value in players.items()}
    params = {name: pair[0] for name, pair in made.items()}
    extra = {name: pair[1] for name, pair in made.items()}
    average = jax.tree.map(jnp.copy, params) if ema else None
    opt = {name: optax.sgd(0.1).init(tree) for name, tree in params.items()}
    return State(jnp.int32(step), jax.random.key(0), params, extra, opt, average)


def constant(tree, value: float) -> None:
    for leaf in jax.tree.leaves(tree):
        np.testing.assert_array_equal(leaf, np.full(leaf.shape, value))


def pointers(tree) -> list[int]:
    return [leaf.unsafe_buffer_pointer() for leaf in jax.tree.leaves(tree)]


@pytest.fixture
def path(tmp_path) -> Path:
    weights.write(tmp_path / "x.safetensors", stored())
    return tmp_path / "x.safetensors"


def test_load(path):
    """Transposed, cast to float32, collections too; the average from them, in buffers of its own."""
    fresh = state(model=-1, ema=True)
    begun = weights.load(path, iter(ENTRIES))(None, fresh)
    body, head = begun.params["model"]["body"], begun.params["model"]["head"]
    assert body["kernel"].shape == (4, 8) and body["kernel"][1, 7] == 29  # out 7, in 1: 7 * 4 + 1
    assert body["bias"].tolist() == list(range(8))
    assert (head["kernel"] == 7).all() and (head["bias"] == 8).all()
    mean = begun.extra["model"]["batch_stats"]["norm"]["mean"]
    assert mean.tolist() == list(range(100, 108))
    assert {leaf.dtype for leaf in jax.tree.leaves((begun.params, mean))} == {np.dtype("float32")}
    jax.tree.map(np.testing.assert_array_equal, begun.ema, begun.params)
    everything = pointers((begun.params, begun.ema, begun.extra))
    assert len(set(everything)) == len(everything)
    assert jax.tree.structure(begun) == jax.tree.structure(fresh)
    assert begun.step == 0 and begun.opt is fresh.opt
    constant((fresh.params, fresh.extra, fresh.ema), -1)
    assert weights.load(path, ENTRIES)(None, state(model=-1)).ema is None


def test_load_low_precision(tmp_path):
    """1 + 2**-7 is in bfloat16 what it is in float32."""
    arrays = {name: jnp.full(x.shape, 1.0078125, jnp.bfloat16) for name, x in stored().items()}
    weights.write(tmp_path / "x", arrays)
    begun = weights.load(tmp_path / "x", ENTRIES)(None, state(model=0))
    constant((begun.params, begun.extra), 1.0078125)
    assert begun.params["model"]["body"]["bias"].dtype == np.float32


def test_load_keeps_what_it_is_told_to(tmp_path):
    """A head of other classes, or none."""
    for change in ({"head_weight": np.zeros((5, 8))}, {"head_weight": None, "head_bias": None}):
        weights.write(tmp_path / "x", stored(**change))
        start = weights.load(tmp_path / "x", ENTRIES, keep=lambda path: path.startswith(HEAD))
        begun = start(None, state(model=-1, ema=True))
        for params in (begun.params["model"], begun.ema["model"]):
            constant(params["head"], -1)
            assert params["body"]["bias"].tolist() == list(range(8))
        with pytest.raises(dljax.errors.UserError):
            weights.load(tmp_path / "x", ENTRIES)(None, state(model=-1))


def test_load_begins_where_the_others_go_on(path):
    """In a later phase: the step and the other players are the last phase's, a new one is fresh."""
    before = state(step=30, model=1, other=2)
    fresh = state(model=-1, other=-2, new=-3, ema=True)
    begun = weights.load(path, ENTRIES)(before, fresh)
    assert begun.step == 30
    assert begun.params["model"]["body"]["bias"].tolist() == list(range(8))
    assert begun.ema["model"]["body"]["bias"].tolist() == list(range(8))
    for name, value in (("other", 2), ("new", -3)):
        constant((begun.params[name], begun.extra[name], begun.ema[name]), value)
    # also where the player had another shape in the last phase
    grown = before._replace(params={**before.params, "model": variables(1, classes=5)[0]})
    begun = weights.load(path, ENTRIES)(grown, fresh)
    assert begun.params["model"]["head"]["bias"].tolist() == [8, 8, 8]


@pytest.mark.parametrize(
    "change, entries, player, words",
    [
        ({}, ENTRIES, "critic", ("x.safetensors", "no player 'critic'", "it has model")),
        (
            {"head_bias": None},
            ENTRIES,
            "model",
            ("x.safetensors: the weights are", "missing 'head.bias' (3,)"),
        ),
        ({"more_w": np.zeros(1)}, ENTRIES, "model", ("unknown 'more.w' (1,)",)),
        (
            {"head_weight": np.zeros((5, 8))},
            ENTRIES,
            "model",
            ("'model': params/head/kernel has shape (8, 5), expected (8, 3)", "keep="),
        ),
        (
            {
                "head_weight": np.zeros((3, 9)),
                "norm_running_mean": np.zeros(9),
                "body_weight": np.zeros((9, 4)),
                "body_bias": np.zeros(9),
            },
            ENTRIES,
            "model",
            (
                "batch_stats/norm/mean has shape (9,), expected (8,); ",
                "; 4 of other shapes in all;",
            ),
        ),
        (
            {"norm_running_mean": None},
            ENTRIES[:-1],
            "model",
            ("'model': missing 'batch_stats/norm/mean' (8,)", "keep="),
        ),
        (
            {"tail": np.zeros(1)},
            [*ENTRIES, Entry("params/tail", "tail")],
            "model",
            ("'model': unknown 'params/tail' (1,)",),
        ),
    ],
)
def test_load_refuses(change, entries, player, words, tmp_path):
    weights.write(tmp_path / "x.safetensors", stored(**change))
    with refused(*words):
        weights.load(tmp_path / "x.safetensors", entries, player)(None, state(model=-1))


def test_load_reads_when_the_phase_begins(tmp_path):
    start = weights.load(tmp_path / "none.safetensors", ENTRIES)  # as for ``dljax plan``
    with refused("none.safetensors cannot be read"):
        start(None, state(model=-1))


def test_the_file_may_change_afterwards(tmp_path):
    """Loaded variables are copies: jax would share memory that begins at a multiple of 64 bytes."""
    header = b'{"x":{"dtype":"F32","shape":[16],"data_offsets":[0,64]}}'
    header += b" " * (-(8 + len(header)) % 64)
    path = tmp_path / "x"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(64))
    params = {"model": {"x": jnp.ones(16)}}
    fresh = State(jnp.int32(0), jax.random.key(0), params, {"model": {}}, {}, None)
    begun = weights.load(path, [Entry("params/x", "x")])(None, fresh)
    with path.open("r+b") as out:
        out.seek(-64, 2)
        out.write(b"\x01" * 64)
    constant(begun.params, 0)


def test_load_on_eight_devices(path):
    """Placed as the fresh leaves are."""
    mesh = jax.make_mesh((8,), ("fsdp",), axis_types=(AxisType.Auto,))

    def sharding(leaf):
        wide = leaf.ndim and leaf.shape[-1] == 8
        return NamedSharding(
            mesh, PartitionSpec(*[None] * (leaf.ndim - 1), "fsdp") if wide else PartitionSpec()
        )

    fresh = state(model=-1, ema=True)
    fresh = jax.device_put(fresh, jax.tree.map(sharding, fresh))
    begun = weights.load(path, ENTRIES)(None, fresh)
    for new, old in zip(jax.tree.leaves(begun), jax.tree.leaves(fresh), strict=True):
        assert new.sharding.is_equivalent_to(old.sharding, old.ndim) and new.committed
    kernel = begun.params["model"]["body"]["kernel"]
    assert kernel.addressable_shards[3].data.shape == (4, 1)
    assert kernel.addressable_shards[3].data[:, 0].tolist() == [12, 13, 14, 15]
    assert begun.ema["model"]["body"]["bias"].addressable_shards[5].data.tolist() == [5]


# --- from another run ------------------------------------------------------------------------------


def saved(folder: Path, state: State, step: int = 7) -> Path:
    with Checkpoints(folder, 3) as checkpoints:
        checkpoints.save(step, state)
    return folder


def test_from_a_run(tmp_path):
    """Its last parameters, from its folder, which another process holds and nobody writes to."""
    experiment, run = toy(), tmp_path / "run"
    profile = replace(PROFILE, mesh=Mesh(data=2, fsdp=2))
    result = dljax.run(experiment, profile, run, quiet=True)
    learner, data = experiment.phases[0].learner, experiment.phases[0].data
    fresh = learner.init(jax.random.key(5), data.batch(0))
    before = {p: p.stat().st_mtime_ns for p in run.rglob("*")}
    with (run / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        begun = weights.from_run(run)(None, fresh)
    assert {p: p.stat().st_mtime_ns for p in run.rglob("*")} == before
    jax.tree.map(np.testing.assert_array_equal, begun.params, result.state.params)
    assert begun.step == 0 and begun.opt is fresh.opt and begun.key is fresh.key
    weights.from_run(str(run), step=15)(None, fresh)
    with refused(f"{run} holds no step 3; it has 15, 20"):
        weights.from_run(run, step=3)(None, fresh)
    # and it trains on
    state, metrics = jax.jit(learner.update, donate_argnums=0)(begun, data.batch(0))
    assert state.step == 1 and np.isfinite(metrics["model/loss"])


def test_from_a_run_with_an_average(tmp_path):
    trained = state(step=7, model=1, ema=True)
    average = jax.tree.map(lambda x: x + 1, trained.ema)
    run = saved(tmp_path, trained._replace(ema=average))
    begun = weights.from_run(run)(None, state(model=-1, ema=True))
    constant((begun.params, begun.ema), 2)
    constant(begun.extra, 1)


def test_from_a_run_that_kept_the_best(tmp_path):
    trained = state(step=7, model=1, ema=True)
    params, extra = variables(3)
    best = {"score": jnp.float32(0.5), "step": jnp.int32(2), "params": {"model": params}}
    best["extra"] = {"model": extra}
    run = saved(tmp_path, trained._replace(extra={**trained.extra, "best": best}))
    begun = weights.from_run(run)(None, state(model=-1))
    constant((begun.params, begun.extra), 3)


def test_from_a_run_of_several_seeds(tmp_path):
    """The first for one model, each its own for as many."""
    one, two = state(step=7, model=1), state(step=7, model=2)
    both = jax.tree.map(lambda *x: jnp.stack(x), one, two)
    run = saved(tmp_path, both)
    constant(weights.from_run(run)(None, state(model=-1)).params, 1)
    fresh = jax.tree.map(lambda x: jnp.stack([x, x]), state(model=-1))
    bias = weights.from_run(run)(None, fresh).params["model"]["body"]["bias"]
    assert bias.shape == (2, 8) and bias[:, 0].tolist() == [1, 2]


def test_from_a_run_by_player(tmp_path):
    run = saved(tmp_path, state(step=7, generator=1, critic=2))
    fresh = state(encoder=-1, critic=-2, new=-3)
    before = state(step=9, critic=4, new=5)
    names = {"generator": "encoder"}
    begun = weights.from_run(run, players=["generator"], rename=names)(before, fresh)
    assert begun.step == 9
    for name, value in (("encoder", 1), ("critic", 4), ("new", 5)):
        constant((begun.params[name], begun.extra[name]), value)
    begun = weights.from_run(run, rename=names)(None, fresh)
    for name, value in (("encoder", 1), ("critic", 2), ("new", -3)):
        constant((begun.params[name], begun.extra[name]), value)
    with refused("this phase has no player 'generator'; it has encoder, critic, new"):
        weights.from_run(run)(None, fresh)
    with refused(f"{run} has no player 'encoder'; it has critic, generator"):
        weights.from_run(run, players=["encoder"])(None, fresh)


def test_from_a_run_of_another_shape(tmp_path):
    params, extra = variables(1, classes=5)
    other = state(step=7, model=1)._replace(params={"model": params}, extra={"model": extra})
    run, fresh = saved(tmp_path, other), state(model=-1)
    with refused("'model': params/head/bias has shape (5,), expected (3,)"):
        weights.from_run(run)(None, fresh)
    begun = weights.from_run(run, keep=lambda path: path.startswith(HEAD))(None, fresh)
    constant(begun.params["model"]["head"], -1)
    constant(begun.params["model"]["body"], 1)
    deeper = state(model=-1)
    deeper.params["model"]["neck"] = {"bias": jnp.zeros(2)}
    with refused("missing 'params/neck/bias'"):
        weights.from_run(run, keep=lambda path: path.startswith(HEAD))(None, deeper)


def test_what_is_no_run(tmp_path):
    (tmp_path / "empty" / "checkpoints").mkdir(parents=True)
    for run in (tmp_path / "none", tmp_path / "empty"):
        with refused(f"{run} holds no checkpoint"):
            weights.restore_raw(run)
    assert not (tmp_path / "none").exists()


# Once an array could not be read, orbax drops the coroutines that read the others.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_damaged_checkpoint(tmp_path):
    run = saved(tmp_path / "run", state(step=7, model=1))
    for part in (run / "checkpoints" / "7" / "default").rglob("d/*"):
        part.write_bytes(part.read_bytes()[:10])
    with refused(f"{run}: checkpoint 7 is damaged"):
        weights.restore_raw(run)
    gc.collect()  # while they are passed over


def test_restore_raw(tmp_path):
    """Host arrays by name; the newest, or the one that is asked for."""
    saved(tmp_path, state(step=3, model=1, ema=True), 3)
    saved(tmp_path, state(step=7, model=2), 7)
    raw = weights.restore_raw(tmp_path)
    assert raw.keys() == {"step", "params", "extra", "ema"} and raw["ema"] is None
    assert raw["step"] == 7 and type(raw["params"]["model"]["head"]["bias"]) is np.ndarray
    constant((raw["params"], raw["extra"]), 2)
    constant(weights.restore_raw(tmp_path, 3)["ema"], 1)
