"""Recurrent layers: composed in the course's five ways, masked, in both directions, and going on from
window to window."""

import signal
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax.traverse_util import flatten_dict
from toy import PROFILE

from dljax import EvalSet, Experiment, Phase, Pipeline, axes, learn, weights
from dljax.data.sources.text import Streams, Windows
from dljax.errors import UserError
from dljax.learner import accumulate, many_seeds
from dljax.nn import cells
from dljax.nn.recurrent import Both, Recurrent
from dljax.nn.token_model import TokenModel
from dljax.runtime.execute import make_executor
from dljax.runtime.loop import Interrupted, run
from dljax.runtime.profile import Mesh, Profile
from dljax.tasks.language import language

CELLS = {"tanh": cells.TANH, "relu": cells.RELU, "lstm": cells.LSTM, "gru": cells.GRU}
normal = nn.initializers.normal(0.5)


@pytest.fixture(params=CELLS)
def cell(request):
    return CELLS[request.param]


def sequences(key, b=3, t=5, d=4):
    return jax.random.normal(key, (b, t, d))


def layer_of(cell, x, key, **options):
    """(function of (inputs, keywords), its parameters)."""
    layer = Recurrent(6, cell, normal, normal, **options)
    variables = layer.init(key, x)
    return partial(layer.apply, variables), variables["params"]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_a_gru_is_its_equations(key):
    """Cho et al. 2014 with the reset gate after the product, row by row in float64."""
    x = sequences(key)
    apply, params = layer_of(cells.GRU, x, key)
    w = {name: np.asarray(value, np.float64) for name, value in params.items()}
    h = np.zeros((3, 6))
    for t in range(5):
        xs = np.split(np.asarray(x[:, t]) @ w["w_x"] + w["bias"][None], 3, 1)
        hs = np.split(h @ w["w_h"] + w["bias_h"][None], 3, 1)
        r, z = sigmoid(xs[0] + hs[0]), sigmoid(xs[1] + hs[1])
        h = (1 - z) * np.tanh(xs[2] + r * hs[2]) + z * h
        np.testing.assert_allclose(apply(x)[0][:, t], h, atol=2e-6)  # float32 against float64


@pytest.mark.parametrize(
    "name, function", [("tanh", np.tanh), ("relu", lambda x: np.maximum(x, 0))]
)
def test_a_vanilla_net_is_its_equation(name, function, key):
    x = sequences(key)
    apply, params = layer_of(CELLS[name], x, key)
    w = {name: np.asarray(value, np.float64) for name, value in params.items()}
    h = np.zeros((3, 6))
    for t in range(5):
        h = function(np.asarray(x[:, t]) @ w["w_x"] + h @ w["w_h"] + w["bias"][None])
        np.testing.assert_allclose(apply(x)[0][:, t], h, rtol=2e-6, atol=2e-6)


# The course's five: what goes in at which times, and what of the outputs is used.


def one_to_one(layer, x):
    return layer(x[:, :1])[0][:, 0]


def one_to_many(layer, x):
    later = jnp.zeros((x.shape[0], 4, x.shape[2]))
    return layer(jnp.concatenate([x[:, :1], later], 1))[0]


def many_to_one(layer, x):
    return layer(x)[1][0]


def many_to_many_in_step(layer, x):
    return layer(x)[0]


def many_to_many_after_reading(layer, x):
    _, memory = layer(x)
    return layer(jnp.zeros((x.shape[0], 7, x.shape[2])), memory=memory)[0]


@pytest.mark.parametrize(
    "way, shape",
    [
        (one_to_one, (3, 6)),
        (one_to_many, (3, 5, 6)),
        (many_to_one, (3, 6)),
        (many_to_many_in_step, (3, 5, 6)),
        (many_to_many_after_reading, (3, 7, 6)),
    ],
)
def test_the_five_ways_are_one_layer(way, shape, cell, key):
    """Each has its shape, and sees just what comes before it."""
    x = sequences(key)
    layer, _ = layer_of(cell, x, key)
    assert way(layer, x).shape == shape
    # What of the input moves what of the output: [out times, in times] (no time: one).
    slope = jax.jacobian(lambda x: way(layer, x[None])[0].reshape(-1, 6).sum(1))(x[0])
    moves = np.asarray(jnp.abs(slope).sum(2) > 0)
    expected = {
        one_to_one: np.eye(1, 5),
        one_to_many: np.repeat(np.eye(1, 5), 5, 0),
        many_to_one: np.ones((1, 5)),
        many_to_many_in_step: np.tri(5),
        many_to_many_after_reading: np.ones((7, 5)),
    }[way]
    assert not (moves & (expected == 0)).any(), "it sees what is yet to come"
    if cell is not cells.RELU:  # whose units may all be off
        np.testing.assert_array_equal(moves, expected > 0)


