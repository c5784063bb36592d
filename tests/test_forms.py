"""The forms of dljax.nn are XLA's own layers: values, derivatives of any kind, on one device and eight."""

import re
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import NamedSharding, PartitionSpec

from dljax.nn import Conv, ConvTranspose, dense, first_maximum, forms, max_pool
from dljax.nn.conv import as_matmul, conv
from dljax.nn.dense import rows_dot
from dljax.nn.depthwise import DepthwiseConv, depthwise
from dljax.nn.few_channels import batch_last, few_channels
from dljax.nn.pool import tiles_max, windows_max
from dljax.nn.strided import strided, strided_transposed
from dljax.nn.transposed import one_to_many, phases
from dljax.nn.winograd import winograd

LAYOUT = ("NHWC", "HWIO", "NHWC")
SAME, VALID, UNEVEN = ((1, 1), (1, 1)), ((0, 0), (0, 0)), ((0, 3), (2, 1))


def xla(x, kernel, padding, strides=(1, 1)):
    return lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=LAYOUT)


def of_conv(form, image, kernel, padding, strides=(1, 1)):
    plain = partial(xla, padding=padding, strides=strides)
    return partial(form, padding=padding), plain, ((8, *image), kernel)


def of_depthwise(image, kernel, padding, strides=(1, 1), images=8):
    layout = {"dimension_numbers": LAYOUT, "feature_group_count": image[-1]}
    plain = partial(lax.conv_general_dilated, window_strides=strides, padding=padding, **layout)
    form = partial(depthwise, padding=padding, strides=strides)
    return form, plain, ((images, *image), (*kernel, 1, image[-1]))


def of_transposed(form, image, kernel, stride, padding):
    def plain(x, kernel):
        return lax.conv_transpose(x, kernel, (stride, stride), padding)

    return form, plain, ((8, *image), kernel)


def of_pool(form, image, window, stride=None):
    def plain(x):
        return nn.max_pool(x, (window, window), (stride or window,) * 2)

    return form, plain, ((8, *image),)


def last_axes(x, kernel):
    return rows_dot(x, kernel, (((x.ndim - 1,), (0,)), ((), ())))


