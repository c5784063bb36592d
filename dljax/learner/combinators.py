"""Combinators, Learner -> Learner; none of them knows what it wraps."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax

from dljax import axes
from dljax.errors import UserError
from dljax.learner.core import Gradient, Learner, State
from dljax.types import Batch, Key, Mean, PyTree, Scalar, Variables


def _rewrapped(learner: Learner, wrap: Callable[[str, Gradient], Gradient], what: str) -> Learner:
    if learner.rewrap is None:
        raise UserError(f"{what} needs gradients, and this learner has none: leave it out")
    return learner.rewrap(wrap)


def accumulate(learner: Learner, k: int) -> Learner:
    """Take each gradient as the mean over ``k`` microbatches, one after the other.

    A microbatch is weighted by its loss's count, so padding may lie anywhere. The mean equals the
    whole batch's gradient, random draws included (``axes.rows``), except for statistics over the
    batch: BatchNorm sees each microbatch alone.

    Raises:
        UserError: ``k`` is below 1, the learner has no gradients, or (while the update is traced)
            the batch does not divide by ``k``.
    """
    if k < 1:
        raise UserError(f"accumulate over {k} microbatches: expected a whole number above 0")

    def wrap(name: str, gradient: Gradient) -> Gradient:
        def accumulated(params, extra, batch, key):
            size = jax.tree.leaves(batch)[0].shape[0]
            if size % k:
                raise UserError(f"a batch of {size} does not divide into {k} microbatches")
            if any(axes.of_rows(path) for path, _ in jax.tree_util.tree_leaves_with_path(extra)):
                raise UserError(
                    "this learner keeps a memory for each row of the batch, which microbatches would mix "
                    "up: take accumulate out"
                )
            # Every k-th example, so that a batch divided over devices stays so: in k blocks, each
            # microbatch would lie on some of them alone.
            parts = jax.tree.map(
                lambda x: jnp.moveaxis(x.reshape(size // k, k, *x.shape[1:]), 1, 0), batch
            )

            def one(carry, indexed):
                extra, total = carry
                index, part = indexed
                with axes.microbatch(index, k):
                    (loss, aux), grads = gradient(params, extra, part, key)
                weighed = jax.tree.map(lambda g: g * loss.count, grads)
                total = jax.tree.map(jnp.add, total, (loss, dict(aux.metrics), weighed))
                return (aux.extra, total), None

            first = jax.tree.map(lambda x: x[0], parts)
            (loss, aux), grads = jax.eval_shape(gradient, params, extra, first, key)
            zeros = jax.tree.map(
                lambda x: jnp.zeros(x.shape, x.dtype), (loss, dict(aux.metrics), grads)
            )
            # XLA's CPU convolutions lose their threads inside a loop (jax#12868), so unroll there.
            unroll = k if jax.default_backend() == "cpu" and k <= 8 else 1
            (extra, total), _ = lax.scan(one, (extra, zeros), (jnp.arange(k), parts), unroll=unroll)
            loss, metrics, weighed = total
            metrics = {n: x if isinstance(x, Mean) else x / k for n, x in metrics.items()}
            grads = jax.tree.map(lambda g: g / jnp.maximum(loss.count, 1e-30), weighed)
            return (loss, aux._replace(metrics=metrics, extra=extra)), grads

        return accumulated

    return _rewrapped(learner, wrap, "accumulate") if k > 1 else learner


def mixed_precision(learner: Learner, dtype: jnp.dtype) -> Learner:
    """Compute losses and gradients in ``dtype``; parameters, optimizer and statistics keep their own.

    With bfloat16 no loss scaling is needed (its exponent range is float32's). Models that compute in
    their inputs' type follow, since parameters and floating inputs are both cast.

    Raises:
        UserError: the learner has no gradients.
    """

    def cast(tree: PyTree, to: jnp.dtype) -> PyTree:
        def one(x):
            floating = hasattr(x, "dtype") and jnp.issubdtype(x.dtype, jnp.floating)
            return x.astype(to) if floating else x

        return jax.tree.map(one, tree)

    def like(tree: PyTree, reference: PyTree) -> PyTree:
        return jax.tree.map(lambda x, r: x.astype(r.dtype), tree, reference)

    def wrap(name: str, gradient: Gradient) -> Gradient:
        def low(params, extra, batch, key):
            (loss, aux), grads = gradient(cast(params, dtype), extra, cast(batch, dtype), key)
            aux = aux._replace(
                metrics=cast(dict(aux.metrics), jnp.float32), extra=like(aux.extra, extra)
            )
            return (cast(loss, jnp.float32), aux), like(grads, params[name])

        return low

    return _rewrapped(learner, wrap, "mixed precision")


def many_seeds(learner: Learner, n: int) -> Learner:
    """Train ``n`` models in one program, on the same batches.

    Every leaf of the State and every metric gains a leading axis [n]. Model i has the key
    ``fold_in(key, i)``, or ``key[i]`` where ``init`` is given n keys. The chosen variables are those
    of the first model.
    """

    def init(key: Key, batch: Batch) -> State:
        keys = key
        if not key.ndim:
            keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(n))
        return jax.vmap(learner.init, in_axes=(0, None))(keys, batch)

    def update(state: State, batch: Batch):
        return jax.vmap(learner.update, in_axes=(0, None))(state, batch)

    def evaluate(state: State, batch: Batch):
        return jax.vmap(learner.evaluate, in_axes=(0, None))(state, batch)

    def chosen(state: State) -> Variables:
        return learner.chosen(jax.tree.map(lambda x: x[0], state))

    def rewrap(wrap) -> Learner:
        return many_seeds(_rewrapped(learner, wrap, "this combinator"), n)

    return learner._replace(
        init=init, update=update, evaluate=evaluate, chosen=chosen, rewrap=rewrap
    )


def keep_best(
    learner: Learner, held_out: Callable[[Batch], Batch], metric: str = "loss"
) -> Learner:
    """Evaluate with the variables of the step at which ``metric`` on held-out examples was lowest.

    This is the choice of early stopping (Prechelt 1998), without the stopping. It is made in the step
    and not in the loop, so that each of ``many_seeds`` keeps its own. The kept variables are in
    ``extra["best"]``, beside their ``score`` and ``step``; the update reports the newest score as
    ``held_out/<metric>``.

    Args:
        held_out: the training batch -> the batch to judge by, e.g. the same graph with the mask of
            the validation nodes.
        metric: of ``learner.evaluate``.
    """

    def judged(state: State, batch: Batch) -> Scalar:
        score = axes.total(learner.evaluate(state, held_out(batch))[metric])
        return jnp.where(score.count > 0, score.value, jnp.inf)  # of nothing, none is the best

    def within(state: State) -> State:
        return state._replace(extra={k: v for k, v in state.extra.items() if k != "best"})

    def with_best(state: State, best: PyTree) -> State:
        return state._replace(extra={**state.extra, "best": best})

    def candidate(state: State, score: Scalar) -> PyTree:
        params, extra = learner.chosen(state)
        return {"score": score, "step": state.step, "params": params, "extra": extra}

    def init(key: Key, batch: Batch) -> State:
        state = learner.init(key, batch)
        if state.step.ndim:
            raise UserError("keep_best(many_seeds(...)): put it within, many_seeds(keep_best(...))")
        return with_best(state, jax.tree.map(jnp.copy, candidate(state, jnp.float32(jnp.inf))))

    def update(state: State, batch: Batch):
        best = state.extra["best"]
        state, metrics = learner.update(within(state), batch)
        score = judged(state, batch).astype(jnp.float32)
        better = score < best["score"]
        best = jax.tree.map(
            lambda new, old: jnp.where(better, new, old), candidate(state, score), best
        )
        return with_best(state, best), {**metrics, f"held_out/{metric}": score}

    def kept(state: State) -> State:
        best = state.extra["best"]
        ema = None if state.ema is None else best["params"]
        return state._replace(params=best["params"], extra=best["extra"], ema=ema)

    def evaluate(state: State, batch: Batch):
        return learner.evaluate(kept(state), batch)

    def chosen(state: State) -> Variables:
        return learner.chosen(kept(state))

    def rewrap(wrap) -> Learner:
        return keep_best(_rewrapped(learner, wrap, "this combinator"), held_out, metric)

    return learner._replace(
        init=init, update=update, evaluate=evaluate, chosen=chosen, rewrap=rewrap
    )


def freeze(
    tx: optax.GradientTransformation, frozen: Callable[[str], bool]
) -> optax.GradientTransformation:
    """Apply ``tx`` only to parameters whose path ("conv1/kernel") is not ``frozen``; the rest stay.

    Frozen in the optimizer and not in the learner, so that XLA drops the unused gradients.
    """

    def labels(params: PyTree) -> PyTree:
        return _by_address(lambda at, _: "frozen" if frozen(at) else "free", params)

    return optax.partition({"free": tx, "frozen": optax.set_to_zero()}, labels)


def scale_by_path(factor: Callable[[str], float]) -> optax.GradientTransformation:
    """Multiply the update of each parameter by the ``factor`` of its path ("conv1/kernel").

    Behind an optimizer this gives every layer a learning rate of its own, weight decay included:
    discriminative fine-tuning, Howard & Ruder 2018, arXiv:1801.06146, section 3.2.

        optax.chain(optax.adamw(lr), scale_by_path(lambda path: 0.7 ** layers_above(path)))
    """

    def update(updates: PyTree, state: optax.OptState, params: PyTree = None):
        del params
        return _by_address(lambda at, x: x * factor(at), updates), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def _by_address(function: Callable[[str, Any], Any], tree: PyTree) -> PyTree:
    """The tree of ``function(path, leaf)``, a path being "conv1/kernel"."""
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: function("/".join(str(p.key) for p in path), leaf), tree
    )


def decay_mask(params: PyTree) -> PyTree:
    """True of each parameter of two axes or more: those that weight decay is usually given, where vectors (biases,
    scales of norms) are left alone. A mask for optax, as in ``optax.adamw(mask=decay_mask)``.
    """
    return jax.tree.map(lambda x: jnp.ndim(x) > 1, params)
