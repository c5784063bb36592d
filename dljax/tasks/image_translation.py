"""Images of one kind into images of another: from pairs (pix2pix: Isola et al. 2017, arXiv:1611.07004), or
from two sets that have no pairs (CycleGAN: Zhu et al. 2017, arXiv:1703.10593).
"""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from dljax import axes
from dljax.learner import named
from dljax.tasks.adversarial import non_saturating
from dljax.tasks.linen import forward, initialize
from dljax.tasks.supervised import means
from dljax.types import Array, Aux, Key, PyTree, Task


def paired(generator: nn.Module, discriminator: nn.Module, *, weight: float = 100.0) -> Task:
    """A conditional game and an L1 distance, equation 4: players "discriminator" and "generator".

        discriminator:  (-E log D(x, y) - E log(1 - D(x, G(x)))) / 2
        generator:      -E log D(x, G(x)) + weight E |y - G(x)|

    The halved loss slows the discriminator down (section 3.3).

    Args:
        generator: called as ``generator(image, train=...) -> image`` of the target's shape.
        discriminator: called as ``discriminator(pair, train=...) -> logits [b, ...]``, the pair side by side in
            the channels, the given image first.
        weight: of the L1 distance, a mean over pixels and channels.

    Batch: ``image`` [b, h, w, c] and ``target`` [b, h, w, d] in -1..1. Evaluation: ``l1``. ``predict`` translates
    without dropout and by the moving statistics, where the paper keeps both as in training.
    """
    game = non_saturating()

    def init(key, batch):
        pair = jnp.concatenate([batch["image"], batch["target"]], -1)
        return initialize(
            key,
            {
                "discriminator": (discriminator, (pair,)),
                "generator": (generator, (batch["image"],)),
            },
        )

    def make(params, extra, batch, key, train: bool) -> tuple[Array, PyTree]:
        given = params["generator"], extra["generator"]
        made, changed = forward(generator, *given, batch["image"], key=key, train=train)
        return made, {**extra, "generator": changed}

    def judge(params, extra, batch, made, key) -> tuple[Array, PyTree]:
        pair = jnp.concatenate([batch["image"], made.astype(batch["image"].dtype)], -1)
        given = params["discriminator"], extra["discriminator"]
        logit, changed = forward(discriminator, *given, pair, key=key, train=True)
        return logit.astype(jnp.float32), {**extra, "discriminator": changed}

    def discriminator_loss(params, extra, batch, key):
        make_key, real_key, fake_key = jax.random.split(key, 3)
        made, extra = make(params, extra, batch, make_key, True)
        on_fake, extra = judge(params, extra, batch, made, fake_key)
        on_real, extra = judge(params, extra, batch, batch["target"], real_key)
        metrics = {name: jnp.mean(x) for name, x in game.measured(on_real, on_fake).items()}
        return game.discriminator(on_real, on_fake) / 2, Aux(metrics, extra)

    def generator_loss(params, extra, batch, key):
        make_key, fake_key = jax.random.split(key)
        made, extra = make(params, extra, batch, make_key, True)
        on_fake, extra = judge(params, extra, batch, made, fake_key)
        l1 = jnp.mean(jnp.abs(made - batch["target"]).astype(jnp.float32))
        return game.generator(on_fake) + weight * l1, Aux({"l1": l1}, extra)

    def evaluate(params, extra, batch, key):
        made, _ = make(params, extra, batch, None, False)
        return means({"l1": _distance(made, batch["target"])}, batch)

    def predict(variables, batch):
        return make(variables.params, variables.extra, batch, None, False)[0]

    losses = {"discriminator": discriminator_loss, "generator": generator_loss}
    return Task(init, losses, evaluate, predict)


def _distance(made: Array, target: Array) -> Array:
    """Mean |difference| of each image, [b]."""
    return jnp.mean(jnp.abs(made - target).astype(jnp.float32), axis=(1, 2, 3))


class Pool(NamedTuple):
    """Images made earlier, for a discriminator to see again. Shrivastava et al. 2017, arXiv:1612.07828,
    section 2.3.

    Attributes:
        images: [size, h, w, c]; those from ``filled`` on are empty.
        filled: int32 scalar.
    """

    images: Array
    filled: Array


def through_pool(pool: Pool, made: Array, key: Key) -> tuple[Array, Pool]:
    """Images for the discriminator [b, h, w, c], and the pool after them.

    One image after the other: until the pool is full it is kept and shown; after that, with a chance of a half
    it takes the place of one in the pool, which is shown in its stead, and else it is shown and not kept.
    A pool of no images shows all as they are.
    """
    if not len(pool.images):
        return made, pool
    size, rows = len(pool.images), axes.gathered(made)
    draws = jax.random.uniform(key, (len(rows), 2))

    def one(pool: Pool, given: tuple[Array, Array]) -> tuple[Pool, Array]:
        image, draw = given
        full = pool.filled >= size
        at = jnp.where(full, (draw[0] * size).astype(jnp.int32), pool.filled)
        kept = ~full | (draw[1] < 0.5)
        old = pool.images[at]
        images = pool.images.at[at].set(jnp.where(kept, image.astype(old.dtype), old))
        shown = jnp.where(full & kept, old.astype(image.dtype), image)
        return Pool(images, jnp.minimum(pool.filled + 1, size)), shown

    pool, shown = lax.scan(one, pool, (lax.stop_gradient(rows), draws))
    return axes.own(shown, len(made)), pool


