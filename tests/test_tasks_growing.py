"""Growing networks: their layers by hand, the fade as a function of the step, and a kill in its middle."""

from dataclasses import replace
from functools import cache

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.io import savemat
from toy import PROFILE

from dljax import Arrays, Experiment, Phase, Pipeline, axes, learn
from dljax.data.datasets import olivetti
from dljax.data.resolution import averaged
from dljax.errors import UserError
from dljax.nn import EqualizedConv, EqualizedDense, doubled, faded, halved, minibatch_deviation
from dljax.runtime.loop import run
from dljax.tasks.adversarial import adversarial, wasserstein
from dljax.tasks.growing import fading, grown


@pytest.mark.parametrize(
    "layer, shape, scale",
    [
        (EqualizedConv(2), (1, 3, 3, 512), 0.0208333),
        (EqualizedConv(2, (1, 1), 1.0), (1, 3, 3, 4), 0.5),
        (EqualizedDense(2), (1, 8), 0.5),
        (EqualizedDense(2, 1.0, use_bias=False), (1, 9), 1 / 3),
    ],
)
def test_equalized_layers_scale_what_they_do_and_their_gradient(layer, shape, scale, key):
    """Of ones alone, so the middle is their number times the scale; the kernel itself is N(0, 1)."""
    x = jnp.ones(shape)
    params = layer.init(key, x)["params"]
    kernel = params["kernel"]
    if kernel.size > 1000:
        # Of 9,216 draws: five standard errors.
        np.testing.assert_allclose([kernel.mean(), kernel.std()], [0, 1], atol=0.05)

    def middle(kernel):
        out = layer.apply({"params": {**params, "kernel": kernel}}, x)
        return out[0, 1, 1, 0] if out.ndim == 4 else out[0, 0]

    value, gradient = jax.value_and_grad(middle)(jnp.ones_like(kernel))
    np.testing.assert_allclose(value, scale * kernel.size / 2, rtol=1e-4)
    np.testing.assert_allclose(gradient[..., 0], scale, rtol=1e-4)
    np.testing.assert_array_equal(gradient[..., 1], 0)


def test_the_minibatch_deviation_by_hand():
    """Of 0, 2, 0, 2 it is 1; of one thing alone sqrt(1e-8). Groups are the rows 0, 2, 4, 6 and 1, 3, 5, 7."""
    x = jnp.array([0.0, 2, 0, 2, 5, 5, 5, 5]).reshape(2, 4).T.reshape(8, 1, 1, 1)
    x = jnp.broadcast_to(x, (8, 2, 3, 4))
    out = minibatch_deviation(x)
    assert out.shape == (8, 2, 3, 5)
    np.testing.assert_array_equal(out[..., :4], x)
    expected = np.array([1, 1e-4] * 4)[:, None, None] * np.ones((2, 3))
    np.testing.assert_allclose(out[..., 4], expected, rtol=1e-6)
    # Six do not divide by four: threes, 0 0 3 and 1 1 1.
    six = minibatch_deviation(jnp.array([0.0, 1, 0, 1, 3, 1]).reshape(6, 1, 1, 1))[..., 1].ravel()
    np.testing.assert_allclose(six, np.array([np.sqrt(2), 1e-4] * 3), rtol=1e-6)


def test_the_minibatch_deviation_on_eight_devices(key):
    """One example on each: the values, and the gradient of a loss of the whole batch, are those of one device."""
    x, weight = jax.random.normal(key, (2, 8, 2, 2, 3))

    def loss(x, weight):
        out = minibatch_deviation(x)
        return jnp.sum(out[..., -1] ** 2 * weight[..., 0]), out

    (_, expected), gradient = jax.value_and_grad(loss, has_aux=True)(x, weight)
    parts = x[:, None], weight[:, None]
    step = jax.pmap(jax.value_and_grad(loss, has_aux=True), axis_name=axes.DEVICES)
    (_, out), found = step(*parts)
    # Rounding in float32.
    np.testing.assert_allclose(out[:, 0], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[:, 0], gradient, rtol=1e-5, atol=1e-6)


