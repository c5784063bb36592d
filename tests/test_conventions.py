"""Layers' conventions of docs/CONVENTIONS.md, each against values that torch, timm or Keras gave
(tests/parity/conventions.py), and against the other convention, from which it must differ.
"""

import re
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from conventions import ROUNDING, THERE, another, last, relative, same
from parity.convention_cases import draw

from dljax.nn import Conv, ConvTranspose, DepthwiseConv, batch_norm, cells, neighborhood_mean
from dljax.nn.recurrent import Recurrent
from dljax.weights import layers, to_variables


def state(name: str, **shapes: tuple[int, ...]) -> dict[str, np.ndarray]:
    """torch's state_dict of a layer, "there.weight" and so on."""
    return {f"there.{key}": draw(f"{name}.{key}", *shape) for key, shape in shapes.items()}


def params(entries, arrays) -> dict:
    """The parameters of a layer called "here"."""
    here = to_variables(entries, arrays)["params"]["here"]
    return {"params": jax.tree.map(jnp.asarray, here)}


X = jnp.asarray(last(draw("conv.x", 1, 2, 6, 6)))
KERAS_X = jnp.asarray(
    draw("conv.x", 1, 6, 6, 2)
)  # the same numbers in the order that Keras was given them


def test_kernel_of_convolution():
    arrays = state("conv", weight=(3, 2, 3, 3), bias=(3,))
    layer = Conv(3, (3, 3), (2, 2), padding=1)
    here = params(layers.conv("here", "there"), arrays)
    assert here["params"]["kernel"].shape == (3, 3, 2, 3)
    same(layer.apply(here, X), "conv torch", last)


def test_padding_of_strided_convolution():
    kernel, bias = jnp.asarray(draw("conv.kernel", 3, 3, 2, 3)), jnp.asarray(draw("conv.b", 3))
    here = {"params": {"kernel": kernel, "bias": bias}}
    same(Conv(3, (3, 3), (2, 2)).apply(here, KERAS_X), "conv keras")
    another(Conv(3, (3, 3), (2, 2), padding=1).apply(here, KERAS_X), "conv keras")
    torch = params(layers.conv("here", "there"), state("conv", weight=(3, 2, 3, 3), bias=(3,)))
    another(Conv(3, (3, 3), (2, 2)).apply(torch, X), "conv torch", last)


def test_kernel_of_depthwise_convolution():
    here = params(layers.depthwise("here", "there"), state("dw", weight=(2, 1, 3, 3)))
    same(DepthwiseConv(padding=1).apply(here, X), "depthwise torch", last)
    kernel = draw("dw.kernel", 3, 3, 2, 1).transpose(0, 1, 3, 2)
    same(DepthwiseConv().apply({"params": {"kernel": kernel}}, KERAS_X), "depthwise keras")


def test_kernel_of_transposed_convolution():
    x = jnp.asarray(last(draw("up.x", 1, 2, 3, 3)))
    kernel, bias = draw("up4.weight", 2, 3, 4, 4).transpose(2, 3, 0, 1), draw("up4.bias", 3)
    layer = ConvTranspose(3, (4, 4), 2)
    here = {"kernel": kernel[::-1, ::-1], "bias": bias}
    same(layer.apply({"params": here}, x), "transposed 4 torch", last)
    another(layer.apply({"params": {**here, "kernel": kernel}}, x), "transposed 4 torch", last)


def test_padding_of_transposed_convolution():
    x = jnp.asarray(last(draw("up.x", 1, 2, 3, 3)))
    kernel = draw("up3.weight", 2, 3, 3, 3).transpose(2, 3, 0, 1)[::-1, ::-1]
    here = {"params": {"kernel": kernel, "bias": draw("up3.bias", 3)}}
    torch = ConvTranspose(3, (3, 3), 2, ((1, 2), (1, 2)))
    same(torch.apply(here, x), "transposed 3 torch", last)
    another(ConvTranspose(3, (3, 3), 2).apply(here, x), "transposed 3 torch", last)
    kernel = draw("up3.kernel", 3, 3, 3, 2).transpose(0, 1, 3, 2)[::-1, ::-1]
    layer = ConvTranspose(3, (3, 3), 2, use_bias=False)
    same(layer.apply({"params": {"kernel": kernel}}, KERAS_X), "transposed 3 keras")


