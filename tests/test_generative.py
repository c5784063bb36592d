"""VAE, DCGAN, U-Net, DDPM: closed forms, moments, samplers, who moves whom."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from PIL import Image

from dljax import axes, models
from dljax.data.datasets import digit_collages, isbi
from dljax.errors import UserError
from dljax.learner import make_learner, players
from dljax.models.adversarial import dcgan
from dljax.models.autoencoders import vae
from dljax.models.diffusion import ddpm as ddpm_model
from dljax.models.segmentation import unet
from dljax.tasks.adversarial import adversarial, energy_distance
from dljax.tasks.diffusion import ddim, ddpm, diffusion, linear_schedule, q_sample, sampler
from dljax.tasks.linen import forward
from dljax.tasks.reconstruction import kl_to_standard_normal, variational
from dljax.tasks.segmentation import overlap, segmentation


def count(tree) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


# The variational bound


def test_kl_by_hand_and_by_monte_carlo(key):
    assert kl_to_standard_normal(jnp.zeros((1, 3)), jnp.zeros((1, 3))) == 0
    mean, log_var = jnp.array([[1.0, -0.5]]), jnp.array([[0.0, 1.0]])
    # 1/2 (1 + 1 - 1 - 0) + 1/2 (0.25 + e - 1 - 1)
    closed = kl_to_standard_normal(mean, log_var)
    np.testing.assert_allclose(closed, [0.5 + 0.5 * (np.e - 1.75)], rtol=1e-6)
    z = mean + jnp.exp(0.5 * log_var) * jax.random.normal(key, (200_000, 2))
    log_ratio = 0.5 * (z**2 - (z - mean) ** 2 / jnp.exp(log_var) - log_var).sum(-1)
    # The ratio's standard deviation is about 2: 4 x 2 / sqrt(200,000) = 0.02.
    np.testing.assert_allclose(log_ratio.mean(), closed[0], atol=0.02)


def test_bound_of_a_network_of_zeros(key):
    """Logits 0 cost log 2 for every pixel whatever its grey, and the posterior is the prior."""
    task = variational(models.build(vae, "tiny"))
    batch = {"image": jax.random.uniform(key, (3, 28, 28, 1))}
    params, extra = jax.jit(task.init)(key, batch)
    zeros = jax.tree.map(jnp.zeros_like, params)
    measured = task.evaluate(zeros, extra, batch, key)
    np.testing.assert_allclose(measured["loss"], np.full(3, 784 * np.log(2)), rtol=1e-6)
    np.testing.assert_array_equal(measured["kl"], np.zeros(3))
    again = task.evaluate(params, extra, batch, key)["loss"]
    np.testing.assert_array_equal(again, task.evaluate(params, extra, batch, key)["loss"])


# Two players


@pytest.fixture(scope="module")
def game():
    model = models.build(dcgan, "tiny")
    task = adversarial(*model.parts(), model.latent)
    batch = {"image": jax.random.uniform(jax.random.key(1), (8, 28, 28, 1)) * 2 - 1}
    return model, task, batch, *jax.jit(task.init)(jax.random.key(0), batch)


def test_dcgan_parts_have_the_published_counts(key):
    generator, discriminator = models.build(dcgan, "64").parts()
    noise, image = jnp.zeros((2, 100)), jnp.zeros((2, 64, 64, 3))
    for module, given, published in (
        (generator, noise, 3_576_704),
        (discriminator, image, 2_765_568),
    ):
        shapes = jax.eval_shape(lambda x, m=module: m.init(key, x, train=False), given)
        assert count(shapes["params"]) == published
    made = jax.eval_shape(lambda z: generator.init_with_output(key, z, train=False)[0], noise)
    assert made.shape == image.shape


def test_order_and_targets(game):
    _, task, batch, params, extra = game
    assert list(task.losses) == ["discriminator", "generator"]
    zeros = jax.tree.map(jnp.zeros_like, params)  # the discriminator then says 1/2 to everything
    key = jax.random.key(2)
    value, _ = task.losses["discriminator"](zeros, extra, batch, key)
    np.testing.assert_allclose(value, 2 * np.log(2), rtol=1e-6)
    value, _ = task.losses["generator"](zeros, extra, batch, key)
    np.testing.assert_allclose(value, np.log(2), rtol=1e-6)


def test_each_player_moves_itself_alone(game):
    _, task, batch, _, _ = game
    for mover, other in (("discriminator", "generator"), ("generator", "discriminator")):
        rates = {mover: optax.sgd(0.1), other: optax.set_to_zero()}
        learner = make_learner(task.init, players(task.losses, rates), evaluate=task.evaluate)
        before = jax.jit(learner.init)(jax.random.key(0), batch)
        after, metrics = jax.jit(learner.update)(before, batch)
        moved = jax.tree.map(lambda a, b: bool((a != b).any()), before.params, after.params)
        assert all(jax.tree.leaves(moved[mover])), mover
        assert not any(jax.tree.leaves(moved[other])), other
        assert metrics[f"{mover}/grad_norm"] > 0


def test_batch_statistics_are_of_real_and_made_images_apart(game):
    """After one pass each: 0.9 (0.9 old + 0.1 real) + 0.1 made, layer by layer."""
    model, task, batch, params, extra = game
    generator, discriminator = model.parts()
    key = jax.random.key(3)
    _, aux = task.losses["discriminator"](params, extra, batch, key)
    noise = axes.normal(jax.random.split(jax.random.split(key, 3)[0])[1], (8, model.latent))
    made, _ = forward(
        generator, params["generator"], extra["generator"], noise, key=None, train=True
    )
    state = extra["discriminator"]
    for image in (batch["image"], made):
        _, state = forward(
            discriminator, params["discriminator"], state, image, key=None, train=True
        )
    # Two compilations of the same sums: float32 rounding.
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
        aux.extra["discriminator"],
        state,
    )


@pytest.mark.parametrize(
    "x, y, distance",
    [
        # between: 1, 3, 1, 1; within: 2 and 2
        ([[0.0], [2.0]], [[1.0], [3.0]], 2 * 1.5 - 2 - 2),
        ([[0.0, 0.0]] * 2, [[3.0, 4.0]] * 3, 2 * 5.0),
        # the corners of a triangle with sides 3, 4 and 5, and one of them twice
        ([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]], [[0.0, 0.0]] * 2, 2 * 7 / 3 - 4),
    ],
)
def test_energy_distance_of_points_by_hand(x, y, distance):
    share = energy_distance(jnp.array(x), jnp.array(y))
    assert share.shape == (len(x),)
    np.testing.assert_allclose(share.mean(), distance, atol=1e-6)


@pytest.mark.parametrize("shift", [0.0, 0.5, 3.0])
def test_energy_distance_of_gaussians(shift, key):
    """N(0, 1) and N(d, 1): twice the mean of |N(d, 2)| less twice that of |N(0, 2)|; 0 for d = 0."""

    def mean_distance(d):
        tail = 0.5 * math.erfc(d / 2)  # of N(d, 2) below 0
        return 2 / np.sqrt(np.pi) * np.exp(-(d**2) / 4) + d * (1 - 2 * tail)

    x, y = jax.random.normal(key, (2, 2000, 8, 1))
    shares = jax.vmap(energy_distance)(x, shift + y)
    expected = 2 * (mean_distance(shift) - mean_distance(0))
    # Four standard errors of the mean over batches; pairs with themselves would add 2 x 1.13 / 8.
    atol = 4 * shares.mean(1).std() / np.sqrt(len(shares))
    assert atol < 0.5 * 2 * mean_distance(0) / 8
    np.testing.assert_allclose(shares.mean(), expected, atol=atol)


def test_padding_does_not_count_in_the_energy_distance(key):
    x, y = jax.random.normal(key, (2, 7, 3, 2))
    counts = jnp.array([1, 1, 0, 1, 1, 0, 1])
    whole = energy_distance(x[counts > 0], y)
    # Sums of the same numbers in another order.
    np.testing.assert_allclose(energy_distance(x, y, counts)[counts > 0], whole, rtol=1e-5)
    alone = energy_distance(x, y, jnp.arange(7) == 2)
    assert alone[2] == 0 and np.isfinite(alone).all()


def test_a_game_measures_its_samples(game):
    """With padding, and against what the generator makes of the same noise."""
    model, task, batch, params, extra = game
    key = jax.random.key(4)
    mask = jnp.array([1.0] * 5 + [0.0] * 3)
    measured = task.evaluate(params, extra, {**batch, "mask": mask}, key)
    assert set(measured) == {"real", "fake", "energy"}
    noise = axes.normal(jax.random.split(key)[1], (8, model.latent))
    made, _ = forward(
        model.parts()[0], params["generator"], extra["generator"], noise, key=None, train=False
    )
    expected = energy_distance(batch["image"][:5], made)
    np.testing.assert_allclose(measured["energy"][:5], expected, rtol=1e-4)
    # Chances of one half tell nothing of these samples, which are grey. Their distance does.
    np.testing.assert_allclose(measured["fake"], 0.5, atol=0.02)
    assert measured["energy"].mean() > 1


# A class for every pixel


def test_overlap_by_hand():
    guess = jnp.array([[[0, 0], [1, 1]], [[2, 2], [2, 2]]])
    label = jnp.array([[[0, 1], [1, 1]], [[2, 2], [2, 2]]])
    iou, dice = overlap(guess, label, 4)
    # class 0: 1 of 2, class 1: 2 of 3; the second image is right; classes that do not occur are out
    np.testing.assert_allclose(iou, [(1 / 2 + 2 / 3) / 2, 1.0], rtol=1e-6)
    np.testing.assert_allclose(dice, [(2 / 3 + 4 / 5) / 2, 1.0], rtol=1e-6)


def test_unet_starts_at_the_paper_s_deviation(key):
    """sqrt(2 / N), Ronneberger et al. section 3; counted layer by layer, not by the initialiser."""
    model = models.build(unet, "small")
    params = jax.jit(lambda k: model.init(k, jnp.zeros((1, 16, 16, 1)), train=False))(key)["params"]
    seen = 0
    for path, kernel in jax.tree_util.tree_leaves_with_path(params):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        if name.endswith("bias"):
            assert not kernel.any()
            continue
        # An up-convolution's pixel is made of one input pixel, another one's of a whole window.
        window = 1 if name.startswith("upsample") else kernel.shape[0] * kernel.shape[1]
        expected = np.sqrt(2 / (window * kernel.shape[2]))
        # Four standard errors of the deviation of so many draws.
        np.testing.assert_allclose(
            kernel.std(), expected, rtol=4 / np.sqrt(2 * kernel.size), err_msg=name
        )
        seen += 1
    assert seen == 2 * 7 + 3 + 1


def test_unet_keeps_the_size_and_learns(key):
    model = models.build(unet, "tiny", classes=2)
    label = (jax.random.uniform(key, (4, 16, 24)) < 0.5).astype(jnp.int32)
    batch = {"image": label[..., None].astype(jnp.float32), "label": label}
    task = segmentation(model)
    learner = make_learner(
        task.init, players(task.losses, optax.adam(0.01)), evaluate=task.evaluate
    )
    state, update = jax.jit(learner.init)(key, batch), jax.jit(learner.update)
    for _ in range(80):
        state, _ = update(state, batch)
    accuracy = jax.jit(learner.evaluate)(state, batch)["accuracy"]
    assert accuracy.shape == (4,) and accuracy.min() > 0.95


def test_collages_are_the_same_every_time():
    (first, test), (second, _) = (digit_collages.load(fake=True) for _ in range(2))
    np.testing.assert_array_equal(first.arrays["image"], second.arrays["image"])
    assert (first.arrays["image"][:40] != test.arrays["image"]).any()
    assert 0 <= first.arrays["label"].min() and first.arrays["label"].max() == 10


def test_crops_turn_image_and_label_together():
    row = np.arange(6 * 6, dtype=np.int32).reshape(1, 6, 6).repeat(64, 0)
    seeds = np.arange(64, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    out = isbi.crops(4)({"image": row[..., None], "label": row}, seeds)
    np.testing.assert_array_equal(out["image"][..., 0], out["label"])
    assert len({tuple(x.ravel()) for x in out["label"]}) > 20  # 9 windows x 8 orientations
    with pytest.raises(UserError, match="crops of 7"):
        isbi.crops(7)({"image": row[..., None], "label": row}, seeds)


def test_slices_that_are_not_there_are_said_at_once():
    with pytest.raises(UserError, match="--fake true"):
        isbi.load(data="/nowhere")


def slices(folder, labels):
    """A folder of ISBI slices with these labels: arrays [h, w] of uint8."""
    for kind in ("image", "label"):
        (folder / kind).mkdir()
        for i, label in enumerate(labels):
            Image.fromarray(label).save(folder / kind / f"{i}.png")
    return str(folder)


def test_labels_of_slices(tmp_path):
    """Of 0 and 255, where one slice may be all of one kind."""
    half, cell = np.zeros((8, 8), np.uint8), np.full((8, 8), 255, np.uint8)
    half[:4] = 255
    train, test = isbi.load(data=slices(tmp_path, [half, cell, cell]))
    np.testing.assert_array_equal(train.arrays["label"], [half == 255, cell == 255])
    assert train.arrays["label"].dtype == np.int32 and test.arrays["label"].all()


@pytest.mark.parametrize(
    "values, told",
    [((0, 1), "label/0.png holds the value 1"), ((0, 128, 255), "0.png holds the value 128")]
    + [((v,), f"hold {v} alone") for v in (0, 255)],
)
def test_labels_that_do_not_say_cell_or_membrane_are_refused(values, told, tmp_path):
    label = np.resize(np.uint8(values), (8, 8))
    with pytest.raises(UserError, match=f"{told}.*0 \\(membrane\\).* 255 \\(cell\\)"):
        isbi.load(data=slices(tmp_path, [label] * 3))


# Diffusion


def test_noising_has_the_moments_of_equation_4(key):
    schedule = linear_schedule()
    assert schedule.signal[0] == np.float32(1 - 1e-4)
    np.testing.assert_allclose(schedule.signal[-1], 4.0358e-5, rtol=1e-3)  # Ho et al.: x_T is noise
    image = jnp.full((100_000, 1), 0.7)
    for t in (0, 300, 999):
        time = jnp.full((100_000,), t)
        x = q_sample(schedule, image, time, jax.random.normal(key, image.shape))
        signal = schedule.signal[t]
        # Four standard errors of a mean and of a variance over 100,000 draws.
        np.testing.assert_allclose(x.mean(), 0.7 * np.sqrt(signal), atol=4 / np.sqrt(1e5))
        np.testing.assert_allclose(x.var(), 1 - signal, atol=4 * np.sqrt(2 / 1e5))


def gaussian(schedule, mean: float, std: float):
    """The exact eps for data that are N(mean, std^2)."""

    def predict(params, x, time):
        signal = jnp.asarray(schedule.signal)[time][:, None]
        return (x - jnp.sqrt(signal) * mean) * jnp.sqrt(1 - signal) / (1 - signal + signal * std**2)

    return predict


@pytest.mark.parametrize("kind, options", [(ddpm, {}), (ddim, {"steps": 500})])
def test_samplers_recover_a_gaussian(kind, options, key):
    """Data N(0.2, 0.15^2): given the exact eps, the samples have that mean and deviation."""
    schedule = linear_schedule()
    predict = gaussian(schedule, 0.2, 0.15)
    x = kind(predict, (4000, 1), schedule=schedule, **options)(None, key)
    # Four standard errors are 0.0095 and 0.0067. DDIM is Euler's method for an ODE, off by as much as
    # its steps are long: deviation 0.128 in 50 steps.
    np.testing.assert_allclose(x.mean(), 0.2, atol=0.01)
    np.testing.assert_allclose(x.std(), 0.15, atol=0.01)


def test_ancestral_step_is_equation_7(key):
    """One step down by hand: posterior mean and variance of Ho et al., equations 6 and 7."""
    schedule = linear_schedule(2, 0.1, 0.3)
    predict = gaussian(schedule, 0.0, 0.3)
    beta, signal = schedule.beta.astype(float), schedule.signal.astype(float)
    first, rest = jax.random.split(key)
    x2 = np.asarray(jax.random.normal(first, (5, 1)), float)
    noise = np.asarray(jax.random.normal(jax.random.fold_in(rest, 0), (5, 1)), float)

    def clean(x, t):
        eps = np.asarray(predict(None, jnp.asarray(x, jnp.float32), jnp.full((5,), t)), float)
        return np.clip((x - np.sqrt(1 - signal[t]) * eps) / np.sqrt(signal[t]), -1, 1)

    mean = (
        np.sqrt(signal[0]) * beta[1] * clean(x2, 1) + np.sqrt(1 - beta[1]) * (1 - signal[0]) * x2
    ) / (1 - signal[1])
    variance = (1 - signal[0]) / (1 - signal[1]) * beta[1]
    x1 = mean + np.sqrt(variance) * noise
    sampled = ddpm(predict, (5, 1), schedule=schedule)(None, key)
    # The last step returns the clean image itself; float32 against float64.
    np.testing.assert_allclose(sampled, clean(x1, 0), atol=1e-5)


@pytest.mark.parametrize("steps", [1, 2, 3, 50, 999, 0])
def test_sampling_starts_from_the_last_time(steps, key):
    """Pure noise is an image of the last time and of no other; from there down to 0, evenly."""
    seen = []

    def predict(params, x, time):
        jax.debug.callback(lambda t: seen.append(int(t[0])), time, ordered=True)
        return x

    ddim(predict, (1, 1), steps=steps)(None, key)
    jax.effects_barrier()
    assert seen[0] == 999 and len(seen) == (steps or 1000)
    if len(seen) > 1:
        np.testing.assert_allclose(seen, np.linspace(999, 0, len(seen)), atol=0.5 + 1e-9)


def test_ddim_depends_on_the_first_noise_alone(key):
    model = models.build(ddpm_model, "tiny")
    image, time = jnp.zeros((2, 8, 8, 1)), jnp.zeros((2,), jnp.int32)
    params = jax.jit(lambda k: model.init(k, image, time, train=False))(key)

    def predict(params, x, time):
        return model.apply(params, x, time, train=False)

    draw = ddim(predict, (2, 8, 8, 1), steps=5)
    np.testing.assert_array_equal(draw(params, key), draw(params, key))
    assert draw(params, key).shape == (2, 8, 8, 1) and np.abs(draw(params, key)).max() <= 1
    fresh = sampler(predict, (2, 8, 8, 1), steps=5, eta=1.0)
    assert (fresh(params, key) != draw(params, key)).any()


def test_untrained_network_predicts_nothing(key):
    """Its last layer starts at zero, so the loss is the noise's own square: 1."""
    task = diffusion(models.build(ddpm_model, "tiny"))
    batch = {"image": jnp.zeros((64, 8, 8, 1))}
    params, extra = jax.jit(task.init)(key, batch)
    loss = jax.jit(task.evaluate)(params, extra, batch, key)["loss"]
    assert loss.shape == (64,)
    np.testing.assert_allclose(loss.mean(), 1.0, atol=4 * np.sqrt(2 / (64 * 64)))
