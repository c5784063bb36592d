"""Attacks reach the worst case where it is known, and stay where they may be; training withstands them."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dljax import Arrays, EvalSet, Pipeline, learn
from dljax.analysis import adversarial_examples
from dljax.analysis.adversarial_examples import robust_accuracy
from dljax.errors import UserError
from dljax.learner import accumulate, many_seeds
from dljax.tasks.attacks import L2, LINF, fgsm, pgd, trained_against
from dljax.tasks.classification import classification
from dljax.tasks.players import beside
from dljax.types import Task, Variables

ANYWHERE = {"low": -np.inf, "high": np.inf}
RNG = np.random.default_rng(0)
WEIGHT = RNG.normal(size=(4, 5, 2)).astype(np.float32)
IMAGE = jnp.asarray(RNG.random((3, 4, 5, 2)).astype(np.float32))


def linear(image):
    return jnp.sum(image * WEIGHT[None], axis=(1, 2, 3))


ATTACKS = {
    "fgsm linf": (LINF, fgsm),
    "pgd linf": (LINF, pgd),
    "fgsm l2": (L2, fgsm),
    "pgd l2": (L2, lambda ball, **more: pgd(ball, start=0.0, **more)),
}


@pytest.mark.parametrize("ball, make", ATTACKS.values(), ids=ATTACKS)
def test_the_worst_case_of_a_linear_loss(ball, make, key):
    """epsilon |w|_1 within the sup norm, epsilon |w|_2 within the Euclidean, each at its one image."""
    attack = jax.jit(lambda image: make(ball, **ANYWHERE)(linear, image, 0.3, key))
    if ball is LINF:
        offset, rise = np.sign(WEIGHT), np.abs(WEIGHT).sum()
    else:
        rise = np.sqrt((WEIGHT**2).sum())
        offset = WEIGHT / rise
    moved = attack(IMAGE)
    np.testing.assert_allclose(moved, IMAGE + 0.3 * offset[None], rtol=1e-5, atol=1e-6)  # float32
    np.testing.assert_allclose(linear(moved) - linear(IMAGE), 0.3 * rise, rtol=1e-4)


@pytest.mark.parametrize("ball, make", ATTACKS.values(), ids=ATTACKS)
def test_no_attack_leaves_its_ball_or_the_bounds_of_pixels(ball, make, key):
    attack = make(ball, low=0.1, high=jnp.array([0.8, 0.9])[None, None, None])
    image = jnp.clip(IMAGE, 0.1, 0.8)
    compiled = jax.jit(
        lambda epsilon: attack(lambda x: jnp.sin(3.0 * linear(x)), image, epsilon, key)
    )
    for epsilon in (0.05, 0.5, 3.0):
        moved = np.asarray(compiled(epsilon))
        assert moved.min() >= np.float32(0.1)
        assert (moved.max((0, 1, 2)) <= np.array([0.8, 0.9], np.float32)).all()
        offset = (moved - np.asarray(image)).reshape(3, -1)
        length = np.abs(offset).max(1) if ball is LINF else np.sqrt((offset**2).sum(1))
        assert (length <= epsilon * (1 + 1e-5)).all()  # float32
        assert (length > 0.01).all()


def test_draws_fill_their_balls(key):
    shape = (4000, 2, 3)
    box, round_ = (np.asarray(ball.draw(key, shape)).reshape(4000, 6) for ball in (LINF, L2))
    assert np.abs(box).max() <= 1 and np.abs(box).max(1).min() < 0.5
    length = np.sqrt((round_**2).sum(1))
    assert length.max() <= 1 + 1e-6
    # The radius to the power of the dimension is uniform: 1/2 +- 5 sqrt(1/12 / 4000).
    np.testing.assert_allclose((length**6).mean(), 0.5, atol=0.023)
    np.testing.assert_allclose(round_.mean(0), 0, atol=0.04)  # five standard errors of 0.5
    np.testing.assert_array_less(np.abs(box).mean(0) - 0.5, 0.023)


def test_many_steps_are_stronger_than_one(key):
    """On a net that bends within the ball."""
    rng = np.random.default_rng(2)
    first, second = (rng.normal(size=s).astype(np.float32) for s in ((40, 32), 32))

    def loss(image):
        return jnp.tanh(image.reshape(-1, 40) @ first / 2) @ second

    def mean(attack, epsilon):
        return float(jax.jit(lambda x: jnp.mean(loss(attack(loss, x, epsilon, key))))(IMAGE))

    clean = float(jnp.mean(loss(IMAGE)))
    for ball, epsilon in ((LINF, 0.2), (L2, 0.8)):
        one, many = mean(fgsm(ball), epsilon), mean(pgd(ball, steps=40), epsilon)
        assert clean < one < many - 0.05


# Training


class Logistic(nn.Module):
    """Logits 0 and w x + b."""

    @nn.compact
    def __call__(self, image, *, train: bool):
        out = nn.Dense(1, name="out")(image.reshape(image.shape[0], -1))
        return jnp.concatenate([jnp.zeros_like(out), out], 1)


def signed(label):
    return 2.0 * label - 1.0


def test_the_adversarial_loss_of_a_logistic_regression(key):
    """log(1 + exp(-(y (w x + b) - epsilon |w|_1))), its value and its gradient."""
    batch = {"image": IMAGE, "label": jnp.array([0, 1, 1])}
    task = trained_against(classification(Logistic()), fgsm(**ANYWHERE), 0.1)
    params, extra = task.init(key, batch)

    def closed(params):
        w, b = params["model"]["out"]["kernel"][:, 0], params["model"]["out"]["bias"][0]
        margin = signed(batch["label"]) * (IMAGE.reshape(3, -1) @ w + b)
        return jnp.mean(jnp.log1p(jnp.exp(0.1 * jnp.sum(jnp.abs(w)) - margin)))

    def loss(params):
        return task.losses["model"](params, extra, batch, key)[0].value

    found, expected = (jax.jit(jax.value_and_grad(f))(params) for f in (loss, closed))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), found, expected
    )


class Normed(nn.Module):
    @nn.compact
    def __call__(self, image, *, train: bool):
        x = nn.BatchNorm(use_running_average=not train, momentum=0.9, name="norm")(image)
        return nn.Dense(2, name="out")(jnp.mean(x, (1, 2)))


def test_statistics_are_moved_once_by_the_attacked_images(key):
    batch = {"image": IMAGE, "label": jnp.array([0, 1, 1])}
    task = trained_against(classification(Normed()), lambda loss, image, e, key: image + e, 5.0)
    params, extra = task.init(key, batch)
    _, aux = task.losses["model"](params, extra, batch, key)
    moved = aux.extra["model"]["batch_stats"]["norm"]["mean"]
    np.testing.assert_allclose(moved, 0.1 * (IMAGE.mean((0, 1, 2)) + 5.0), rtol=1e-5)  # float32


def fragile(n=512):
    """One feature that is right in nine cases of ten, and 40 that are right in the mean, by little."""
    rng = np.random.default_rng(1)
    label = rng.integers(0, 2, n)
    sign = signed(label)[:, None]
    sure = np.where(rng.random((n, 1)) < 0.9, sign, -sign)
    image = np.concatenate([sure, 0.3 * sign + 0.5 * rng.normal(size=(n, 40))], 1)
    return Arrays({"image": image.astype(np.float32), "label": label.astype(np.int32)})


def trained(task: Task, key):
    learner, data = learn(task, optax.sgd(0.2)), Pipeline(fragile(), 64)
    state = jax.jit(learner.init)(key, data.batch(0))
    update = jax.jit(learner.update)
    for step in range(150):
        state, _ = update(state, data.batch(step))
    return learner.chosen(state)


def test_training_against_an_attack_withstands_it(key):
    """After Tsipras et al. 2018, arXiv:1805.12152: plain training trusts the many weak features."""
    task = classification(Logistic())
    attack = fgsm(**ANYWHERE)
    accuracy = {}
    for name, trains in (("plain", task), ("robust", trained_against(task, attack, 0.4))):
        variables = trained(trains, key)
        accuracy[name] = robust_accuracy(
            task, variables, EvalSet(fragile()), attack, [0.0, 0.4], key
        )
    clean, attacked = zip(*accuracy.values(), strict=True)
    assert clean[0] > 0.95 and clean[1] > 0.85
    assert attacked[0] < 0.5 and attacked[1] > 0.8


def test_beside_one_another_they_learn_as_alone(key):
    """Bit for bit, of the same beginnings; a network's draws are its own by its name."""
    task = classification(Logistic())
    robust = trained_against(task, fgsm(**ANYWHERE), 0.1)
    both, batch = beside(plain=task, robust=robust), Pipeline(fragile(), 16).batch(0)
    learner = learn(both, optax.sgd(0.1))
    state, metrics = jax.jit(learner.update)(jax.jit(learner.init)(key, batch), batch)
    for name, alone in (("plain", task), ("robust", robust)):
        one = learn(alone, optax.sgd(0.1))
        after, expected = jax.jit(one.update)(jax.jit(one.init)(key, batch), batch)
        jax.tree.map(np.testing.assert_array_equal, state.params[name], after.params["model"])
        assert metrics[f"{name}/loss"] == expected["model/loss"]
        assert metrics[f"{name}_accuracy"] == expected["accuracy"]
        found = learner.evaluate(state, batch)[f"{name}_loss"]
        assert found.value == one.evaluate(after, batch)["loss"].value
    assert metrics["plain/loss"] < metrics["robust/loss"]
    with pytest.raises(
        UserError, match="two has the players plain, robust: expected a task of one"
    ):
        beside(two=both)