four, two = partial(winograd, m=4), partial(winograd, m=2)
strided_four, strided_two = partial(strided, m=4), partial(strided, m=2)
up_four = partial(strided_transposed, m=4)
# (form, XLA's own, shapes of the inputs)
FORMS = {
    "F(4, 3)": of_conv(four, (8, 8, 5), (3, 3, 5, 4), SAME),
    "F(4, 3), no whole tiles": of_conv(four, (7, 10, 3), (3, 3, 3, 4), VALID),
    "F(4, 3), uneven padding": of_conv(four, (5, 4, 3), (3, 3, 3, 2), UNEVEN),
    "F(2, 3)": of_conv(two, (4, 4, 5), (3, 3, 5, 4), SAME),
    "F(2, 3), no whole tiles": of_conv(two, (7, 3, 3), (3, 3, 3, 4), VALID),
    "F(2, 5)": of_conv(two, (7, 8, 3), (5, 5, 3, 4), ((2, 2), (2, 2))),
    "F(2, 5), uneven padding": of_conv(two, (6, 9, 3), (5, 5, 3, 2), UNEVEN),
    "F(4, 2)": of_conv(four, (7, 8, 5), (2, 2, 5, 4), SAME),
    "F(2, 2)": of_conv(two, (5, 6, 3), (2, 2, 3, 4), SAME),
    "4x4 stride 2": of_conv(strided_four, (8, 6, 3), (4, 4, 3, 5), SAME, (2, 2)),
    "4x4 stride 2, odd sides": of_conv(strided_two, (7, 9, 3), (4, 4, 3, 5), SAME, (2, 2)),
    "4x4 stride 2, uneven padding": of_conv(strided_four, (6, 9, 3), (4, 4, 3, 5), UNEVEN, (2, 2)),
    "4x4 stride 2 transposed": of_transposed(up_four, (5, 4, 3), (4, 4, 3, 5), 2, "SAME"),
    "the same, one pixel": of_transposed(up_four, (1, 1, 3), (4, 4, 3, 5), 2, "SAME"),
    "phases": of_transposed(phases, (5, 4, 3), (4, 4, 3, 5), 2, "SAME"),
    "phases, one pixel": of_transposed(phases, (1, 1, 3), (4, 4, 3, 5), 2, "SAME"),
    "kernel = stride = 2": of_transposed(one_to_many, (6, 5, 3), (2, 2, 3, 5), 2, "SAME"),
    "kernel = stride = 3": of_transposed(one_to_many, (3, 4, 3), (3, 3, 3, 5), 3, "VALID"),
    "from one pixel": of_transposed(one_to_many, (1, 1, 3), (4, 4, 3, 5), 1, "VALID"),
    "few channels": of_conv(few_channels, (12, 11, 1), (5, 5, 1, 6), ((2, 2), (2, 2))),
    "few channels, no padding": of_conv(few_channels, (9, 7, 6), (5, 4, 6, 7), VALID),
    "few channels, uneven padding": of_conv(few_channels, (6, 5, 3), (2, 2, 3, 4), UNEVEN),
    "gray": of_conv(as_matmul, (9, 7, 1), (3, 3, 1, 8), UNEVEN),
    "3x3 stride 2": of_conv(
        partial(as_matmul, strides=(2, 2)), (9, 8, 3), (3, 3, 3, 4), SAME, (2, 2)
    ),
    "over time": of_conv(as_matmul, (9, 1, 5), (4, 1, 5, 3), ((3, 3), (0, 0))),
    "1x1": of_conv(as_matmul, (6, 5, 3), (1, 1, 3, 4), VALID),
    "depthwise": of_depthwise((6, 7, 5), (3, 3), SAME),
    "depthwise, two groups of images": of_depthwise((5, 4, 3), (3, 3), SAME, images=16),
    "depthwise, 7x7": of_depthwise((7, 6, 3), (7, 7), ((3, 3), (3, 3))),
    "depthwise, stride 2": of_depthwise((7, 6, 5), (3, 3), UNEVEN, (2, 2)),
    "depthwise, no padding": of_depthwise((6, 6, 3), (5, 2), VALID, (1, 2)),
    "dense": (last_axes, jnp.matmul, ((8, 3, 5), (5, 4))),
    "pool": of_pool(partial(tiles_max, window=2), (6, 8, 3), 2),
    "pool, no whole tiles": of_pool(partial(tiles_max, window=3), (10, 7, 3), 3),
    "pool, overlapping": of_pool(partial(windows_max, window=3, stride=2), (8, 9, 3), 3, 2),
    "pool, stride 1": of_pool(partial(windows_max, window=3, stride=1), (5, 6, 3), 3, 1),
    "pool, gaps": of_pool(partial(windows_max, window=2, stride=3), (8, 10, 3), 2, 3),
    "pool batch last": of_pool(lambda x: batch_last(partial(tiles_max, window=2), x), (7, 5, 3), 2),
}


def weights(x, function=jnp.cos):
    return function(jnp.arange(x.size, dtype=x.dtype)).reshape(x.shape)


def everything(f, *inputs):
    """The value, the gradients, the derivative along a direction, and the gradients' gradients."""

    def gradients(*inputs):
        out, pull = jax.vjp(f, *inputs)
        return pull(weights(out))

    def along(*inputs):
        found = gradients(*inputs)
        return sum(jnp.vdot(weights(g, jnp.sin), g) for g in found)

    directions = tuple(weights(x, jnp.sin) for x in inputs)
    out, derivative = jax.jvp(f, inputs, directions)
    second = jax.grad(along, argnums=tuple(range(len(inputs))))(*inputs)
    return out, gradients(*inputs), derivative, second


pytestmark = pytest.mark.usefixtures("fast_forms")
ONE_OF_A_KIND = [
    name for name in FORMS if "," not in name or name.count(",") == 1 and name[0] == "F"
]


