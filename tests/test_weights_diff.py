"""``dljax weights diff`` on a net of two layers that NumPy computes too, and its parts by hand."""

import json
from pathlib import Path

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from dljax import weights
from dljax.analysis.differences import Step, layer_names, of_arrays, recorded, relative, steps
from dljax.weights import layers

SMOOTH = str(Path(__file__).parent / "smooth_digits.py")
NET = ("--experiment", SMOOTH, "--width", "8")


def test_relative_by_hand():
    assert relative([1.0, -4.0], [1.5, -4.0]) == 0.125
    assert relative([0.0], [0.0]) == relative([], []) == 0.0
    assert relative([np.nan, 1.0, np.inf], [np.nan, 1.0, np.inf]) == 0.0
    assert relative([np.nan], [1.0]) == relative([np.inf], [1.0]) == np.inf


def test_arrays_are_compared_by_name():
    found = of_arrays({"b": np.ones(2), "a": np.ones(3)}, {"a": np.ones((3, 1)), "c": np.ones(1)})
    assert [one.name for one in found] == ["b", "a", "c"]
    assert [one.shapes for one in found] == [((2,), None), ((3,), (3, 1)), (None, (1,))]
    assert all(one.out is None and one.parts(1.0) for one in found)


class Inner(nn.Module):
    @nn.compact
    def __call__(self, x):
        return x + nn.Dense(2, name="deep")(x), "no array"


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        z, _ = Inner(name="zeta")(x)
        return nn.Dense(3, name="alpha")(2 * z)


def test_steps_are_in_order_with_what_they_are_given(key):
    x = jnp.array([[1.0, 2.0]])
    variables = Net().init(key, x)
    found = steps(Net().apply, variables, x)
    assert list(found) == ["zeta/deep", "zeta", "alpha", "(output)"]
    np.testing.assert_array_equal(found["zeta/deep"].given, x)
    np.testing.assert_allclose(found["zeta"].out, x + found["zeta/deep"].out)
    np.testing.assert_allclose(found["alpha"].given, 2 * found["zeta"].out)
    np.testing.assert_array_equal(found["alpha"].out, found["(output)"].out)


class Words(nn.Module):
    @nn.compact
    def __call__(self, tokens):
        return nn.Embed(5, 2, name="embed")(tokens)  # it has a setup, which is no call


def test_steps_of_tokens(key):
    tokens = jnp.array([[3, 1]])
    found = steps(Words().apply, Words().init(key, tokens), tokens)
    assert list(found) == ["embed", "(output)"]
    np.testing.assert_array_equal(found["embed"].given, tokens)


def test_names_of_layers_come_from_the_map():
    entries = layers.conv("a/conv", "features.0") + layers.batch_norm("a/bn", "features.1")
    entries += [weights.Entry("params/class", "cls_token")]
    entries += layers.dense("first", "rnn") + layers.dense("second", "rnn")  # two of one there
    assert layer_names(entries) == {"a/conv": "features.0", "a/bn": "features.1"}


def test_recorded_layers_take_our_axes():
    like = {"a/conv": Step(None, np.zeros((2, 4, 5, 3))), "b": Step(None, np.zeros((2, 7, 3)))}
    there = {"c": np.zeros((2, 3, 4, 5)), "b": np.ones((2, 3, 7)), "b:given": np.ones((2, 1, 6, 6))}
    found = recorded(there, {"a/conv": "c"}, like)
    assert found["a/conv"].out.shape == (2, 4, 5, 3) and found["b"].out.shape == (2, 7, 3)
    assert found["b"].given.shape == (2, 6, 6, 1) and found["a/conv"].given is None
    assert recorded(there, {}, like, False)["b"].out.shape == (2, 3, 7)


@pytest.fixture(scope="module")
def net() -> dict[str, np.ndarray]:
    """Weights of the net by our own paths."""
    rng = np.random.default_rng(0)
    shapes = {"hidden/kernel": (784, 8), "hidden/bias": 8, "out/kernel": (8, 10), "out/bias": 10}
    return {f"params/{n}": 0.1 * rng.normal(size=s).astype("f") for n, s in shapes.items()}


def seen(net, activation, out=1.0) -> dict[str, np.ndarray]:
    """The net's layers as torch would record them, by NumPy in float64."""
    x = np.random.default_rng(1).normal(size=(3, 1, 28, 28)).astype("f")
    kernels = [net[f"params/{name}/kernel"] for name in ("hidden", "out")]
    biases = [net[f"params/{name}/bias"] for name in ("hidden", "out")]
    flat = x.reshape(3, -1).astype("d")
    hidden = flat @ kernels[0] + biases[0]
    active = activation(hidden)
    last = out * (active @ kernels[1]) + biases[1]
    named = {"hidden": hidden, "hidden:given": flat, "out": last, "out:given": active, "": last}
    return {"input": x, **named}