def test_it_composes_with_the_combinators(key):
    """Seeds in one program, and microbatches: random starts belong to rows, so both give the same."""
    data = Pipeline(fragile(), 8)
    task = trained_against(classification(Logistic()), pgd(L2, steps=2, **ANYWHERE), 0.4)
    learner = learn(task, optax.sgd(0.1))
    batch = data.batch(0)
    state = jax.jit(learner.init)(key, batch)
    one, two = (
        jax.jit(each.update)(state, batch)[0].params["model"]["out"]["kernel"]
        for each in (learner, accumulate(learner, 2))
    )
    assert np.abs(one - state.params["model"]["out"]["kernel"]).max() > 1e-3
    np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-6)  # float32
    seeds = many_seeds(learner, 3)
    shapes, _ = jax.eval_shape(seeds.update, jax.eval_shape(seeds.init, key, batch), batch)
    assert shapes.params["model"]["out"]["kernel"].shape == (3, *one.shape)


def test_a_batch_without_images_is_one_line(key):
    task = trained_against(classification(Logistic()), fgsm(), 0.1)
    with pytest.raises(UserError, match=r"moves batch\['image'\], found tokens, label"):
        task.losses["model"]({}, {}, {"tokens": IMAGE, "label": IMAGE}, key)
    with pytest.raises(UserError, match="0 steps: expected 1 or more"):
        pgd(steps=0)