@pytest.fixture(scope="module", params=FORMS)
def case(request):
    form, plain, shapes = FORMS[request.param]
    rng = np.random.default_rng(0)
    inputs = [jnp.asarray(rng.uniform(-1, 1, shape), jnp.float32) for shape in shapes]
    if len(inputs) == 1:
        # The values of a window lie apart: of equal ones alone the gradients of a maximum may differ.
        _, i, j, _ = np.indices(shapes[0])
        inputs = [inputs[0] / 32 + (3 * (i % 3) + j % 3) / 4]
    return form, plain, inputs, jax.jit(partial(everything, plain))(*inputs)


def close(ours, theirs, times=1):
    """Sums of at most some hundred float32 products of order 1, of which F(4, 3) makes some that are
    ten times as large: an error of about sqrt(300) x 10 x 6e-8 of the largest value."""

    def one(a, b):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, atol=times * 1e-5 * float(jnp.abs(b).max()) + 1e-9)

    jax.tree.map(one, ours, theirs)


def test_form_is_xlas_layer(case):
    form, _, inputs, (*wanted, second) = case
    *found, second_found = jax.jit(partial(everything, form))(*inputs)
    close(found, wanted)
    close(second_found, second, times=2)  # of the errors of a gradient of a gradient


@pytest.mark.parametrize("case", ONE_OF_A_KIND, indirect=True)
def test_form_on_eight_devices(case):
    """Rows stay where they are: nothing is gathered on the way forward, but where the batch is last."""
    form, _, inputs, (out, gradients, *_) = case
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    split, whole = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in (("data",), ()))
    placed = [jax.device_put(x, whole if i else split) for i, x in enumerate(inputs)]

    @jax.jit
    def pulled(*inputs):
        out, pull = jax.vjp(form, *inputs)
        return out, pull(weights(out))

    close(pulled(*placed), (out, gradients))
    if getattr(form, "func", None) is few_channels:
        return
    forward = jax.jit(form, out_shardings=split).lower(*placed).compile().as_text()
    assert "all-gather" not in forward and "all-to-all" not in forward


@pytest.mark.parametrize("case", ONE_OF_A_KIND, indirect=True)
def test_form_under_vmap_and_checkpoint(case):
    form, plain, inputs, _ = case
    several = [jnp.stack([x, -x[::-1]]) for x in inputs]

    def pulled(f, *inputs):
        out, pull = jax.vjp(f, *inputs)
        return out, pull(weights(out))

    both = [jax.jit(jax.vmap(partial(pulled, f))) for f in (jax.checkpoint(form), plain)]
    close(both[0](*several), both[1](*several))


@pytest.mark.parametrize("case", ONE_OF_A_KIND, indirect=True)
def test_form_in_bfloat16(case):
    """The value and gradients are float32's, rounded: 8 bits, and a few for the inputs'."""
    form, plain, inputs, _ = case
    low = [x.astype(jnp.bfloat16) for x in inputs]

    def pulled(f, *inputs):
        out, pull = jax.vjp(f, *inputs)
        return out, pull(weights(out, lambda x: jnp.cos(x.astype(jnp.float32)).astype(x.dtype)))

    ours = jax.jit(partial(pulled, form))(*low)
    theirs = jax.jit(partial(pulled, plain))(*(x.astype(jnp.float32) for x in low))
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert a.dtype == jnp.bfloat16
        np.testing.assert_allclose(a.astype("f4"), b, atol=2**-6 * float(jnp.abs(b).max()))


