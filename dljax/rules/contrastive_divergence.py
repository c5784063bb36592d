"""Contrastive divergence (Hinton 2002, doi:10.1162/089976602760128018) and its persistent chains (Tieleman 2008,
doi:10.1145/1390156.1390290), as a Learner of functions written by hand.
"""

from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from dljax import axes
from dljax.learner import Learner, State, named
from dljax.rules.descent import descended
from dljax.tasks.linen import initialize
from dljax.tasks.supervised import MODEL, means
from dljax.types import Array, Batch, Key, PyTree, Sample, Variables


def contrastive_divergence(
    model: nn.Module, tx: optax.GradientTransformation, *, k: int = 1, persistent: bool = False
) -> Learner:
    """Learner of a restricted Boltzmann machine: what units do together in the data, less what they do in the
    model's own samples.

        dW ~ <v p(h|v)>_data - <v p(h|v)>_model

    and of the biases likewise. The model's v are samples after ``k`` steps of Gibbs sampling, h are
    probabilities in both places. The optimizer is given minus this as a gradient, which it is of F(v) of the
    data less F(v) of the samples; for many steps, that of the likelihood.

    Args:
        model: has ``weight`` [v, h], ``visible_bias``, ``hidden_bias`` and methods ``given_visible`` and
            ``given_hidden``; called, it gives the free energy.
        tx: the optimizer.
        persistent: chains go on where the last step left them, one for each row of the batch; else
            they begin at the data.

    Batch: ``image`` [b, ...] of 0 and 1. Metrics: ``model/grad_norm``, and as ``model/loss`` the cross-entropy of
    the image as restored through the hidden probabilities, nats an image. Evaluation: ``loss``, and
    ``free_energy``, which tells from likelihood by log Z.
    """

    def init(key: Key, batch: Batch) -> State:
        below = named(key, "init")
        params, extra = initialize(below, {MODEL: (model, (batch["image"],))})
        if persistent:
            v = flat(batch)
            chain = axes.rows(
                lambda s: jax.random.bernoulli(named(below, "chain"), 0.5, s), v.shape
            )
            extra = {MODEL: {axes.ROWS: {"chain": chain.astype(v.dtype)}}}
        opt = {MODEL: tx.init(params[MODEL])}
        return State(jnp.zeros((), jnp.int32), key, params, extra, opt, None)

    def update(state: State, batch: Batch):
        params, v = state.params[MODEL], flat(batch)
        chain = state.extra[MODEL][axes.ROWS]["chain"] if persistent else v
        made = gibbs(model, params, chain, jax.random.fold_in(state.key, state.step), k)
        grads = jax.tree.map(
            jnp.subtract, together(model, params, made), together(model, params, v)
        )
        if persistent:
            state = state._replace(extra={MODEL: {axes.ROWS: {"chain": made}}})
        return descended(state, tx, grads, jnp.mean(restored(model, params, v)[1]))

    def evaluate(state: State, batch: Batch):
        params, v = state.params[MODEL], flat(batch)
        energy: Any = model.apply({"params": params}, v, train=False)
        return means({"loss": restored(model, params, v)[1], "free_energy": energy}, batch)

    def predict(variables: Variables, batch: Batch) -> Array:
        """The images as restored through the hidden probabilities, in 0..1."""
        found = restored(model, variables.params[MODEL], flat(batch))[0]
        return jnp.reshape(jax.nn.sigmoid(found), batch["image"].shape)

    return Learner(init, update, evaluate, predict=predict)


def flat(batch: Batch) -> Array:
    """The images of a batch as [b, v]."""
    return jnp.reshape(batch["image"], (batch["image"].shape[0], -1))


def _apply(model: nn.Module, params: PyTree, x: Array, method: str) -> Array:
    return model.apply({"params": params}, x, method=method)  # type: ignore[return-value]


def _drawn(key: Key, logits: Array) -> Array:
    uniform = axes.rows(lambda shape: jax.random.uniform(key, shape), logits.shape)
    return (uniform < jax.nn.sigmoid(logits)).astype(logits.dtype)


def gibbs(model: nn.Module, params: PyTree, v: Array, key: Key, steps: int) -> Array:
    """Visible states [b, v] after ``steps`` draws of the hidden units and then the visible ones."""

    def step(i, v):
        below = jax.random.fold_in(key, i)
        h = _drawn(named(below, "hidden"), _apply(model, params, v, "given_visible"))
        return _drawn(named(below, "visible"), _apply(model, params, h, "given_hidden"))

    return jax.lax.fori_loop(0, steps, step, v)


def together(model: nn.Module, params: PyTree, v: Array) -> PyTree:
    """Means over a batch of v p(h|v), v and p(h|v), named as the parameters that they are about."""
    h = jax.nn.sigmoid(_apply(model, params, v, "given_visible"))
    return {
        "weight": v.T @ h / v.shape[0],
        "visible_bias": jnp.mean(v, 0),
        "hidden_bias": jnp.mean(h, 0),
    }


def restored(model: nn.Module, params: PyTree, v: Array) -> tuple[Array, Array]:
    """Logits of the visible units given the hidden probabilities, [b, v], and the cross-entropy of v, [b]."""
    h = jax.nn.sigmoid(_apply(model, params, v, "given_visible"))
    logits = _apply(model, params, h, "given_hidden")
    return logits, jnp.sum(optax.sigmoid_binary_cross_entropy(logits, v), -1)


def gibbs_samples(model: nn.Module, shape: tuple[int, ...], steps: int) -> Sample:
    """The function (variables, key, n) -> n images in 0..1, probabilities of the pixels.

    Each is of a chain of its own, which begins at independent pixels and takes ``steps`` steps.
    """

    @partial(jax.jit, static_argnames="n")
    def sample(variables: Variables, key: Key, n: int) -> Array:
        params = variables.params[MODEL]
        start = jnp.broadcast_to(params["visible_bias"], (n, params["visible_bias"].size))
        v = gibbs(model, params, _drawn(named(key, "start"), start), key, steps)
        return jnp.reshape(jax.nn.sigmoid(restored(model, params, v)[0]), (n, *shape))

    return sample
