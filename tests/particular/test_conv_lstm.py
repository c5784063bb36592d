"""ConvLSTM: its equations, and that it is an LSTM where frames are single pixels."""

import jax
import jax.numpy as jnp
import numpy as np
from architectures import tiny
from scipy.signal import correlate2d

from dljax.models.hybrids import conv_lstm
from dljax.nn import cells
from dljax.nn.recurrent import Recurrent


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def convolved(x, kernel):
    """[h, w, c] and [k, k, c, d] -> [h, w, d], zeros around."""
    return np.stack(
        [
            sum(correlate2d(x[..., i], kernel[..., i, j], mode="same") for i in range(x.shape[-1]))
            for j in range(kernel.shape[-1])
        ],
        -1,
    )


def drawn(module, *given):
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), *given))["params"]
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda x: jnp.asarray(rng.normal(0, 0.4, x.shape), jnp.float32), shapes)


def test_a_layer_is_the_equations():
    layer, rng = conv_lstm.ConvLSTMLayer(2, 3, 5), np.random.default_rng(1)
    x = jnp.asarray(rng.normal(size=(1, 3, 4, 6, 2)), jnp.float32)
    start = tuple(jnp.asarray(rng.normal(size=(2, 1, 4, 6, 2)), jnp.float32))
    params = drawn(layer, x, start, 3)
    out, last = layer.apply({"params": params}, x, start, 3)
    w = jax.tree.map(lambda p: np.asarray(p, np.float64), params)
    (h, c), peep = (np.asarray(m[0], np.float64) for m in start), w["peephole"]
    for t in range(3):
        gates = convolved(np.asarray(x[0, t], np.float64), w["outer"]["kernel"]) + convolved(
            h, w["inner"]["kernel"]
        )
        i, f, g, o = np.split(gates + w["bias"][None, None], 4, -1)
        i, f = sigmoid(i + peep[:1, None] * c), sigmoid(f + peep[1:2, None] * c)
        c = f * c + i * np.tanh(g)
        h = sigmoid(o + peep[2:, None] * c) * np.tanh(c)
        np.testing.assert_allclose(out[0, t], h, atol=5e-6)  # float32 against float64
    np.testing.assert_allclose(last[1][0], c, atol=5e-6)


def test_on_single_pixels_it_is_an_lstm():
    """Of a kernel's places the middle one sees a pixel, and without peepholes the gates are the LSTM's."""
    layer, x = conv_lstm.ConvLSTMLayer(3, 1, 3), jnp.ones((2, 4, 1, 1, 5))
    x = x * jnp.arange(1.0, 5.0)[None, :, None, None, None]
    zeros = (jnp.zeros((2, 1, 1, 3)),) * 2
    params = drawn(layer, x, zeros, 4)
    params["peephole"] = 0 * params["peephole"]
    out, _ = layer.apply({"params": params}, x, zeros, 4)
    twin = {
        "w_x": params["outer"]["kernel"][0, 0],
        "w_h": params["inner"]["kernel"][1, 1],
        "bias": params["bias"],
    }
    expected, _ = Recurrent(3, cells.LSTM).apply({"params": twin}, x[:, :, 0, 0])
    np.testing.assert_allclose(out[:, :, 0, 0], expected, rtol=1e-5, atol=1e-6)


def test_patches_go_back_to_their_places():
    """With a head that hands on a bias for each place of a patch, each frame is that patch over and over."""
    model, params, _, inputs = tiny(conv_lstm)
    patch = jnp.arange(4.0)
    head = {"kernel": 0 * params["head"]["kernel"], "bias": patch}
    out = model.apply({"params": {**params, "head": head}}, **inputs, train=False)
    assert out.shape == (2, 2, 8, 8, 1)
    np.testing.assert_array_equal(out[1, 1, ..., 0], np.tile(patch.reshape(2, 2), (4, 4)))


def test_a_shift_of_the_frames_shifts_what_is_foretold():
    """By whole patches, of what is away from the edges: frames empty but for their middle."""
    model, params, _, _ = tiny(conv_lstm, 0.1)
    params = {**params, "head": {**params["head"], "bias": 0 * params["head"]["bias"]}}
    spot = jax.random.uniform(jax.random.key(0), (1, 1, 2, 2, 1))
    frames = jnp.pad(spot, ((0, 0), (0, 0), (20, 20), (20, 20), (0, 0)))
    forecast = [
        model.apply({"params": params}, jnp.roll(frames, (2 * n, 4 * n), (2, 3)), train=False)
        for n in (0, 1)
    ]
    moved = jnp.roll(forecast[0], (2, 4), (2, 3))
    # Two layers that read one frame and two of two steps reach 6 patches of 21; the rest is the edges'.
    middle = (slice(None), slice(None), slice(14, 30), slice(14, 30))
    np.testing.assert_allclose(forecast[1][middle], moved[middle], rtol=1e-4, atol=1e-6)