def test_kernel_of_linear_layer():
    here = params(layers.dense("here", "there"), state("dense", weight=(3, 4), bias=(3,)))
    same(nn.Dense(3).apply(here, draw("dense.x", 2, 4)), "dense torch")
    here = {"params": {"kernel": draw("dense.kernel", 4, 3), "bias": draw("dense.b", 3)}}
    same(nn.Dense(3).apply(here, draw("dense.x", 2, 4)), "dense keras")


def test_order_of_flattened_maps():
    conv = params(layers.conv("here", "there"), state("flat", weight=(3, 2, 3, 3), bias=(3,)))
    maps = Conv(3, (3, 3), padding="VALID").apply(conv, X).reshape(1, -1)
    arrays = state("flat.head", weight=(5, 48), bias=(5,))
    head = params(layers.flattened("here", "there", 3), arrays)
    same(nn.Dense(5).apply(head, maps), "flatten torch")
    another(nn.Dense(5).apply(params(layers.dense("here", "there"), arrays), maps), "flatten torch")


def test_epsilon_of_batch_norm():
    x = 0.05 * X

    def normed(**options):
        return batch_norm(train=True, **options).init_with_output(jax.random.key(0), x)[0]

    same(normed(), "batch norm torch", last)
    same(normed(epsilon=1e-3), "batch norm keras")
    another(normed(), "batch norm keras")


def moved(**options) -> dict[str, np.ndarray]:
    """The moving averages after one batch."""
    layer = batch_norm(train=True, **options)
    fresh = layer.init(jax.random.key(0), X)
    return layer.apply(fresh, X, mutable=["batch_stats"])[1]["batch_stats"]


def test_momentum_of_batch_norm():
    same(moved()["mean"], "batch norm moved torch", lambda x: x[0])
    same(moved(momentum=0.99)["mean"], "batch norm moved keras", lambda x: x[0])
    another(moved()["mean"], "batch norm moved keras", lambda x: x[0])


def test_variance_of_batch_norm():
    """Of 36 values; what has been added to 0.9 of the first variance, 1, is compared."""
    same(moved(momentum=0.99)["var"], "batch norm moved keras", lambda x: x[1])
    biased = moved()["var"] - 0.9
    same(biased * 36 / 35, "batch norm moved torch", lambda x: x[1] - 0.9)
    another(biased, "batch norm moved torch", lambda x: x[1] - 0.9)


def test_epsilon_of_layer_norm():
    x = 0.01 * draw("norm.x", 3, 8)

    def normed(**options):
        return nn.LayerNorm(**options).init_with_output(jax.random.key(0), x)[0]

    same(normed(), "layer norm timm")
    same(normed(epsilon=1e-5), "layer norm torch")
    same(normed(epsilon=1e-3), "layer norm keras")
    another(normed(), "layer norm torch")


def test_epsilon_of_group_norm():
    x = last(0.01 * draw("group.x", 1, 4, 2, 2))

    def normed(**options):
        return nn.GroupNorm(2, **options).init_with_output(jax.random.key(0), x)[0]

    same(normed(epsilon=1e-5), "group norm torch", last)
    same(normed(epsilon=1e-3), "group norm keras")
    another(normed(), "group norm torch", last)


def test_padding_of_max_pool():
    torch = nn.max_pool(X, (3, 3), (2, 2), ((1, 1), (1, 1)))
    same(torch, "max pool torch", last)
    same(nn.max_pool(KERAS_X, (3, 3), (2, 2), "SAME"), "max pool keras")
    another(nn.max_pool(X, (3, 3), (2, 2), "SAME"), "max pool torch", last)