def test_what_is_chosen_by_shape(monkeypatch):
    image, kernel = (32, 16, 16, 64), (3, 3, 64, 64)
    assert forms.of_conv(image, kernel) == "winograd 4"
    assert forms.of_conv((32, 4, 4, 64), kernel) == "winograd 2"
    assert forms.of_conv((8, 28, 28, 1), (5, 5, 1, 6)) == "few channels"
    assert forms.of_conv((8, 28, 28, 1), (3, 3, 1, 32)) == "matmul"
    assert forms.of_conv(image, kernel, (2, 2)) == "matmul"
    assert forms.of_conv(image, (5, 5, 64, 64)) == "winograd 2"
    assert forms.of_conv(image, (5, 5, 32, 32)) == "xla"
    assert forms.of_conv((1, 27, 27, 64), (5, 5, 64, 192)) == "xla"
    assert forms.of_conv((50, 37, 1, 300), (4, 1, 300, 100)) == "matmul"
    assert forms.of_conv(image, (4, 4, 64, 64), (2, 2)) == "strided 4"
    assert forms.of_conv((32, 8, 8, 64), (4, 4, 64, 64), (2, 2)) == "strided 2"
    assert forms.of_transposed(image, (4, 4, 64, 64), 2, "SAME") == "strided 4"
    # For one image a large kernel is not transformed.
    assert forms.of_conv((1, 8, 8, 256), (3, 3, 256, 256)) == "matmul"
    assert forms.of_conv((1, 32, 32, 64), (4, 4, 64, 64), (2, 2)) == "matmul"
    assert forms.of_transposed((1, 16, 16, 64), (4, 4, 64, 64), 2, "SAME") == "phases"
    side_by_side = {"window": 2, "stride": 2, "padding": VALID}
    assert forms.of_pool(image, **side_by_side) == "tiles"
    assert forms.of_pool((8, 28, 28, 6), **side_by_side) == "batch last"
    assert forms.of_pool(image, 3, 2, SAME) == forms.of_pool(image, 3, 3, SAME) == "windows"
    monkeypatch.setenv("DLJAX_PLAIN", "1")
    chosen = [forms.of_conv(image, kernel), forms.of_pool(image, 2, 2, VALID), forms.of_argmax()]
    chosen += [forms.of_transposed(image, (2, 2, 64, 64), 2, "SAME"), forms.of_dense((8, 3, 5))]
    assert set(chosen) == {"xla"}


def test_dljax_plain_takes_every_form_out(monkeypatch, key):
    """Among the operations are XLA's own convolutions and windows then, and none otherwise."""

    def operations():
        def net(x, k3, k4):
            x = max_pool(conv(x, k3, SAME))
            x = conv(x, k4, SAME, (2, 2))
            return first_maximum(ConvTranspose(32, (4, 4), 2).apply({"params": up}, x))

        up = {"kernel": jnp.zeros((4, 4, 32, 32)), "bias": jnp.zeros(32)}
        shapes = [(2, 64, 64, 32), (3, 3, 32, 32), (4, 4, 32, 32)]
        text = str(jax.make_jaxpr(net)(*(jnp.zeros(shape) for shape in shapes)))
        names = ("conv_general_dilated", "reduce_window_max", "argmax")
        return [len(re.findall(rf"= {name}\[", text)) for name in names]

    assert operations() == [0, 0, 0]
    with forms.all_plain():
        assert operations() == [3, 1, 1]
    assert operations() == [0, 0, 0]
    monkeypatch.setenv("DLJAX_PLAIN", "1")
    assert operations() == [3, 1, 1]


@pytest.mark.parametrize(
    "channels, features, size, strides, padding",
    [
        (1, 32, (5, 5), (1, 1), "SAME"),
        (1, 8, (4, 2), (1, 1), "SAME"),
        (6, 16, (5, 5), (1, 1), "VALID"),
        (32, 32, (3, 3), (1, 1), "SAME"),
        (32, 32, (3, 3), (1, 1), "VALID"),
        (3, 32, (3, 3), (1, 1), ((2, 2), (2, 2))),
        (32, 32, (4, 4), (2, 2), 1),
        (32, 32, (4, 4), (2, 2), "SAME"),
        (32, 32, (4, 4), (2, 2), "VALID"),
        (3, 32, (3, 3), (2, 2), "SAME"),
        (3, 32, (1, 1), (2, 2), "VALID"),
        (3, 32, (7, 3), (3, 1), "SAME"),
        (1, 32, (4, 4), (2, 2), 1),
        (32, 32, (3, 3), (1, 1), ((-2, 1), (0, -1))),
        (16, 32, (3, 3), (2, 2), "SAME"),
        (3, 32, (3, 3), (1, 2), "SAME"),
        (32, 32, (3, 3), (1, 1), ((-1, 0), (0, 0))),
    ],
)
def test_conv_is_flax_layer(channels, features, size, strides, padding, key):
    x = jax.random.normal(key, (2, 12, 11, channels))
    same_layer(
        Conv(features, size, strides, padding=padding),
        nn.Conv(features, size, strides, padding=padding),
        x,
    )


