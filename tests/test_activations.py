"""Any layer's activation can be read, changed and differentiated for, by its path."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dljax.analysis.activations import (
    activation_and_gradient,
    activations,
    as_maps,
    places,
    with_changes,
    with_perturbation,
)
from dljax.analysis.saliency import grad_cam
from dljax.errors import UserError
from dljax.tasks.classification import classification
from dljax.types import Variables


class Block(nn.Module):
    @nn.compact
    def __call__(self, x):
        return x + nn.Dense(2, name="inner")(x)


class Scaled(nn.Dense):
    def __call__(self, x):
        return 3.0 * super().__call__(x)


class Pair(nn.Module):
    @nn.compact
    def __call__(self, x):
        return x, x


class Net(nn.Module):
    """Convolution, block, mean over places, Dense: all of it linear."""

    @nn.compact
    def __call__(self, image, *, train: bool):
        x = Block(name="block")(nn.Conv(2, (3, 3), name="conv")(image))
        x, _ = Pair(name="pair")(x)
        twice = nn.Dense(2, name="shared")
        return Scaled(3, name="out")(twice(twice(jnp.mean(x, (1, 2)))))


@pytest.fixture(scope="module")
def used():
    """(predict, variables, batch, parameters) of a task."""
    task = classification(Net())
    key = jax.random.key(0)
    batch = {"image": jax.random.normal(key, (2, 4, 5, 1))}
    params, extra = task.init(key, batch)
    return task.predict, Variables(params, extra), batch, params["model"]


def test_activations_are_those_of_each_layer_alone(used):
    predict, variables, batch, params = used
    found = jax.jit(lambda v, b: activations(predict, v, b))(variables, batch)
    assert set(found) == {"conv", "block", "block/inner", "pair", "shared", "out"}
    conv = nn.Conv(2, (3, 3)).apply({"params": params["conv"]}, batch["image"])
    inner = conv @ params["block"]["inner"]["kernel"]
    shared = jnp.mean(conv + inner, (1, 2)) @ params["shared"]["kernel"]
    # float32 sums of a few values, in another order
    near = {"rtol": 1e-4, "atol": 1e-6}
    np.testing.assert_allclose(found["conv"], conv, **near)
    np.testing.assert_allclose(found["block/inner"], inner, **near)
    np.testing.assert_allclose(found["block"], conv + inner, **near)
    np.testing.assert_allclose(found["shared"], shared, **near)  # of its first call
    np.testing.assert_allclose(found["out"], predict(variables, batch), **near)  # not its super's
    some = activations(predict, variables, batch, layers=["block/inner"])
    assert list(some) == ["block/inner"]


def test_the_gradient_for_a_layer(used):
    """From "block" on the net is mean(x) S S 3 W, so each place has the same gradient."""
    predict, variables, batch, params = used
    output, gradient = activation_and_gradient(predict, variables, batch, layer="block")
    shared = params["shared"]["kernel"]
    by_hand = 3.0 * (shared @ shared @ params["out"]["kernel"]).sum(1) / (4 * 5)
    np.testing.assert_allclose(
        gradient, np.broadcast_to(by_hand, (2, 4, 5, 2)), rtol=1e-5, atol=1e-7
    )  # float32
    np.testing.assert_array_equal(output, activations(predict, variables, batch)["block"])


def test_a_perturbation_is_added_where_it_is_named(used, key):
    predict, variables, batch, params = used
    delta = jax.random.normal(key, (2, 4, 5, 2))
    moved = with_perturbation(predict, "block")(delta, variables, batch)
    shared = params["shared"]["kernel"]
    by_hand = 3.0 * delta.mean((1, 2)) @ shared @ shared @ params["out"]["kernel"]
    np.testing.assert_allclose(
        moved - predict(variables, batch), by_hand, rtol=1e-4, atol=1e-5
    )  # a difference of float32 numbers near 1


def test_an_ablated_layer(used):
    predict, variables, batch, params = used
    without = with_changes(predict, {"conv": jnp.zeros_like})(variables, batch)
    np.testing.assert_array_equal(without, np.zeros((2, 3)))  # biases begin at 0
    assert np.abs(predict(variables, batch)).max() > 0.01, "nothing stays intercepted"


class Looped(nn.Module):
    """A layer in a loop, and one in a rematerialized block, which are traced by themselves."""

    @nn.compact
    def __call__(self, image):
        x = nn.Dense(2, name="before")(image)
        step = nn.scan(
            lambda layer, carry, _: (layer(carry), None),
            variable_broadcast="params",
            split_rngs={"params": False},
            length=3,
        )
        x, _ = step(nn.Dense(2, name="step"), x, None)
        return nn.remat(Block)(name="block")(x)


@pytest.mark.parametrize("layer", ["step", "block/inner"])
def test_a_layer_within_a_loop_is_refused(layer, key):
    net, image = Looped(), jnp.ones((1, 2))
    variables = net.init(key, image)
    found = activations(net.apply, variables, image)
    assert "before" in found and layer not in found
    np.testing.assert_allclose(
        with_changes(net.apply, {"before": jnp.zeros_like})(variables, image), 0.0
    )
    for act in (
        lambda: activations(net.apply, variables, image, layers=[layer]),
        lambda: with_changes(net.apply, {layer: jnp.zeros_like})(variables, image),
    ):
        with pytest.raises(UserError, match=f"{layer!r} is within a scan.*name the layer around"):
            act()


@pytest.mark.parametrize(
    "act, words",
    [
        (lambda f, *a: activations(f, *a, layers=["convo"]), "no layer 'convo' .*'conv'"),
        (lambda f, *a: with_changes(f, {"blok": jnp.sin})(*a), "no layer 'blok' .*'block'"),
        (lambda f, *a: with_perturbation(f, "blok")(0.0, *a), "no layer 'blok' .*'block'"),
        (lambda f, *a: with_perturbation(f, "pair")(0.0, *a), "'pair' returns a tuple"),
        (lambda f, *a: activation_and_gradient(f, *a, layer="pair"), "'pair' returns a tuple"),
        (lambda f, *a: activations(jax.jit(f), *a), "jitted function"),
    ],
)
def test_what_cannot_be_reached_is_one_line(act, words, used):
    predict, variables, batch, _ = used
    with pytest.raises(UserError, match=words):
        act(predict, variables, batch)


def test_tokens_of_a_square_are_maps():
    assert places((5, 6, 2)) == (5, 6) and places((16, 3)) == places((17, 3)) == (4, 4)
    assert places((18, 3)) is None and places((2, 3)) is None and places((7,)) is None
    tokens = jnp.arange(2 * 5 * 3).reshape(2, 5, 3)
    maps = as_maps("block", tokens)
    assert maps.shape == (2, 2, 2, 3)  # row by row, without the first token
    np.testing.assert_array_equal(maps[1, 1, 0], tokens[1, 3])
    with pytest.raises(UserError, match="'block' returns .2, 6, 3.*tokens of a square"):
        as_maps("block", jnp.zeros((2, 6, 3)))


class PatchSum(nn.Module):
    """The sum of the fourth of four patches of two by two pixels, as tokens behind a first one."""

    @nn.compact
    def __call__(self, image, *, train: bool):
        patches = nn.Conv(1, (2, 2), (2, 2), kernel_init=nn.initializers.ones, name="embed")(image)
        tokens = jnp.concatenate([jnp.zeros((len(image), 1, 1)), patches.reshape(-1, 4, 1)], 1)
        tokens = Same(name="block")(tokens)
        return jnp.concatenate([tokens[:, 4], jnp.zeros((len(image), 1))], -1)


class Same(nn.Module):
    @nn.compact
    def __call__(self, x):
        return x


def test_grad_cam_of_tokens_lies_on_their_places():
    image = jnp.zeros((1, 4, 4, 1)).at[0, 2:, 2:].set(1.0)
    net = PatchSum()
    variables = net.init(jax.random.key(0), image, train=False)
    found = grad_cam(lambda x: net.apply(variables, x, train=False)[:, 0], image, "block")
    assert float(found[0, 3, 3]) > 0 and float(found[0, 0, 0]) == 0