def test_ceil_mode_of_pooling():
    torch = nn.max_pool(X, (3, 3), (2, 2), ((0, 1), (0, 1)))
    same(torch, "max pool ceil torch", last)
    assert nn.max_pool(X, (3, 3), (2, 2)).shape == (1, 2, 2, 2) != torch.shape


def test_padding_in_average_pool():
    counted = nn.avg_pool(X, (3, 3), padding="SAME")
    same(counted, "average pool torch", last)
    same(neighborhood_mean(KERAS_X), "average pool keras")
    another(neighborhood_mean(X), "average pool torch", last)


def resized(size: int, method: str, **options) -> jax.Array:
    return jax.image.resize(X, (1, size, size, 2), method, **options)


def test_antialias_of_resizing():
    same(resized(4, "bilinear"), "bilinear 4 antialias torch", last)
    same(resized(4, "bilinear", antialias=False), "bilinear 4 torch", last)
    another(resized(4, "bilinear"), "bilinear 4 torch", last)
    same(resized(9, "bilinear"), "bilinear 9 torch", last)


def test_corners_of_resizing():
    scale = jnp.full(2, (9 - 1) / (6 - 1))
    move = 0.5 - 0.5 * scale  # the middle of the first pixel stays there
    found = jax.image.scale_and_translate(X, (1, 9, 9, 2), (1, 2), scale, move, "bilinear")
    # Beyond the last pixel by rounding, its neighbors' weights are left out.
    same(found, "bilinear 9 corners torch", last)
    another(resized(9, "bilinear"), "bilinear 9 corners torch", last)


def test_kernel_of_bicubic_resizing():
    for size in (4, 9):
        same(resized(size, "bicubic"), f"bicubic {size} antialias torch", last)
    another(resized(9, "bicubic"), "bicubic 9 torch", last)


def test_nearest_pixel_of_resizing():
    same(resized(4, "nearest"), "nearest 4 exact torch", last)
    another(resized(4, "nearest"), "nearest 4 torch", last)
    rows = np.arange(4) * 6 // 4
    same(X[:, rows][:, :, rows], "nearest 4 torch", last)


def test_gelu():
    x = draw("gelu.x", 8)
    same(jax.nn.gelu(x, approximate=False), "gelu torch")
    same(jax.nn.gelu(x, approximate=False), "gelu keras")
    same(jax.nn.gelu(x), "gelu tanh torch")
    # The two forms are near to each other: 5e-4 at most.
    assert relative(jax.nn.gelu(x), THERE["gelu torch"]) > 10 * ROUNDING


def test_slope_of_leaky_relu():
    x = draw("gelu.x", 8)
    same(jax.nn.leaky_relu(x), "leaky torch")
    same(jax.nn.leaky_relu(x, 0.3), "leaky keras")
    another(jax.nn.leaky_relu(x), "leaky keras")


def test_standard_deviation():
    x = draw("gelu.x", 8)
    same(np.std(x, ddof=1), "deviation torch")
    another(jnp.std(x), "deviation torch")


def gated(cell: nn.RNNCellBase, here: dict[str, tuple]) -> jax.Array:
    """The outputs of a cell over time; here: name -> kernel, or kernel and bias."""
    named = {k: dict(zip(("kernel", "bias"), v, strict=False)) for k, v in here.items()}
    return nn.RNN(cell).apply({"params": {"cell": named}}, draw("rnn.x", 2, 5, 3))


def test_gates_of_lstm():
    arrays = [draw(f"lstm.{name}_l0", 16, n) for name, n in (("weight_ih", 3), ("weight_hh", 4))]
    bias = draw("lstm.bias_ih_l0", 16) + draw("lstm.bias_hh_l0", 16)
    keras = [draw(f"keras lstm.{n}", w, 16) for n, w in (("kernel", 3), ("recurrent", 4))]
    for name, w_x, w_h, b in (
        ("lstm torch", *(x.T for x in arrays), bias),
        ("lstm keras", *keras, draw("keras lstm.bias", 16)),
    ):
        parts = [np.split(x, 4, -1) for x in (w_x, w_h, b)]
        here = {f"i{g}": (w,) for g, w in zip("ifgo", parts[0], strict=True)}
        here |= {f"h{g}": both for g, *both in zip("ifgo", *parts[1:], strict=True)}
        same(gated(nn.OptimizedLSTMCell(4), here), name)
    np.testing.assert_array_equal(THERE["lstm fresh bias keras"], [0] * 4 + [1] * 4 + [0] * 8)


