"""Progressive GAN: its networks beside the authors' code, and while they grow."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from parity.cases import PROGRESSIVE, progressive_noise
from parity.recipe import weights

from dljax import models
from dljax.errors import UserError
from dljax.models.adversarial import progressive_gan
from dljax.models.adversarial.progressive_gan import pixel_norm
from dljax.nn import doubled, halved
from dljax.weights import progressive_gan as names
from dljax.weights.mapping import from_variables, to_variables

GOLDEN = Path(__file__).parents[1] / "parity" / "golden" / "progressive_gan.npz"


def count(tree) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


@pytest.mark.parametrize(
    "variant, made, judged",
    [
        ("32", 20_719_628, 20_726_785),
        ("64", 22_490_383, 22_498_049),
        ("1024", 23_079_115, 23_087_249),
    ],
)
def test_parts_have_the_published_counts(variant, made, judged, key):
    model = models.build(progressive_gan, variant)
    generator, discriminator = model.parts()
    noise = jnp.zeros((4, 512))
    image, variables = jax.eval_shape(lambda: generator.init_with_output(key, noise, train=False))
    assert image.shape == (4, model.size, model.size, 3)
    assert count(variables["params"]) == made
    assert (
        count(jax.eval_shape(lambda i: discriminator.init(key, i, train=False), image)["params"])
        == judged
    )


def test_widths_are_the_papers(key):
    """Table 2: channels of the maps from 4 x 4 to 1024 x 1024."""
    generator, _ = models.build(progressive_gan, "1024").parts()
    widths = [generator.width(4 << i) for i in range(9)]
    assert widths == [512, 512, 512, 512, 256, 128, 64, 32, 16]


@pytest.mark.parametrize("size", [2, 28])
def test_sizes_are_powers_of_2(size):
    with pytest.raises(UserError, match=f"images of {size} pixels a side: expected 4, 8"):
        _ = models.build(progressive_gan, "small", size=size).sizes
    assert models.build(progressive_gan, "small", size=32).sizes == [4, 8, 16, 32]


def test_the_authors_networks_give_the_same(key):
    """Images and numbers in mid-fade, of weights that went there and back through the map."""
    changes = {name: PROGRESSIVE[name] for name in ("size", "base", "most", "part")}
    model = models.build(progressive_gan, "32", latent=PROGRESSIVE["most"], **changes)
    noise = jnp.asarray(progressive_noise())
    zeros = jax.tree.map(
        lambda x: np.zeros(x.shape, x.dtype),
        jax.eval_shape(lambda: model.init(key, noise, train=False))["params"],
    )
    entries = names.entries(model)
    shapes = {k: x.shape for k, x in from_variables(entries, {"params": zeros}).items()}
    state = weights(shapes, PROGRESSIVE["gain"])
    params = to_variables(entries, state)["params"]
    assert jax.tree.map(np.shape, params) == jax.tree.map(np.shape, zeros)
    back = from_variables(entries, {"params": params})
    assert back.keys() == state.keys()
    jax.tree.map(np.testing.assert_array_equal, back, state)
    fade = {"fade": {"part": jnp.float32(PROGRESSIVE["part"])}}

    @jax.jit
    def both(params):
        generator, discriminator = model.parts()
        image = generator.apply({"params": params["generator"], **fade}, noise, train=False)
        given = {"params": params["discriminator"], **fade}
        return image, discriminator.apply(given, image, train=False)

    image, score = both(jax.tree.map(jnp.asarray, params))
    with np.load(GOLDEN) as file:
        golden = dict(file)
    # float32 sums of at most 192 terms through at most 14 layers.
    np.testing.assert_allclose(image, golden["image"], atol=1e-5 * np.abs(golden["image"]).max())
    np.testing.assert_allclose(score, golden["score"], rtol=1e-4)


def test_pixel_norm_by_hand(key):
    """(3, 4) / sqrt(25 / 2); the mean square of what leaves it is 1."""
    np.testing.assert_allclose(
        pixel_norm(jnp.array([[3.0, 4.0]])), [[0.848528, 1.131371]], rtol=1e-6
    )
    x = pixel_norm(7 * jax.random.normal(key, (2, 3, 3, 5)))
    np.testing.assert_allclose(jnp.mean(x**2, -1), 1, rtol=1e-6)


@pytest.fixture(scope="module")
def pair():
    """The tiny networks at 4 and at 8, the variables of the larger, and a function that applies them."""
    key = jax.random.key(0)
    large = models.build(progressive_gan, "tiny")
    noise = jax.random.normal(key, (4, large.latent))
    image = jax.random.normal(key, (4, 8, 8, 1))
    networks = {side: large.at(side).parts() for side in (4, 8)}
    params = [
        jax.jit(lambda x, m=m: m.init(key, x, train=False)["params"])(x)
        for m, x in zip(networks[8], (noise, image), strict=True)
    ]

    def applied(side, params, part, noise, image):
        variables = [{"params": p, "fade": {"part": jnp.float32(part)}} for p in params]
        pairs = zip(networks[side], variables, (noise, image), strict=True)
        return [m.apply(v, x, train=True) for m, v, x in pairs]

    return jax.jit(applied, static_argnums=0), params, noise, image


def test_at_part_0_the_old_networks_are_shown(pair):
    """Exactly: the old image with every pixel four times, and the old number of the halved image."""
    applied, params, noise, image = pair
    old = [{k: v for k, v in p.items() if "8" not in k} for p in params]
    made, judged = applied(4, old, 0.5, noise, halved(image))
    grown, seen = applied(8, params, 0.0, noise, image)
    np.testing.assert_array_equal(grown, doubled(made))
    np.testing.assert_array_equal(seen, judged)


def test_at_part_1_only_the_new_layers_are(pair):
    """Whatever the old layers of images hold; in between they count."""
    applied, params, noise, image = pair
    other = [
        {k: jax.tree.map(lambda x: x + 3, v) if k.endswith("image4") else v for k, v in p.items()}
        for p in params
    ]
    for part, alike in ((1.0, True), (0.5, False)):
        before, after = (applied(8, p, part, noise, image) for p in (params, other))
        for one, two in zip(before, after, strict=True):
            assert np.array_equal(one, two) == alike
    old, new, half = (applied(8, params, part, noise, image)[0] for part in (0.0, 1.0, 0.5))
    np.testing.assert_allclose(half, (old + new) / 2, atol=1e-6)


def test_gains_of_the_first_and_the_last_layer(pair):
    """Kernels of ones: a quarter of He's gain over sqrt(8) at first, and 1 over sqrt(4) for the image."""
    _, params, _, _ = pair
    generator, _ = models.build(progressive_gan, "tiny").parts()
    ones = jax.tree.map(lambda x: jnp.ones(x.shape) if x.ndim > 1 else 0 * x, params[0])
    _, seen = generator.apply(
        {"params": ones, "fade": {"part": jnp.ones(())}},
        jnp.ones((1, 8)),
        train=False,
        capture_intermediates=True,
        mutable=["intermediates"],
    )
    found = {name: x["__call__"][0] for name, x in seen["intermediates"].items() if name[0] != "_"}
    # The noise is normed to ones: 8 of them times sqrt(2) / 4 / sqrt(8).
    np.testing.assert_allclose(found["dense"], 1.0, rtol=1e-6)
    # The last map is normed to ones in 4 channels, but for 1e-8: 4 / sqrt(4).
    np.testing.assert_allclose(found["to_image8"], 2.0, rtol=1e-6)
