"""Plain, denoising, sparse and contractive autoencoders."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dljax.errors import UserError
from dljax.learner import State
from dljax.tasks.autoencoding import (
    BERNOULLI,
    GAUSSIAN,
    Encoding,
    autoencoding,
    coding,
    contraction,
    contraction_of_sigmoids,
    gaussian_noise,
    kl_sparsity,
    l1_sparsity,
    layer_by_layer,
    masking,
    unrolled,
)
from dljax.types import Variables


class Toy(nn.Module):
    """Layers of tanh, a code of sigmoids, and a linear decoder."""

    latents: int = 3
    size: int = 5
    widths: tuple[int, ...] = ()

    def setup(self):
        self.encoder = [nn.Dense(n) for n in (*self.widths, self.latents)]
        self.decoder = [nn.Dense(self.size)]

    def encode(self, x):
        for layer in self.encoder[:-1]:
            x = jnp.tanh(layer(x))
        return jax.nn.sigmoid(self.encoder[-1](x))

    def __call__(self, x, *, train: bool):
        code = self.encode(x)
        return self.decoder[0](code), code


FLAT = Toy()


def ones(code: float = 0.0):
    """Parameters of FLAT: W = 1 (5x3), the decoder and the biases 0, but for the code's."""
    zeros = {"kernel": jnp.zeros((3, 5)), "bias": jnp.zeros(5)}
    encoder = {"kernel": jnp.ones((5, 3)), "bias": jnp.full(3, code)}
    return {"model": {"encoder_0": encoder, "decoder_0": zeros}}


def encoding(model, params, image, batch=None):
    def encode(x):
        return model.apply({"params": params}, x, method="encode")

    return Encoding(encode, params, image, encode(image), batch or {})


def test_the_loss_by_hand(key):
    """Logits of 0 cost log 2 for each of 5 pixels; codes are sigmoid(0) = 1/2."""
    penalties = {"l1": (0.1, l1_sparsity), "contraction": (2.0, contraction_of_sigmoids)}
    task = autoencoding(FLAT, penalties=penalties)
    batch = {"image": jnp.zeros((2, 5)), "mask": jnp.array([1.0, 0.0])}
    found = {n: x.value for n, x in task.evaluate(ones(), {"model": {}}, batch, key).items()}
    loss = 5 * np.log(2) + 0.1 * 1.5 + 2.0 * 0.9375
    expected = {
        "loss": loss,
        "reconstruction": 5 * np.log(2),
        "mse": 0.25,
        "l1": 1.5,
        "contraction": 0.9375,
    }
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-6)
    value, aux = task.losses["model"](ones(), {"model": {}}, batch, key)
    np.testing.assert_allclose(value.value, loss, rtol=1e-6)
    assert value.count == 1 and set(aux.metrics) == expected.keys() - {"loss"}


def test_outputs_by_hand():
    number, x = jnp.array([0.0, 2.0]), jnp.array([1.0, 0.5])
    np.testing.assert_allclose(GAUSSIAN.error(number, x), [0.5, 1.125])
    np.testing.assert_array_equal(GAUSSIAN.mean(number), number)
    sigmoid = 1 / (1 + np.exp(-2.0))
    expected = [np.log(2), -0.5 * np.log(sigmoid) - 0.5 * np.log(1 - sigmoid)]
    np.testing.assert_allclose(BERNOULLI.error(number, x), expected, rtol=1e-6)


def test_the_mean_over_the_batch_comes_before_the_divergence():
    """KL(.05 || .2) = .093943, of activities 0.1 and 0.3; a row that pads does not count."""
    code = jnp.array([[0.1], [0.3], [0.9]])
    given = Encoding(lambda x: x, {}, code, code, {"mask": jnp.array([1.0, 1.0, 0.0])})
    penalty = kl_sparsity(0.05)
    np.testing.assert_allclose(penalty(given), [0.093943] * 3, atol=1e-6)
    # d KL / d activity = -.05 / .2 + .95 / .8 = .9375, half of it for each of the two rows
    slope = jax.grad(lambda code: penalty(given._replace(code=code))[0])(code)
    np.testing.assert_allclose(slope[:, 0], [0.46875, 0.46875, 0.0], rtol=1e-6)


@pytest.mark.parametrize("image", [0.0, 0.3])
def test_contraction_in_closed_form_is_the_exact_one(image):
    """W = 1 (5x3), x = 0: (1/4)^2 x 5 for each of 3 units, of each example."""
    x = jnp.full((2, 5), image)
    given = encoding(FLAT, ones(-1.5 if image else 0.0)["model"], x)  # 5 x 0.3 - 1.5 = 0
    for penalty in (contraction, contraction_of_sigmoids):
        np.testing.assert_allclose(penalty(given), [0.9375, 0.9375], rtol=1e-5)