def test_biases_of_gru():
    torch = [draw(f"gru.{n}_l0", 12, m).T for n, m in (("weight_ih", 3), ("weight_hh", 4))]
    torch += [draw(f"gru.bias_{n}_l0", 12) for n in ("ih", "hh")]
    keras = [draw(f"keras gru.{n}", m, 12) for n, m in (("kernel", 3), ("recurrent", 4))]
    keras += [*draw("keras gru.bias", 2, 12)]
    for name, order, arrays in (("gru torch", "rzn", torch), ("gru keras", "zrn", keras)):
        w_x, w_h, b_x, b_h = (dict(zip(order, np.split(x, 3, -1), strict=True)) for x in arrays)
        here = {f"i{g}": (w_x[g], b_x[g] + (g != "n") * b_h[g]) for g in order}
        here |= {"hr": (w_h["r"],), "hz": (w_h["z"],), "hn": (w_h["n"], b_h["n"])}
        same(gated(nn.GRUCell(4), here), name)
        here["in"], here["hn"] = (w_x["n"], b_x["n"] + b_h["n"]), (w_h["n"], 0 * b_h["n"])
        another(gated(nn.GRUCell(4), here), name)
        ours = {
            weight: np.concatenate([x[g] for g in "rzn"], -1)
            for weight, x in (("w_x", w_x), ("w_h", w_h), ("bias", b_x), ("bias_h", b_h))
        }
        layer = Recurrent(4, cells.GRU)
        same(layer.apply({"params": ours}, jnp.asarray(draw("rnn.x", 2, 5, 3)))[0], name)


def test_heads_of_attention():
    w, b = draw("mha.in_proj_weight", 24, 8), draw("mha.in_proj_bias", 24)
    here = {
        name: {"kernel": kernel.T.reshape(8, 2, 4), "bias": bias.reshape(2, 4)}
        for name, kernel, bias in zip(
            ("query", "key", "value"), np.split(w, 3), np.split(b, 3), strict=True
        )
    }
    out = draw("mha.out_proj.weight", 8, 8).T.reshape(2, 4, 8)
    here["out"] = {"kernel": out, "bias": draw("mha.out_proj.bias", 8)}
    layer = nn.MultiHeadDotProductAttention(2)
    same(layer.apply({"params": here}, draw("mha.x", 2, 5, 8)), "attention torch")
    shapes = [(8, 2, 4), (2, 4)] * 3 + [(2, 4, 8), (8,)]
    arrays = [draw(f"keras mha {i}", *shape) for i, shape in enumerate(shapes)]
    pairs = [dict(zip(("kernel", "bias"), arrays[i : i + 2], strict=True)) for i in (0, 2, 4, 6)]
    here = dict(zip(("query", "key", "value", "out"), pairs, strict=True))
    same(layer.apply({"params": here}, draw("mha.x", 2, 5, 8)), "attention keras")


def test_every_line_of_the_page_has_its_test():
    page = (Path(__file__).parents[1] / "docs" / "CONVENTIONS.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| **")]
    named = [re.findall(r"`(test_\w+)`", row) for row in rows]
    assert all(len(names) == 1 for names in named), rows
    files = sorted(Path(__file__).parent.glob("test_conventions*.py"))
    here = [
        name for file in files for name in re.findall(r"^def (test_\w+)", file.read_text(), re.M)
    ]
    here.remove("test_every_line_of_the_page_has_its_test")
    assert len(files) == 2 and sorted(name for (name,) in named) == sorted(here)
