"""Training's conventions of docs/CONVENTIONS.md: starts, dropout, losses and optimizers, as in
test_conventions.py.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from conventions import APART, THERE, another, relative, same
from parity.convention_cases import (
    DROPPED,
    EPSILON,
    MOST,
    RATES,
    SMOOTHING,
    draw,
    gradients,
    labels,
)

from dljax.nn import Dropout


def test_scale_of_dropout(key):
    out = Dropout(DROPPED).apply({}, jnp.ones((10, 100)), train=True, rngs={"dropout": key})
    for name in ("dropout torch", "dropout keras"):
        same(np.unique(out), name)


def test_start_of_embedding(key):
    """Of 64,000 draws a deviation is known to 1.1 % (four standard errors), of two sets to 1.6 %."""

    def spread(**options):
        return np.std(nn.Embed(1000, 64, **options).init(key, jnp.arange(2))["params"]["embedding"])

    torch = spread(embedding_init=nn.initializers.normal(1.0))
    np.testing.assert_allclose(torch, THERE["embedding torch"], rtol=0.016)
    np.testing.assert_allclose(spread(), 64**-0.5, rtol=0.011)
    np.testing.assert_allclose(THERE["embedding keras"], 0.1 / 12**0.5, rtol=0.011)


def test_start_of_linear_layer(key):
    """Of 120,000 draws: their bound to 1e-3, their deviation to four standard errors, 0.8 %."""

    def kernel(**options):
        return np.asarray(
            nn.Dense(300, **options).init(key, jnp.ones((1, 400)))["params"]["kernel"]
        )

    scaling = nn.initializers.variance_scaling
    torch = kernel(kernel_init=scaling(1 / 3, "fan_in", "uniform"))
    keras = kernel(kernel_init=nn.initializers.xavier_uniform())
    for ours, name in ((torch, "dense spread torch"), (keras, "dense spread keras")):
        bound, spread, _ = THERE[name]
        np.testing.assert_allclose(np.abs(ours).max(), bound, rtol=1e-3)
        np.testing.assert_allclose(ours.std(), spread, rtol=0.016)
    np.testing.assert_allclose(kernel().std(), 400**-0.5, rtol=0.008)
    # torch draws 300 biases from the kernel's bounds: a deviation known to 16 %; ours and Keras' are 0.
    np.testing.assert_allclose(THERE["dense spread torch"][2], 400**-0.5 / 3**0.5, rtol=0.16)


LOGITS, LABEL = draw("loss.x", 4, 6), labels()


def test_label_smoothing():
    labels = optax.smooth_labels(jax.nn.one_hot(LABEL, 6), SMOOTHING)
    ours = optax.softmax_cross_entropy(LOGITS, labels).mean()
    same(ours, f"loss {SMOOTHING} torch")
    same(ours, "loss smoothed keras")
    another(ours, "loss 0.0 torch")


def test_weights_of_classes():
    each = optax.softmax_cross_entropy_with_integer_labels(LOGITS, LABEL)
    weight = np.abs(draw("loss.w", 6))[LABEL]
    same(each.mean(), "loss 0.0 torch")
    same((each * weight).sum() / weight.sum(), "loss weighted torch")
    same((each * weight).mean(), "loss weighted keras")
    another((each * weight).mean(), "loss weighted torch")


def test_huber_loss():
    ours = optax.huber_loss(LOGITS, delta=0.5).mean()
    same(ours, "huber torch")
    same(ours, "huber keras")
    same(ours / 0.5, "smooth l1 torch")


def test_mean_of_kl_divergence():
    p = jax.nn.softmax(draw("loss.y", 4, 6))
    ours = optax.kl_divergence(jax.nn.log_softmax(LOGITS), p).mean()
    same(ours, "kl keras")
    same(ours / 6, "kl torch")


def stepped(tx: optax.GradientTransformation) -> np.ndarray:
    """The parameters after three steps."""
    x = jnp.asarray(draw("parameters", 5))
    state = tx.init(x)
    for gradient in gradients():
        updates, state = tx.update(jnp.asarray(gradient), state, x)
        x = optax.apply_updates(x, updates)
    return np.asarray(x)


def same_way(tx: optax.GradientTransformation, name: str) -> None:
    """Compare the way from the first parameters, which is short beside them: their ulps stay."""
    start = draw("parameters", 5)
    ours, there = stepped(tx) - start, THERE[name] - start
    np.testing.assert_allclose(
        ours, there, rtol=1e-4, atol=4e-7
    )  # three roundings of values near 2


def other_way(tx: optax.GradientTransformation, name: str) -> None:
    start = draw("parameters", 5)
    assert relative(stepped(tx) - start, THERE[name] - start) > APART, name


def rates(step):
    return jnp.array(RATES)[step]


def test_rate_and_momentum():
    inside = optax.chain(optax.scale_by_learning_rate(rates), optax.trace(0.9))
    same_way(optax.sgd(rates, 0.9), "sgd torch")
    same_way(inside, "sgd keras")
    other_way(inside, "sgd torch")


def test_epsilon_of_rmsprop():
    outside = optax.rmsprop(0.1, decay=0.9, eps=EPSILON, eps_in_sqrt=False)
    same_way(outside, "rmsprop torch")
    same_way(optax.rmsprop(0.1, decay=0.9, eps=EPSILON), "rmsprop keras")
    other_way(outside, "rmsprop keras")


def before_correction(step):
    """Keras' epsilon, as one after the correction."""
    return EPSILON / jnp.sqrt(1 - 0.999 ** (step + 1))


def test_epsilon_of_adam():
    same_way(optax.adam(0.1, eps=EPSILON), "adam torch")
    same_way(optax.inject_hyperparams(optax.adam)(0.1, eps=before_correction), "adam keras")
    other_way(optax.adam(0.1, eps=EPSILON), "adam keras")


def test_weight_decay():
    first = optax.chain(optax.add_decayed_weights(0.1), optax.adam(0.1, eps=EPSILON))
    apart = optax.adamw(0.1, eps=EPSILON, weight_decay=0.1)
    same_way(first, "adam decay torch")
    same_way(apart, "adamw torch")
    other_way(apart, "adam decay torch")
    keras = optax.inject_hyperparams(optax.adamw)(0.1, eps=before_correction, weight_decay=0.1)
    same_way(keras, "adam decay keras")


def test_weight_decay_of_sgd():
    first = optax.chain(optax.add_decayed_weights(0.1), optax.sgd(0.1, 0.9))
    last = optax.chain(optax.sgd(0.1, 0.9), optax.add_decayed_weights(-0.01))
    same_way(first, "sgd decay torch")
    same_way(last, "sgd decay keras")
    other_way(last, "sgd decay torch")


def test_start_of_adagrad():
    same_way(optax.adagrad(0.1, initial_accumulator_value=0.0, eps=0.0), "adagrad torch")
    other_way(optax.adagrad(0.1), "adagrad torch")


def test_clipping_by_norm():
    gradient = 2 * MOST * jnp.array([0.5, -0.5, 0.5, 0.5])
    clip = optax.clip_by_global_norm(MOST)
    ours, _ = clip.update(gradient, clip.init(gradient))
    np.testing.assert_allclose(ours / MOST, gradient / (2 * MOST), rtol=1e-5)
    same(gradient / (2 * MOST + 1e-6), "clipped torch")
    another(ours / MOST, "clipped torch")