@pytest.mark.parametrize("widths, latents", [((), 3), ((), 7), ((4,), 3)])
def test_contraction_by_finite_differences(widths, latents, key):
    """Of deep encoders too, with codes shorter and longer than the input."""
    model = Toy(latents, widths=widths)
    image = jax.random.normal(key, (2, 5))
    params = model.init(key, image, train=False)["params"]
    given, h = encoding(model, params, image), 1e-2
    steps = h * jnp.eye(5)
    slopes = [(given.encode(image + e) - given.encode(image - e)) / (2 * h) for e in steps[:, None]]
    expected = sum(jnp.sum(slope**2, -1) for slope in slopes)
    # Central differences err by h^2 / 6 of the third derivative, and float32 by 1e-7 / h.
    np.testing.assert_allclose(contraction(given), expected, rtol=1e-3)
    if not widths:
        np.testing.assert_allclose(contraction_of_sigmoids(given), contraction(given), rtol=1e-5)
    else:
        with pytest.raises(UserError, match="contraction of one sigmoid layer"):
            contraction_of_sigmoids(given)


def test_masking_and_noise(key):
    image = jnp.full((100, 200), 0.5)
    masked = np.asarray(masking(0.3)(image, key))
    assert set(np.unique(masked)) == {0.0, 0.5}  # what is kept is not scaled up, as dropout would
    # 20,000 draws: a standard deviation of sqrt(0.3 x 0.7 / 20,000) = 0.003
    assert abs((masked == 0).mean() - 0.3) < 0.015
    noise = np.asarray(gaussian_noise(0.4)(image, key)) - 0.5
    assert abs(noise.mean()) < 0.015 and abs(noise.std() - 0.4) < 0.01


def test_the_target_is_the_clean_image(key):
    """With everything masked, the error is of the image before it."""
    task = autoencoding(FLAT, corrupt=lambda image, key: jnp.zeros_like(image))
    batch = {"image": jnp.full((2, 5), 0.75)}
    params = ones()
    params["model"]["decoder_0"]["bias"] = jnp.full(5, jnp.log(3.0))  # a mean of 3/4
    found = task.evaluate(params, {"model": {}}, batch, key)
    entropy = -5 * (0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    np.testing.assert_allclose(found["reconstruction"].value, entropy, rtol=1e-6)
    np.testing.assert_allclose(found["mse"].value, 0.0, atol=1e-12)
    variables = Variables(params, {"model": {}})
    np.testing.assert_allclose(task.predict(variables, batch), 0.75, rtol=1e-6)
    # In use nothing is masked: 5 x 0.75 into each sigmoid.
    code = 1 / (1 + np.exp(-3.75))
    np.testing.assert_allclose(coding(FLAT)(variables, batch), np.full((2, 3), code), rtol=1e-6)


def test_layers_learn_the_clean_codes_of_those_below(key):
    """Neither the lower layer's corruption nor the upper one's is in the target, 1/2 = sigmoid(0)."""
    layers = [FLAT, Toy(2, 3)]
    corruptions = [lambda x, key: x + 1, lambda x, key: jnp.zeros_like(x)]
    first, second = layer_by_layer(layers, corruptions)
    assert list(first.losses) == ["layer0"] and list(second.losses) == ["layer1"]
    batch = {"image": jnp.zeros((2, 5))}
    shapes = jax.eval_shape(lambda: second.init(key, batch))[0]
    assert set(shapes) == {"layer0", "layer1"}
    upper = {
        "encoder_0": {"kernel": jnp.ones((3, 2)), "bias": jnp.zeros(2)},
        "decoder_0": {"kernel": jnp.zeros((2, 3)), "bias": jnp.full(3, jnp.log(3.0))},
    }
    params, extra = {"layer0": ones()["model"], "layer1": upper}, {"layer0": {}, "layer1": {}}
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(jnp.shape, shapes)
    found = second.evaluate(params, extra, batch, key)
    np.testing.assert_allclose(found["mse"].value, (3 / 4 - 1 / 2) ** 2, rtol=1e-6)
    np.testing.assert_allclose(found["corrupted_mse"].value, (0 - 1 / 2) ** 2, rtol=1e-6)
    np.testing.assert_allclose(first.evaluate(params, extra, batch, key)["corrupted_mse"].value, 1)


def test_the_classifier_starts_from_the_encoders(key):
    layers = {f"layer{i}": {"encoder_0": jnp.full(2, i), "decoder_0": jnp.ones(3)} for i in (0, 1)}
    new = {"encoder_0": jnp.full(2, 7), "encoder_1": jnp.full(2, 7), "output": jnp.full(2, 8)}
    before = State(jnp.int32(5), key, layers, {}, {"layer1": ()}, None)
    fresh = State(jnp.int32(0), key, {"model": new}, {"model": {}}, {"model": ()}, None)
    after = unrolled(before, fresh)
    assert after.step == 5 and after.opt == fresh.opt and after.extra == fresh.extra
    (params,) = after.params.values()
    assert {name: float(x[0]) for name, x in params.items()} == {
        "encoder_0": 0,
        "encoder_1": 1,
        "output": 8,
    }
    assert unrolled(None, fresh) is fresh
