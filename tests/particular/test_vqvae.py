"""VQ-VAE: the nearest code, its gradient, and the codebook of moving averages."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dljax import Arrays, Pipeline, learn
from dljax.models.autoencoders import vqvae
from dljax.runtime.execute import make_executor
from dljax.runtime.profile import Mesh, Profile
from dljax.tasks.codebook import vector_quantized

TABLE = jnp.eye(2)
Z = jnp.array([[0.9, 0.1], [0.2, 0.8]])[None, None]  # [b, i, j, d]


def tiny(**changes):
    return vqvae.VQVAE(**{**vqvae.VARIANTS["tiny"], **changes})


def quantize(z, table, train=False, decay=None, **state):
    """(vectors, codes, the collection afterwards) of a quantizer with this codebook."""
    module = vqvae.Quantizer(len(table), decay)
    if decay is None:
        return *module.apply({"params": {"table": table}}, z, train=train), None
    kept = {"table": table, **state}
    out, after = module.apply({"codebook": kept}, z, train=train, mutable=["codebook"])
    return *out, after["codebook"]


def test_the_nearest_code_and_of_equally_near_ones_the_first():
    vectors, code, _ = quantize(Z, jnp.concatenate([TABLE, TABLE]))
    np.testing.assert_array_equal(code, [[[0, 1]]])
    np.testing.assert_array_equal(vectors, TABLE[None, None])
    # Nearest by distance, not by product: (3, 3) has the larger product with both.
    assert quantize(Z, jnp.array([[3.0, 3.0], [0.5, 0.5]]))[1].max() == 1


def test_the_gradient_passes_the_codes_unchanged(key):
    """Straight through: the encoder's is the decoder's, and none reaches the codebook by that way."""
    model = tiny(decay=None)
    image = jax.random.uniform(key, (2, 8, 8, 1))
    params = model.init(key, image, train=False)["params"]
    towards = jax.random.normal(key, image.shape)

    def straight(params):
        return jnp.sum(model.apply({"params": params}, image, train=True)[0] * towards)

    made, z, nearest, _ = model.apply({"params": params}, image, train=True)
    back = vqvae.Decoder(8, 1, 4, 1, True)

    def by_hand(params):
        """The decoder's gradient at the codes, sent into the encoder at z."""
        at = jax.lax.stop_gradient(nearest)
        slope = jax.grad(
            lambda code: jnp.sum(back.apply({"params": params["decoder"]}, code) * towards)
        )(at)
        encoder = vqvae.Encoder(8, 1, 4, 4, True)
        z = encoder.apply({"params": params["encoder"]}, image)
        return jnp.sum(z * jax.lax.stop_gradient(slope))

    found, expected = jax.grad(straight)(params), jax.grad(by_hand)(params)
    assert float(jnp.abs(z - nearest).max()) > 0.01
    assert not np.any(found["quantizer"]["table"])
    jax.tree.map(
        # The same sums in two programs.
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
        found["encoder"],
        expected["encoder"],
    )


def test_smoothing_keeps_the_total():
    out = vqvae.smoothed(jnp.array([0.03, 0.01, 0.0]))
    # (c + 1e-5) 0.04 / 0.04003
    np.testing.assert_allclose(out, [0.0299875, 0.0100025, 9.9925e-6], rtol=1e-5)
    np.testing.assert_allclose(out.sum(), 0.04, rtol=1e-6)


def test_the_codebook_goes_to_the_means_of_what_is_near():
    """With a decay of 3/4: sums 3/4 m + z/4, counts 3/4 n + 1/4."""
    state = {"sums": jnp.array([[2.0, 0.0], [0.0, 4.0]]), "counts": jnp.array([2.0, 4.0])}
    _, _, after = quantize(Z, TABLE, True, 0.75, **state)
    sums = np.array([[1.5 + 0.225, 0.025], [0.05, 3.0 + 0.2]])
    np.testing.assert_allclose(after["sums"], sums, rtol=1e-6)
    np.testing.assert_allclose(after["counts"], [1.75, 3.25], rtol=1e-6)
    # Smoothing moves counts of this size by less than 1e-5 of themselves.
    np.testing.assert_allclose(after["table"], sums / [[1.75], [3.25]], rtol=2e-5)


def test_the_codebook_rests_in_evaluation():
    state = {"sums": 2 * TABLE, "counts": jnp.array([2.0, 4.0])}
    _, _, after = quantize(Z, TABLE, False, 0.75, **state)
    jax.tree.map(np.testing.assert_array_equal, after, {"table": TABLE, **state})


@pytest.mark.parametrize("executor", ["jit", "pmap"])
def test_the_codebook_is_of_the_whole_batch_on_eight_devices(executor):
    rng = np.random.default_rng(0)
    source = Arrays({"image": rng.uniform(size=(32, 8, 8, 1)).astype(np.float32)})
    learner = learn(vector_quantized(tiny(), 0.1), optax.sgd(0.1))

    def after(profile):
        run = make_executor(profile, learner, Pipeline(source, 16))
        state = run.init(jax.random.key(1))
        for step in range(2):
            state, packed = run.step(state, run.place(step, 1), 1)
        return np.asarray(packed), run.whole(state).extra["model"]["codebook"]["quantizer"]

    one = after(Profile(mesh=Mesh(data=1)))
    eight = after(Profile(mesh=Mesh(data=8), executor=executor))
    assert one[1]["counts"].max() > 0
    # Sums over 64 places in another order, divided by counts of about 1.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6), one, eight)


def test_decode_is_the_way_back_of_encode(key):
    for decay in (None, 0.99):
        model = tiny(decay=decay)
        image = jax.random.uniform(key, (2, 8, 8, 1))
        variables = model.init(key, image, train=False)
        whole = model.apply(variables, image, train=False)[0]
        code = model.apply(variables, image, method="encode")
        assert code.shape == (2, 2, 2) and code.dtype == jnp.int32
        made = model.apply(variables, code, method="decode")
        # z + (e - z) is e but for float32's rounding.
        np.testing.assert_allclose(made, whole, atol=1e-6)