def unpaired(
    generator: nn.Module,
    discriminator: nn.Module,
    *,
    cycle: float = 10.0,
    identity: float = 0.5,
    pool: int = 50,
) -> Task:
    """Two translators, there and back, and a discriminator of either side.

        judge_a:     (E (D_A(a) - 1)^2 + E D_A(G_BA(b))^2) / 2, and so judge_b
        generators:  E (D_B(G_AB(a)) - 1)^2 + E (D_A(G_BA(b)) - 1)^2
                     + cycle (E |G_BA(G_AB(a)) - a| + E |G_AB(G_BA(b)) - b|)
                     + cycle identity (E |G_AB(b) - b| + E |G_BA(a) - a|)

    The four networks are the players "judge_a", "judge_b" and "generators" (of "to_a" and "to_b"), which move in
    this order, where the authors' code moves the generators first, against the discriminators of before.

    Args:
        generator, discriminator: called as ``network(image, train=...)``, without collections; each is used
            twice, with parameters of its own.
        cycle, identity: the weights; the authors' identity loss keeps colors (section 5.2).
        pool: images made earlier from which a discriminator's are drawn (section 4).

    Batch: ``image`` (a) and ``other`` (b), both [b, h, w, c] in -1..1, no pairs. Evaluation: ``cycle``, the mean
    |G_BA(G_AB(a)) - a|, and ``l1``, of G_AB(a), where the batch has its ``target``. ``predict`` is G_AB.
    """
    judges = {"judge_a": ("image", "other", "to_a"), "judge_b": ("other", "image", "to_b")}

    def init(key, batch):
        given = {name: (discriminator, (batch["image"],)) for name in judges}
        both = {name: (generator, (batch["image"],)) for name in ("to_a", "to_b")}
        params, extra = initialize(key, {**given, "generators": both})
        empty = jnp.zeros((pool, *batch["image"].shape[1:]), jnp.float32)
        pools = {name: {"pool": Pool(empty, jnp.zeros((), jnp.int32))} for name in judges}
        return params, {**extra, **pools}

    def made(params, name: str, image: Array) -> Array:
        own = params["generators"][name]
        return forward(generator, own, {}, image, key=None, train=True)[0]

    def judged(params, name: str, image: Array) -> Array:
        out, _ = forward(discriminator, params[name], {}, image, key=None, train=True)
        return out.astype(jnp.float32)

    def judge_loss(name: str):
        real, source, translator = judges[name]

        def loss(params, extra, batch, key):
            fake = lax.stop_gradient(made(params, translator, batch[source]))
            shown, after = through_pool(extra[name]["pool"], fake, named(key, "pool"))
            on_real, on_fake = judged(params, name, batch[real]), judged(params, name, shown)
            value = (jnp.mean((on_real - 1) ** 2) + jnp.mean(on_fake**2)) / 2
            metrics = {"real": jnp.mean(on_real), "fake": jnp.mean(on_fake)}
            return value, Aux(metrics, {**extra, name: {**extra[name], "pool": after}})

        return loss

    def l1(a: Array, b: Array) -> Array:
        return jnp.mean(jnp.abs(a - b).astype(jnp.float32))

    def generator_loss(params, extra, batch, key):
        a, b = batch["image"], batch["other"]
        to_b, to_a = made(params, "to_b", a), made(params, "to_a", b)
        game = jnp.mean((judged(params, "judge_b", to_b) - 1) ** 2)
        game += jnp.mean((judged(params, "judge_a", to_a) - 1) ** 2)
        back = l1(made(params, "to_a", to_b), a) + l1(made(params, "to_b", to_a), b)
        value, metrics = game + cycle * back, {"game": game, "cycle": back}
        if identity:
            same = l1(made(params, "to_b", b), b) + l1(made(params, "to_a", a), a)
            value, metrics = value + cycle * identity * same, {**metrics, "identity": same}
        return value, Aux(metrics, extra)

    def evaluate(params, extra, batch, key):
        there = made(params, "to_b", batch["image"])
        found = {"cycle": _distance(made(params, "to_a", there), batch["image"])}
        if "target" in batch:
            found["l1"] = _distance(there, batch["target"])
        return means(found, batch)

    def predict(variables, batch):
        return made(variables.params, "to_b", batch["image"])

    losses = {**{name: judge_loss(name) for name in judges}, "generators": generator_loss}
    return Task(init, losses, evaluate, predict)