@pytest.mark.parametrize(
    ("activation", "out", "told"),
    [
        (np.tanh, 1.0, "no layer of 3 differs by more than 0.0001"),
        (
            lambda x: np.maximum(x, 0),
            1.0,
            "look between it and hidden (activation, pooling, sum, flattening)",
        ),
        (np.tanh, 1.1, "though what it is given agrees"),
    ],
    ids=["equal", "other activation", "other layer"],
)
def test_a_recorded_network(command, net, tmp_path, activation, out, told):
    weights.write(tmp_path / "net.safetensors", net)
    np.savez(tmp_path / "seen.npz", **seen(net, activation, out))
    words = ("weights", "diff", "net.safetensors", "--reference", "seen.npz", *NET)
    status, shown, err = command(*words)
    assert not err and told in shown.splitlines()[-1]
    assert status == int("no layer" not in told)
    if status:
        assert "first layer that differs: out, by " in shown
    found = json.loads(command(*words, "--json")[1])
    assert found["first"] == ("out" if status else None) and found["weights"] is None
    assert [one["name"] for one in found["layers"]] == ["hidden", "out", "(output)"]


def test_two_files(command, net, tmp_path):
    """Of the network: its layers; without an experiment: the arrays by their names."""
    other = {**net, "params/out/bias": net["params/out/bias"] + np.eye(10, dtype="f")[3]}
    weights.write(tmp_path / "a.safetensors", net)
    np.savez(tmp_path / "b.npz", **other)
    status, out, _ = command("weights", "diff", "a.safetensors", "b.npz", *NET)
    assert status == 1 and "weights: 3 of 4 arrays are equal\n  params/out/bias  10  " in out
    assert out.splitlines()[-1].endswith("its weights differ: params/out/bias")
    status, out, _ = command("weights", "diff", "a.safetensors", "b.npz")
    assert status == 1 and "3 of 4 arrays" in out and "--experiment FILE compares" in out
    status, out, _ = command("weights", "diff", "a.safetensors", "a.safetensors")
    assert status == 0 and "4 of 4 arrays" in out
    status, out, _ = command("weights", "diff", "a.safetensors", "a.safetensors", *NET)
    assert status == 0 and "no layer of 3 differs by more than 0.0001: 0 at most" in out


def test_a_run_and_a_file(command, tmp_path):
    status, out, err = command("train", SMOOTH, "--width", "8", "--steps", "2", "--workdir", "run")
    assert status == 0, err
    params = weights.restore_raw(tmp_path / "run")["params"]["model"]
    named = {f"params/{a}/{b}": x for a, layer in params.items() for b, x in layer.items()}
    weights.write(tmp_path / "same.safetensors", named)
    Image.new("L", (40, 30), 200).save(tmp_path / "gray.png")
    for b in ("run", "same.safetensors"):
        status, out, err = command("weights", "diff", "run", b, "--image", "gray.png")
        assert status == 0 and "weights: 4 of 4 arrays are equal" in out, err
        assert "\nhidden    1x8 " in out
    named["params/hidden/kernel"] = named["params/hidden/kernel"][::-1]
    weights.write(tmp_path / "turned.safetensors", named)
    status, out, _ = command("weights", "diff", "run", "turned.safetensors")
    assert status == 1 and "first layer that differs: hidden, by" in out
    assert "\nhidden    2x8 " in out and "its weights differ: params/hidden/kernel" in out


def test_refusals(command, net, tmp_path):
    weights.write(tmp_path / "a.npz", net)
    np.savez(tmp_path / "seen.npz", unknown=np.ones(3), input=np.ones((1, 1, 28, 28), "f"))
    np.savez(tmp_path / "flat.npz", out=np.ones(3), input=np.ones((2, 784), "f"))

    def told(*words: str) -> str:
        status, out, err = command("weights", "diff", *words)
        assert status == 2 and err.count("\n") == 1, (out, err)
        return err

    assert "name A and B, or A and --reference" in told("a.npz")
    assert "name A and B, or A and --reference" in told("a.npz", "a.npz", "--reference", "seen.npz")
    assert "nowhere does not exist" in told("a.npz", "nowhere")
    assert "name the network of A: --experiment" in told("a.npz", "--reference", "seen.npz")
    assert "expected an experiment file" in told("a.npz", "a.npz", "--experiment", "lenet")
    assert "has no layer of this network" in told("a.npz", "--reference", "seen.npz", *NET)
    assert "shape (2, 784)" in told("a.npz", "--reference", "flat.npz", *NET)
    assert "shape (8,) for params/hidden/bias, expected (9,)" in told(
        "a.npz", "a.npz", "--experiment", SMOOTH, "--width", "9"
    )
    assert "no knob --witdh" in told("a.npz", "a.npz", "--experiment", SMOOTH, "--witdh", "9")
    assert "expected a number" in told("a.npz", "a.npz", "--tolerance", "-1")
    assert "nowhere.png is no file" in told("a.npz", "a.npz", *NET, "--image", "nowhere.png")
    text = command("weights", "diff", "--help")[1]
    assert "register_forward_hook" in text
