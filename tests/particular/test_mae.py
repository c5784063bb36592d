"""MAE: patches and back, which are hidden, and that the encoder sees no others."""

import jax
import jax.numpy as jnp
import numpy as np
from architectures import tiny

from dljax.models.representation import mae


def test_patches_by_hand_and_back():
    """Of 4 x 6 in squares of 2: the third is rows 0 and 1, columns 4 and 5; the fourth begins the next line."""
    image = jnp.arange(48.0).reshape(1, 4, 6, 2)
    squares = mae.patches(image, 2)
    assert squares.shape == (1, 6, 8)
    np.testing.assert_array_equal(squares[0, 2], [8, 9, 10, 11, 20, 21, 22, 23])
    np.testing.assert_array_equal(squares[0, 3], [24, 25, 26, 27, 36, 37, 38, 39])
    np.testing.assert_array_equal(mae.joined(squares, 2, 6), image)


def test_positions_by_hand():
    """Rates 1 and 1/100 of the column, then of the row; patch 5 of three columns is at row 1, column 2."""
    table = mae.positions(2, 3, 8)
    assert table.shape == (7, 8) and not table[0].any()
    x, y = np.array([2, 0.02]), np.array([1, 0.01])
    expected = np.concatenate([np.sin(x), np.cos(x), np.sin(y), np.cos(y)])
    np.testing.assert_allclose(table[1 + 5], expected, rtol=1e-6)


def test_the_smallest_noise_is_seen_and_nothing_else_is():
    """Of four patches one is seen, and the restored ones depend on its pixels alone."""
    model, params, _, inputs = tiny(mae)
    noise = jnp.array([[0.9, 0.1, 0.5, 0.7], [0.3, 0.4, 0.6, 0.2]])

    @jax.jit
    def run(image):
        def total(image):
            pixels, mask = model.apply({"params": params}, image, noise, train=False)
            return jnp.sum(pixels * jnp.arange(1.0, 5.0)[None, :, None]), (pixels, mask)

        (_, out), slope = jax.value_and_grad(total, has_aux=True)(image)
        return *out, jnp.sum(jnp.abs(mae.patches(slope, 4)), -1)

    pixels, mask, reach = run(inputs["image"])
    np.testing.assert_array_equal(mask, [[1, 0, 1, 1], [1, 1, 1, 0]])
    np.testing.assert_array_equal(np.asarray(reach) > 0, mask == 0)
    assert pixels.shape == (2, 4, 48)


def test_a_patch_is_restored_at_its_own_place():
    """With every patch seen and nothing mixed, each comes back where it was, whatever the order of the noise."""
    model, params, _, inputs = tiny(mae)
    given = {"params": jax.tree.map(jnp.zeros_like, params)}
    # The blocks add nothing; of a patch's pixels the last layer gives what its own embedding was.
    for module in (given["params"], given["params"]["encoder"]):
        module["norm"] = {"scale": jnp.ones(8), "bias": jnp.zeros(8)}
    rng = np.random.default_rng(0)
    draw = {
        name: rng.normal(size=params[name]["kernel"].shape).astype(np.float32)
        for name in ("embed", "pixels")
    }
    for name, kernel in draw.items():
        given["params"][name] = {**given["params"][name], "kernel": jnp.asarray(kernel)}
    embed = params["encoder"]["embed"]
    given["params"]["encoder"]["embed"] = embed
    whole = model.clone(ratio=0.0)

    @jax.jit
    def run(noise):
        return whole.apply(given, inputs["image"], noise, train=False)

    first, mask = run(jnp.array([[0.9, 0.1, 0.5, 0.7], [0.3, 0.4, 0.6, 0.2]]))
    second, _ = run(jnp.array([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]]))
    assert not mask.any() and np.asarray(first).std() > 0.1
    np.testing.assert_array_equal(first, second)

    def norm(x):
        return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)

    squares = np.asarray(mae.patches(inputs["image"], 4))
    at = mae.positions(2, 2, 8)[1:]
    kernel, bias = np.asarray(embed["kernel"]).reshape(48, 8), np.asarray(embed["bias"])
    by_hand = norm(norm(squares @ kernel + bias + at) @ draw["embed"] + at) @ draw["pixels"]
    np.testing.assert_allclose(first, by_hand, rtol=1e-3, atol=1e-4)