@pytest.mark.parametrize("reverse", [False, True])
def test_padding_is_not_read(reverse, cell, key):
    """Rows of 5, 2 and 0 times, filled up with large numbers."""
    x = sequences(key)
    apply, _ = layer_of(cell, x, key, reverse=reverse)
    lengths = [5, 2, 0]
    mask = jnp.arange(5)[None] < jnp.array(lengths)[:, None]
    filled = jnp.where(mask[..., None], x, 1e3)
    out, memory = apply(filled, mask=mask.astype(jnp.float32))
    for row, n in enumerate(lengths):
        if not n:
            assert not any(m[row].any() for m in memory)
            continue
        short, last = apply(x[row : row + 1, :n])
        np.testing.assert_allclose(out[row, :n], short[0], rtol=1e-6, atol=1e-6)
        for whole, own in zip(memory, last, strict=True):
            np.testing.assert_allclose(whole[row], own[0], rtol=1e-6, atol=1e-6)


def test_both_directions_are_each_others_mirror(cell, key):
    """With the directions' parameters exchanged, the mirrored sequence has the mirrored output."""
    x = sequences(key)
    layer = Both(6, cell, normal, normal)
    params = layer.init(key, x)["params"]
    out, memory = layer.apply({"params": params}, x)
    turned = {"forwards": params["backwards"], "backwards": params["forwards"]}
    mirrored, remembered = layer.apply({"params": turned}, x[:, ::-1])
    np.testing.assert_allclose(mirrored, jnp.roll(out[:, ::-1], 6, -1), atol=1e-6)
    np.testing.assert_allclose(remembered[0], jnp.roll(memory[0], 6, -1), atol=1e-6)
    assert out.shape == (3, 5, 12)


# Truncated backpropagation through time: the memory goes on, the gradient does not.

TEXT = np.random.default_rng(0).integers(0, 17, 8 * 31 + 3).astype(np.int32)
ONE = Profile(mesh=Mesh(data=1))
EIGHT = {
    "jit": Profile(mesh=Mesh(data=4, fsdp=2)),
    "pmap": Profile(mesh=Mesh(data=8), executor="pmap"),
}


def tiny_learner(cell=cells.LSTM, rate=0.5):
    model = TokenModel(cell, "layer", vocabulary=17, hidden=8, layers=2, remember=True)
    return learn(language(model), optax.sgd(rate))


def streams(rows=8, length=5):
    return Pipeline(Streams(TEXT, length, rows), rows, shuffle=False)


def trained(profile, learner, steps=8):
    """After 8 steps: an epoch of six windows, and two of the next."""
    executor = make_executor(profile, learner, streams())
    state, losses = executor.init(jax.random.key(0)), []
    for i in range(steps):
        state, packed = executor.step(state, executor.place(i, 1), 1)
        losses.append(np.asarray(packed)[0])
    return np.array(losses), executor.whole(state), executor


def test_streams_are_cut_by_hand():
    """23 tokens in two rows: of 11 each; windows of 4 with the token after: two in each."""
    source = Streams(np.arange(23), 4, 2)
    assert len(source) == 4
    batch = Pipeline(source, 2, shuffle=False).batch(1)
    np.testing.assert_array_equal(batch["tokens"], [[4, 5, 6, 7], [15, 16, 17, 18]])
    np.testing.assert_array_equal(batch["targets"], [[5, 6, 7, 8], [16, 17, 18, 19]])
    np.testing.assert_array_equal(batch["fresh"], [0, 0])
    np.testing.assert_array_equal(Pipeline(source, 2, shuffle=False).batch(2)["fresh"], [1, 1])
    with pytest.raises(UserError, match="9 tokens in 2 streams has no window of 4"):
        Streams(np.arange(9), 4, 2)


def test_windows_go_on_from_each_other(cell):
    """At a rate of zero, the windows' mean loss is that of the whole streams read at once."""
    learner = tiny_learner(cell, 0.0)
    losses, state, executor = trained(ONE, learner, 6)
    mine = losses[:, executor.names.index("model/loss")].mean()
    whole = {
        "tokens": jnp.asarray(TEXT[: 8 * 31].reshape(8, 31)[:, :30]),
        "targets": jnp.asarray(TEXT[: 8 * 31].reshape(8, 31)[:, 1:]),
    }
    loss = learner.evaluate(state, whole)["loss"].value
    np.testing.assert_allclose(mine, loss, rtol=1e-6)


