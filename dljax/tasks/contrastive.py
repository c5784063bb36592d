"""Two pictures of one thing are told from pictures of others. Chen et al. 2020, SimCLR, arXiv:2002.05709."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from dljax import axes
from dljax.nn import first_maximum
from dljax.tasks.linen import initialize
from dljax.tasks.supervised import MODEL, represented, supervised
from dljax.types import Array, Batch, Key, Task


def _normalized(z: Array) -> Array:
    """Vectors of length 1, [b, z] float32; zeros stay zeros."""
    z = z.astype(jnp.float32)
    return z * jax.lax.rsqrt(jnp.maximum(jnp.sum(z**2, -1, keepdims=True), 1e-24))


def nt_xent(
    first: Array, second: Array, temperature: float = 0.5, counts: Array | None = None
) -> tuple[Array, Array]:
    """The normalized, temperature-scaled cross-entropy of each pair: equation 1, for i and for j.

        l(i, j) = -log exp(sim(z_i, z_j) / t) / sum_{k != i} exp(sim(z_i, z_k) / t)

    with sim the cosine, and k over both pictures of every pair in the batch, i itself left out. Per device
    each sees the rows of all others, so the batch is the global one. Over microbatches each is a batch of
    its own.

    Args:
        first, second: [b, z], of which row n is of one thing.
        temperature: t.
        counts: [b], 0 where a row pads, which is nobody's k.

    Returns:
        (the mean of l(i, j) and l(j, i) in nats, [b]; the part of the two whose nearest k is the other of
        its pair, [b]).
    """
    n = len(first)
    own = jnp.concatenate([_normalized(first), _normalized(second)])
    everyone = jnp.concatenate([axes.gathered(own[:n]), axes.gathered(own[n:])])
    whole = len(everyone) // 2
    at = axes.own(jnp.arange(whole), n)
    itself, other = (jnp.concatenate(pair) for pair in ((at, at + whole), (at + whole, at)))
    left_out = jnp.arange(2 * whole)[None] == itself[:, None]
    if counts is not None:
        left_out |= jnp.tile(axes.gathered(counts) <= 0, 2)[None]
    scores = own @ everyone.T / temperature
    right = jnp.take_along_axis(scores, other[:, None], axis=1)[:, 0]
    scores = jnp.where(left_out, -jnp.inf, scores)
    loss = jax.nn.logsumexp(scores, axis=1) - right
    found = (first_maximum(scores) == other).astype(jnp.float32)
    return (loss[:n] + loss[n:]) / 2, (found[:n] + found[n:]) / 2


def contrastive(model: nn.Module, temperature: float = 0.5) -> Task:
    """``nt_xent`` of the projections of two pictures, which go through the model as one batch (algorithm 1).

    Args:
        model: called as ``model(image [b, h, w, c], train=...) -> z [b, z]``, with a method
            ``represent(image) -> h [b, d]``, in use.
        temperature: of ``nt_xent``.

    Batch: ``image`` and ``second`` [b, h, w, c]. Evaluation: ``loss`` in nats, and ``accuracy``, the part of
    the pictures whose nearest other one in the batch is the second of its pair; both depend on the batch's
    size. ``predict`` is the representation h of ``image``, not its projection.
    """

    def both(batch: Batch) -> tuple:
        # The two in turn, so that a pair lies on one device.
        pairs = jnp.stack([batch["image"], batch["second"]], axis=1)
        return (pairs.reshape(-1, *pairs.shape[2:]),)

    def measured(z: Array, batch: Batch, train: bool):
        loss, found = nt_xent(z[::2], z[1::2], temperature, batch.get("mask"))
        return {"loss": loss, "accuracy": found}

    def init(key: Key, batch: Batch):
        return initialize(key, {MODEL: (model, (batch["image"],))})

    return supervised(model, both, measured)._replace(init=init, predict=represented(model))