def test_images_double_and_halve():
    x = jnp.arange(4.0).reshape(1, 2, 2, 1)
    big = doubled(x)
    np.testing.assert_array_equal(
        big[0, ..., 0], [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]]
    )
    np.testing.assert_array_equal(halved(big), x)
    np.testing.assert_array_equal(halved(x), 1.5 * np.ones((1, 1, 1, 1)))
    for part, value in ((0.0, 2.0), (1.0, 4.0), (0.25, 2.5)):
        assert faded(jnp.array(2.0), jnp.array(4.0), part) == value


class Maker(nn.Module):
    """An image of ``side`` pixels of one gray, and the part."""

    side: int

    @nn.compact
    def __call__(self, noise, *, train: bool):
        self.variable("fade", "part", jnp.ones, ())
        gray = nn.Dense(1, name="old")(noise)
        if self.side > 2:
            gray = gray + nn.Dense(1, name="new")(noise)
        return jnp.broadcast_to(gray[:, None, None], (len(noise), self.side, self.side, 1))


class Judge(nn.Module):
    """The upper left pixel, times the part."""

    @nn.compact
    def __call__(self, image, *, train: bool):
        part = self.variable("fade", "part", jnp.ones, ())
        weight = self.param("weight", nn.initializers.ones, ())
        return weight * part.value * image[:, 0, 0, 0]


FADE = 8


@cache
def learner(side: int, steps: int, rate: float = 0.1):
    """One that is compiled once for all tests."""
    task = adversarial(Maker(side), Judge(), 3, game=wasserstein(drift=0.1))
    made = fading(learn(task, optax.adam(rate, b1=0.0), ema=0.9), steps)
    return made._replace(init=jax.jit(made.init), update=jax.jit(made.update))


def batch_of(side: int):
    """The upper left pixel is 4 and the rest 0, so that its block has the mean 1."""
    return {"image": jnp.zeros((2, side, side, 1)).at[:, 0, 0].set(4.0)}


@pytest.mark.parametrize("since, step, part", [(0, 0, 0), (0, 2, 0.25), (5, 9, 0.5), (5, 30, 1)])
def test_the_part_is_a_function_of_the_step_in_the_phase(since, step, part, key):
    """Both players read it, and a real pixel of 4 in a block of mean 1 comes in with it."""
    it = learner(4, FADE, 0.0)
    state = it.init(key, batch_of(4))
    extra = {**state.extra, "fade": {"since": jnp.int32(since)}}
    black = jax.tree.map(jnp.zeros_like, state.params["generator"])  # of which the judge says 0
    params = {**state.params, "generator": black}
    before = state._replace(step=jnp.int32(step), extra=extra, params=params)
    after, metrics = it.update(before, batch_of(4))
    for player in ("generator", "discriminator"):
        assert after.extra[player]["fade"]["part"] == part
    assert after.extra["fade"]["since"] == since and after.step == step + 1
    real = part * (1 + 3 * part)
    np.testing.assert_allclose(metrics["distance"], real, rtol=1e-6)
    np.testing.assert_allclose(metrics["discriminator/loss"], -real + 0.1 * real**2, rtol=1e-6)


def test_nothing_fades_over_no_steps(key):
    it = learner(2, 0, 0.0)
    after, _ = it.update(it.init(key, batch_of(2)), batch_of(2))
    assert after.extra["generator"]["fade"]["part"] == 1


def test_a_grown_state_keeps_what_it_learned(key):
    """The old layers and their average go on; new layers and the optimizers begin; the phase is remembered."""
    small, large = learner(2, 0), learner(4, FADE)
    before = small.init(key, batch_of(2))
    for _ in range(3):
        before, _ = small.update(before, batch_of(2))
    fresh = large.init(jax.random.key(1), batch_of(4))
    state = grown(before, fresh)
    assert state.step == 3 and state.extra["fade"]["since"] == 3
    for kept, old, new in (
        (state.params, before.params, fresh.params),
        (state.ema, before.ema, fresh.ema),
    ):
        jax.tree.map(
            np.testing.assert_array_equal, kept["generator"]["old"], old["generator"]["old"]
        )
        jax.tree.map(
            np.testing.assert_array_equal, kept["generator"]["new"], new["generator"]["new"]
        )
        assert kept["discriminator"]["weight"] == old["discriminator"]["weight"]
    jax.tree.map(np.testing.assert_array_equal, state.opt, fresh.opt)
    assert grown(None, fresh) is fresh
    wide = {**fresh.params, "discriminator": {"weight": jnp.ones(2)}}
    with pytest.raises(UserError, match=r"params/discriminator/weight was \(\) .* is \(2,\)"):
        grown(before, fresh._replace(params=wide))