def test_another_epoch_begins_at_zero():
    """The seventh window is the first again; so with parameters that stand still its loss is too."""
    metrics, _, executor = trained(ONE, tiny_learner(rate=0.0), 7)
    np.testing.assert_array_equal(metrics[6], metrics[0])
    losses = metrics[:, executor.names.index("model/loss")]
    assert (losses[1:6] != losses[0]).all()


@pytest.mark.parametrize("layout", EIGHT)
def test_the_memory_lies_with_its_rows(layout):
    one, state, _ = trained(ONE, tiny_learner())
    eight, other, executor = trained(EIGHT[layout], tiny_learner())
    # Sums over eight devices in another order, in eight steps of SGD.
    np.testing.assert_allclose(eight, one, rtol=2e-5)
    for a, b in zip(jax.tree.leaves(state.extra), jax.tree.leaves(other.extra), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-6)
    memory = jax.tree.leaves(executor.abstract.extra)[0]
    assert memory.shape == (8, 8) and memory.sharding.shard_shape((8, 8)) == (1, 8)


def test_two_seeds_remember_apart():
    learner = many_seeds(tiny_learner(), 2)
    one, state, _ = trained(ONE, learner)
    eight, other, _ = trained(EIGHT["pmap"], learner)
    np.testing.assert_allclose(eight, one, rtol=2e-5)
    for a, b in zip(jax.tree.leaves(state.extra), jax.tree.leaves(other.extra), strict=True):
        assert a.shape == (2, 8, 8)
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-6)


def test_a_run_stopped_between_windows_goes_on_with_its_memory(tmp_path):
    """Bit for bit; and a half-trained memory is no zero. It is stopped in its second epoch of four windows."""
    evals = {"test": EvalSet(Windows.apart(TEXT, 10))}

    def stopping(variables, key):
        signal.raise_signal(signal.SIGTERM)  # the sixth step is the last
        return {}

    def experiment(**looks):
        data = streams(length=7)
        return Experiment(Phase(tiny_learner(), data, 8, evals=evals, looks=looks, every=5))

    whole = run(experiment(), PROFILE, tmp_path / "whole", quiet=True)
    with pytest.raises(Interrupted, match="at step 6"):
        run(experiment(look=stopping), PROFILE, tmp_path / "half", quiet=True)
    second = run(experiment(), PROFILE, tmp_path / "half", quiet=True)
    assert all(np.abs(x).max() > 0.01 for x in jax.tree.leaves(whole.state.extra))
    for a, b in zip(jax.tree.leaves(whole.state), jax.tree.leaves(second.state), strict=True):
        if not jnp.issubdtype(a.dtype, jax.dtypes.prng_key):
            np.testing.assert_array_equal(a, b)


def test_a_memory_is_of_no_file_and_no_other_batch(tmp_path):
    """Weights are taken of a run of eight rows, or of a file; the memory of four rows begins at zero."""
    learner = tiny_learner()
    result = run(Experiment(Phase(learner, streams(), 2)), PROFILE, tmp_path / "run", quiet=True)
    params = result.state.params["model"]
    paths = [f"params/{path}" for path in flatten_dict(params, sep="/")]
    entries = [weights.Entry(path, path.replace("/", ".")) for path in paths]
    weights.export({"params": params}, entries, tmp_path / "model.safetensors")
    fresh = jax.jit(learner.init)(jax.random.key(1), streams(4).batch(0))
    for start in (
        weights.from_run(tmp_path / "run"),
        weights.load(tmp_path / "model.safetensors", entries),
    ):
        state = start(None, fresh)
        jax.tree.map(np.testing.assert_array_equal, state.params["model"], params)
        memory = jax.tree.leaves(state.extra)
        assert all(x.shape == (4, 8) and not np.any(x) for x in memory) and len(memory) == 4


def test_low_precision_remembers_in_float32():
    profile = Profile(mesh=Mesh(data=1), precision="bfloat16")
    _, state, _ = trained(profile, tiny_learner(), 2)
    assert {x.dtype for x in jax.tree.leaves(state.extra)} == {jnp.dtype("float32")}


def test_microbatches_of_a_memory_are_refused():
    learner = accumulate(tiny_learner(), 2)
    executor = make_executor(ONE, learner, streams())
    with pytest.raises(UserError, match="keeps a memory for each row"):
        executor.step(executor.init(jax.random.key(0)), executor.place(0, 1), 1)


def test_rows_are_known_by_their_collection():
    paths = jax.tree_util.tree_leaves_with_path({"model": {axes.ROWS: {"a": 1}, "batch_stats": 2}})
    assert [axes.of_rows(path) for path, _ in paths] == [False, True]
