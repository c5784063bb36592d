"""Two networks against each other. Goodfellow et al. 2014, arXiv:1406.2661.

A game is the players' losses, of the discriminator's numbers for real and for made examples.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from dljax import axes
from dljax.learner import named
from dljax.tasks.linen import forward, initialize
from dljax.tasks.supervised import means
from dljax.types import Array, Aux, Task, Variables

_bce = optax.sigmoid_binary_cross_entropy


class Game(NamedTuple):
    """The losses of two players.

    Attributes:
        discriminator: (its numbers [b] for real examples, for made ones) -> scalar.
        generator: (the discriminator's numbers [b] for made examples) -> scalar.
        measured: as ``discriminator`` -> name -> [b], reported of training and evaluation.
        penalty: weight of (|slope| - 1)^2 in the discriminator's loss (see ``slopes``), or 0.
    """

    discriminator: Callable[[Array, Array], Array]
    generator: Callable[[Array], Array]
    measured: Callable[[Array, Array], Mapping[str, Array]]
    penalty: float = 0.0


def non_saturating(real: float = 1.0) -> Game:
    """Cross-entropies, with the generator's loss of section 3, which does not saturate.

        discriminator:  -E log D(x) - E log(1 - D(G(z)))
        generator:      -E log D(G(z))

    It measures ``real`` and ``fake``, D's probability that a real and a made example is real. They do not
    say whether the samples are good: two untrained networks score 1/2 and 1/2.

    Args:
        real: the discriminator's target for real examples; 0.9 is the one-sided smoothing of Salimans
            et al. 2016, arXiv:1606.03498, section 3.4.
    """
    return Game(
        lambda on_real, on_fake: jnp.mean(_bce(on_real, real)) + jnp.mean(_bce(on_fake, 0.0)),
        lambda on_fake: jnp.mean(_bce(on_fake, 1.0)),
        lambda on_real, on_fake: {
            "real": jax.nn.sigmoid(on_real),
            "fake": jax.nn.sigmoid(on_fake),
        },
    )


def wasserstein(penalty: float = 0.0, drift: float = 0.0) -> Game:
    """The critic's means. Arjovsky et al. 2017, arXiv:1701.07875.

        critic:     E D(G(z)) - E D(x) + penalty E (|dD/dx| - 1)^2 + drift E D(x)^2
        generator:  -E D(G(z))

    It measures ``distance``, E D(x) - E D(G(z)). The critic must not be steep: its weights are clipped
    after every step (``clipped``), or its slope is held at 1 between real and made examples. It moves
    several times for each step of the generator: ``learn(..., every={"generator": 5})``.

    Args:
        penalty: 10 in Gulrajani et al. 2017, arXiv:1704.00028; 0 for none.
        drift: weight that keeps the critic's numbers near 0; 0.001 in Karras et al. 2018, arXiv:1710.10196,
            appendix A.1.
    """
    return Game(
        lambda on_real, on_fake: (
            jnp.mean(on_fake) - jnp.mean(on_real) + drift * jnp.mean(on_real**2)
        ),
        lambda on_fake: -jnp.mean(on_fake),
        lambda on_real, on_fake: {"distance": on_real - on_fake},
        penalty,
    )


def slopes(critic: Callable[[Array], Array], x: Array) -> Array:
    """|d critic / d x| at each example, [b]: Euclidean over all dimensions of the example.

    Args:
        critic: [b, ...] -> [b], each number of its own example alone.
        x: [b, ...].
    """
    gradient = jax.grad(lambda x: jnp.sum(critic(x)))(x)
    squared = jnp.sum(jnp.reshape(gradient, (len(x), -1)) ** 2, axis=1)
    flat = squared == 0  # where the root has no gradient
    return jnp.where(flat, 0.0, jnp.sqrt(jnp.where(flat, 1.0, squared)))


def clipped(tx: optax.GradientTransformation, bound: float) -> optax.GradientTransformation:
    """The optimizer, after each of whose steps all parameters lie in -bound..bound.

    Arjovsky et al. 2017, arXiv:1701.07875, algorithm 1, with 0.01.
    """

    def inside(updates, params):
        def shortened(u, p):
            return jnp.clip(p + u, -bound, bound) - p

        return jax.tree.map(shortened, updates, params)

    return optax.chain(tx, optax.stateless(inside))


def images_of(generator: nn.Module, low: float = -1.0) -> Callable[..., Array]:
    """Function (variables of ``adversarial``, noise [b, z], and labels [b] where it takes them) -> images, 0 black
    and 1 white, bounded as the generator is.

    Args:
        low: pixel value of black; white is 1.
    """

    @jax.jit
    def of(variables: Variables, noise: Array, *labels: Array) -> Array:
        given = variables.params["generator"], variables.extra["generator"]
        image, _ = forward(generator, *given, noise, *labels, key=None, train=False)
        return (image - low) / (1 - low)

    return of


def adversarial(
    generator: nn.Module,
    discriminator: nn.Module,
    latent: int = 100,
    *,
    real: float = 1.0,
    game: Game | None = None,
    low: float = -1.0,
    classes: int = 0,
) -> Task:
    """A game of two players, "discriminator" and "generator", in this order.

    The discriminator sees real and made images as separate batches, each with its own BatchNorm
    statistics, as in pytorch/examples. The generator moves second, against the discriminator just
    updated and on other noise.

    Args:
        generator: called as ``generator(noise [b, latent], train=...) -> image [b, h, w, c]``.
        discriminator: called as ``discriminator(image, train=...) -> logit [b]``.
        latent: length of the standard normal noise.
        real: of ``non_saturating``, the game by default.
        game: another one.
        low: pixel value of black; white is 1.
        classes: number of classes, where both networks take a label [b] after their input: the batch's
            own, to the generator and to the discriminator of what it made. Samples are of the classes 0,
            1, ... in turn. 0 where they take none.

    Batch: ``image`` [b, h, w, c] in ``low``..1, the generator's range (or [b, d]), and ``label`` where
    there are classes. Evaluation: what the game measures. Judge ``sample`` (``dljax.analysis``).
    """
    game = game or non_saturating(real)

    def told(batch):
        """The inputs of both networks beside their first one."""
        return (batch["label"],) if classes else ()

    def init(key, batch):
        noise = jnp.zeros((batch["image"].shape[0], latent), batch["image"].dtype)
        return initialize(
            key,
            {
                "discriminator": (discriminator, (batch["image"], *told(batch))),
                "generator": (generator, (noise, *told(batch))),
            },
        )

    def make(params, extra, batch, key, train: bool):
        key, noise_key = jax.random.split(key)
        image = batch["image"]
        noise = axes.normal(noise_key, (image.shape[0], latent)).astype(image.dtype)
        given = params["generator"], extra["generator"]
        made, changed = forward(generator, *given, noise, *told(batch), key=key, train=train)
        return made, {**extra, "generator": changed}

    def judge(params, extra, image, batch, key, train: bool) -> tuple[Array, dict]:
        given = params["discriminator"], extra["discriminator"]
        logit, changed = forward(discriminator, *given, image, *told(batch), key=key, train=train)
        return logit.astype(jnp.float32), {**extra, "discriminator": changed}

    def steepness(params, extra, batch, made, key) -> Array:
        """The slopes at points drawn on the lines between real and made examples."""
        image, at = batch["image"], named(key, "at")
        part = axes.rows(partial(jax.random.uniform, at), (len(image),)).astype(image.dtype)
        part = jnp.reshape(part, (-1, *[1] * (image.ndim - 1)))
        between = part * image + (1 - part) * made

        def critic(x):
            return judge(params, extra, x, batch, named(key, "critic"), True)[0]

        return slopes(critic, between)

    def discriminator_loss(params, extra, batch, key):
        make_key, real_key, fake_key = jax.random.split(key, 3)
        on_real, extra = judge(params, extra, batch["image"], batch, real_key, True)
        made, extra = make(params, extra, batch, make_key, True)
        on_fake, extra = judge(params, extra, made, batch, fake_key, True)
        value = game.discriminator(on_real, on_fake)
        metrics = {name: jnp.mean(x) for name, x in game.measured(on_real, on_fake).items()}
        if game.penalty:
            slope = steepness(params, extra, batch, made, named(key, "slope"))
            value = value + game.penalty * jnp.mean((slope - 1.0) ** 2)
            metrics["slope"] = jnp.mean(slope)
        return value, Aux(metrics, extra)

    def generator_loss(params, extra, batch, key):
        make_key, fake_key = jax.random.split(key)
        made, extra = make(params, extra, batch, make_key, True)
        on_fake, extra = judge(params, extra, made, batch, fake_key, True)
        return game.generator(on_fake), Aux({}, extra)

    def evaluate(params, extra, batch, key):
        made, _ = make(params, extra, batch, key, False)
        on_real, _ = judge(params, extra, batch["image"], batch, None, False)
        on_fake, _ = judge(params, extra, made, batch, None, False)
        return means(game.measured(on_real, on_fake), batch)

    drawn = images_of(generator, low)

    @partial(jax.jit, static_argnums=2)
    def sample(variables, key, n):
        labels = (jnp.arange(n) % classes,) if classes else ()
        return drawn(variables, jax.random.normal(key, (n, latent)), *labels)

    losses = {"discriminator": discriminator_loss, "generator": generator_loss}
    return Task(init, losses, evaluate, sample=sample)