@pytest.mark.parametrize("images", [12, 7])
@pytest.mark.parametrize("padding", ["SAME", "VALID", 1, ((0, 1), (2, 0))])
def test_depthwise_is_flax_layer(images, padding, key):
    """With one group for each channel."""
    same_layer(
        DepthwiseConv((3, 3), (2, 1), padding, use_bias=True),
        nn.Conv(4, (3, 3), (2, 1), padding, feature_group_count=4),
        jax.random.normal(key, (images, 7, 6, 4)),
    )


@pytest.mark.parametrize(
    "shape, size, stride, padding",
    [
        ((6, 5, 3), 2, 2, "SAME"),
        ((3, 4, 3), 3, 3, "VALID"),
        ((7, 4, 3), 4, 2, "SAME"),
        ((7, 4, 32), 4, 2, "SAME"),
        ((7, 4, 32), 4, 2, "VALID"),
        ((1, 1, 3), (2, 4), 3, "VALID"),
        ((1, 1, 3), 4, 1, "VALID"),
        ((5, 6, 3), 3, 2, "SAME"),
        ((7, 6, 32), 3, 2, "SAME"),
        ((5, 6, 3), 3, 2, ((1, 2), (1, 2))),
        ((7, 6, 32), 3, 2, ((1, 2), (1, 2))),
        ((1, 1, 3), 2, 4, "VALID"),
    ],
)
def test_conv_transpose_is_flax_layer(shape, size, stride, padding, key):
    x = jax.random.normal(key, (2, *shape))
    size = size if isinstance(size, tuple) else (size, size)
    same_layer(
        ConvTranspose(16, size, stride, padding),
        nn.ConvTranspose(16, size, (stride, stride), padding),
        x,
    )


@pytest.mark.parametrize("shape", [(6, 5), (2, 3, 5), (2, 3, 2, 5)])
def test_dense_is_flax_layer(shape, key):
    same_layer(dense(7), nn.Dense(7), jax.random.normal(key, shape))


def same_layer(ours, theirs, x):
    """The same names and draws of parameters, the same values."""
    mine, variables = (jax.jit(layer.init)(jax.random.key(1), x) for layer in (ours, theirs))
    jax.tree.map(np.testing.assert_array_equal, mine, variables)
    variables = jax.tree.map(lambda p: p + 0.1, variables)  # biases begin at zero

    def found(layer):
        def loss(variables, x):
            out = layer.apply(variables, x)
            return jnp.sum(weights(out) * out), out

        return jax.jit(jax.grad(loss, (0, 1), has_aux=True))(variables, x)

    close(*map(found, (ours, theirs)))
    low = jax.tree.map(lambda p: p.astype(jnp.bfloat16), (variables, x))
    assert jax.eval_shape(ours.apply, *low).dtype == jnp.bfloat16


def test_transposed_torch_geometry_by_hand():
    """One pixel of value 1 through k4 s2 p1 shows the kernel's middle, as in torch (flipped)."""
    kernel = jnp.arange(16.0).reshape(4, 4, 1, 1)
    out = ConvTranspose(1, (4, 4), 2, use_bias=False).apply(
        {"params": {"kernel": kernel}}, jnp.ones((1, 1, 1, 1))
    )
    np.testing.assert_array_equal(out[0, :, :, 0], [[10, 9], [6, 5]])


@pytest.mark.parametrize(
    "row, place",
    [([1, 3, 2], 1), ([2, 3, 3], 1), ([3, 3, 3], 0), ([-np.inf] * 3, 0), ([1, np.nan, 2], 3)],
)
def test_first_maximum(row, place):
    """As ``argmax``, but that a NaN is at no place."""
    found = first_maximum(jnp.array([row, [0, 0, 9]], jnp.float32))
    assert (found.dtype, list(found)) == (jnp.int32, [place, 2])
    if place < 3:
        assert np.argmax(row) == place