# Measures


class Bright(nn.Module):
    """Class 1 where the one pixel is above 1/2."""

    @nn.compact
    def __call__(self, image, *, train: bool):
        scale = self.param("scale", nn.initializers.ones, ())
        x = image[:, 0, 0] - 0.5
        return scale * jnp.concatenate([-x, x], 1)


def bright(n):
    """Pixels 0.05, 0.15, 0.25 and 0.35 from the border between the classes, and so on."""
    margin = np.resize([0.05, 0.15, 0.25, 0.35], n).astype(np.float32)
    label = np.arange(n, dtype=np.int32) // 4 % 2
    image = (0.5 + signed(label) * margin).astype(np.float32)[:, None, None, None]
    task = classification(Bright())
    variables = Variables(*task.init(jax.random.key(0), {"image": jnp.asarray(image)}))
    return task, variables, EvalSet(Arrays({"image": image, "label": label}))


@pytest.mark.parametrize(
    "attack, n, limit",
    [(fgsm(), 4, None), (pgd(steps=3), 600, None), (pgd(L2, steps=3), 600, 404)],
)
def test_robust_accuracy_by_hand(attack, n, limit, key):
    """An image withstands what its margin exceeds."""
    found = robust_accuracy(*bright(n), attack, [0.0, 0.1, 0.2, 0.3, 0.4], key, limit)
    np.testing.assert_array_equal(found, [1.0, 0.75, 0.5, 0.25, 0.0])


def test_looks(key):
    task, variables, data = bright(8)
    look = adversarial_examples.RobustAccuracy(task, data, fgsm(), (0, 0.1))
    assert look(variables, key) == {"0": 1.0, "0.1": 0.75}
    chart = adversarial_examples.RobustnessCurve(task, data, {"one step": fgsm()}, (0, 0.1))
    drawn = chart(variables, key)
    assert drawn.dtype == np.uint8 and drawn.ndim == 3 and drawn.std() > 1
    shown = adversarial_examples.Examples(task, data, fgsm(), 0.1, n=2)(variables, key)
    # Both were dark, of class 0, and became brighter: the difference is red.
    rows = np.split(shown[1:], 2)
    for row in rows:
        assert np.abs(row - np.array([0.7, 0.0, 0.1])).max(-1).min() < 1e-5
    wrong = EvalSet(Arrays({**data.source.arrays, "label": 1 - data.source.arrays["label"]}))
    words = adversarial_examples.Examples(task, wrong, fgsm(), 0.1)(variables, key)
    assert words == "no right answer among 8 examples to be attacked\n"