class Stops(Exception):
    """In place of a kill."""


class Stopping(Pipeline):
    """A pipeline that ends the process, as it were, at a step of its phase."""

    def batch(self, step, rows=slice(None)):
        if step == 7:
            raise Stops
        return super().batch(step, rows)


def test_killed_in_mid_fade_it_goes_on_bit_for_bit(tmp_path):
    """At step 13, where the newest checkpoint is of step 10: the fade goes from 6 to 14."""
    rng = np.random.default_rng(0)

    def phase(side, steps, kind=Pipeline):
        source = Arrays({"image": rng.normal(size=(6, side, side, 1)).astype(np.float32)})
        return Phase(learner(side, steps), kind(source, 2), 12 if steps else 6, start=grown)

    first, second = phase(2, 0), phase(4, FADE)
    stopping = replace(second, data=Stopping(second.data.source, 2))
    with pytest.raises(Stops):
        run(Experiment(first, stopping), PROFILE, tmp_path / "killed", quiet=True)
    alone, resumed = (
        run(Experiment(first, second), PROFILE, tmp_path / name, quiet=True)
        for name in ("alone", "killed")
    )
    states = [r.state._replace(key=jax.random.key_data(r.state.key)) for r in (alone, resumed)]
    jax.tree.map(np.testing.assert_array_equal, *states)
    assert states[0].extra["fade"]["since"] == 6
    rows = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("alone", "killed")]
    assert rows[0] == rows[1]


def test_images_are_averaged_in_a_frame():
    """3 x 3 pixels of 0 lie in 4 x 4 of which the rest is -1; blocks of four have 4, 2 and 1 of them."""
    image = np.zeros((1, 3, 3, 1), np.float32)
    out = averaged(2)({"image": image}, np.zeros(1, np.uint64))["image"]
    np.testing.assert_array_equal(out[0, ..., 0], [[0, -0.5], [-0.5, -0.75]])
    whole = averaged(4, black=0.5)({"image": image}, np.zeros(1, np.uint64))["image"]
    assert whole.sum() == 7 * 0.5
    for size in (3, 8):
        with pytest.raises(UserError, match=f"size {size} of images of 3x3: .* 4 at most"):
            averaged(size)({"image": image}, np.zeros(1, np.uint64))


def test_olivetti_faces_are_upright(tmp_path):
    """A face is a column, its pixels column by column; the last two of each person are held out."""
    faces = np.zeros((4096, 400), np.uint8)
    faces[:] = np.arange(400) % 10
    faces[1, 8] = 200  # below the corner of the first person's ninth face
    savemat(tmp_path / "olivettifaces.mat", {"faces": faces}, do_compression=True)
    train, test = olivetti.load(data=str(tmp_path))
    assert (len(train), len(test)) == (320, 80)
    assert train.arrays["image"][:9, 0, 0, 0].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 0]
    assert train.arrays["label"][[0, 7, 8, 319]].tolist() == [0, 0, 1, 39]
    assert test.arrays["image"][0, 1, 0, 0] == 200 and test.arrays["image"][0, 0, 1, 0] == 8


@pytest.mark.parametrize(
    "written, complaint",
    [
        (None, "no file .*olivettifaces.mat.*--data FOLDER"),
        ({"faces": np.zeros((3, 4))}, r"expected uint8 \[4096, 400\], found float64 \[3, 4\]"),
        ({"other": np.zeros(1)}, "found none"),
        (b"not one", "no MATLAB 5 file"),
    ],
)
def test_files_that_hold_no_olivetti_faces(written, complaint, tmp_path):
    path = tmp_path / "olivettifaces.mat"
    if isinstance(written, bytes):
        path.write_bytes(written)
    elif written:
        savemat(path, written)
    with pytest.raises(UserError, match=complaint):
        olivetti.load(data=str(tmp_path))
