"""Uncertainty of a classifier: whether its confidence is right, and where it does not know.

Chances are class probabilities [n, b, classes] of ``n`` members of an ensemble, or of ``n`` passes
with dropout.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from dljax import axes
from dljax.analysis import charts
from dljax.analysis.predictions import Predicts, predict
from dljax.data.pipeline import EvalSet
from dljax.errors import UserError
from dljax.nn import Dropout
from dljax.types import Key, Variables

# Calibration


def confidence(logits) -> np.ndarray:
    """The largest class probability of each row of logits [n, classes], float64 [n].

    In float32 confidences near 1 would be equal, and their order is what ``auroc`` is about.
    """
    logits = np.asarray(logits, np.float64)
    return 1 / np.exp(logits - logits.max(-1, keepdims=True)).sum(-1)


class Bins(NamedTuple):
    """Predictions by their confidence, in bins of equal width, open below and closed above.

    Attributes:
        size: [bins], predictions in each.
        confidence: [bins], their mean confidence; 0 where there are none.
        accuracy: [bins], the part of them that is right; 0 where there are none.
    """

    size: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error: the mean over predictions of |accuracy - confidence|."""
        gap = np.abs(self.accuracy - self.confidence)
        return float((self.size * gap).sum() / self.size.sum())


def reliability(logits, label, bins: int = 15) -> Bins:
    """The confidence of predictions (their class's probability) beside their accuracy.

    DeGroot & Fienberg 1983, doi:10.2307/2987588; Guo et al. 2017, arXiv:1706.04599, section 2.

    Args:
        logits: [n, classes].
        label: [n] integers.
    """
    sure, right = confidence(logits), np.asarray(logits).argmax(-1) == np.asarray(label)
    place = np.clip(np.ceil(sure * bins).astype(int) - 1, 0, bins - 1)
    size = np.bincount(place, minlength=bins)
    some = np.maximum(size, 1)
    return Bins(
        size,
        np.bincount(place, sure, bins) / some,
        np.bincount(place, right, bins) / some,
    )


def temperature(
    logits: Float[Array, "b classes"], label: Int[Array, "b"], most: float = 100.0
) -> Float[Array, ""]:
    """The temperature T at which softmax(logits / T) has the least cross-entropy, float32.

    Guo et al. 2017, arXiv:1706.04599, section 4.2. Take held-out logits. The loss is convex in 1 / T,
    so its slope, mean(E_p[z] - z_label), is bisected; where the best T is beyond 1 / ``most`` or
    ``most`` (no mistake was made, or the logits say nothing), that bound is returned.
    """
    logits = logits.astype(jnp.float32)
    logits = logits - jnp.max(logits, axis=-1, keepdims=True)
    truth = jnp.take_along_axis(logits, label[:, None], axis=1)[:, 0]

    def slope(inverse):
        chance = jax.nn.softmax(inverse * logits)
        return jnp.mean(jnp.sum(chance * logits, axis=-1) - truth)

    def halve(_, ends):
        low, high = ends
        middle = (low + high) / 2
        falls = slope(jnp.exp(middle)) < 0  # the least loss is at a larger 1 / T
        return jnp.where(falls, middle, low), jnp.where(falls, high, middle)

    wide = jnp.log(jnp.float32(most))
    low, high = lax.fori_loop(0, 40, halve, (-wide, wide))  # to 2 log(most) / 2^40: below float32
    return jnp.exp(-(low + high) / 2)


# Members of an ensemble


class Opinion(NamedTuple):
    """The prediction of an ensemble.

    Attributes:
        chance: [b, classes], the mean probability.
        entropy: [b] nats, of the mean: all uncertainty.
        information: [b] nats, the members' disagreement: the mutual information of label and member,
            entropy of the mean less mean of the entropies. It is 0 where all say the same.
    """

    chance: Array
    entropy: Array
    information: Array


def _entropy(chance: Array) -> Array:
    return -jnp.sum(jax.scipy.special.xlogy(chance, chance), axis=-1)


def opinion(chances: Float[Array, "n b classes"]) -> Opinion:
    """The mean of an ensemble's probabilities, its entropy and the members' disagreement.

    Houlsby et al. 2011, arXiv:1112.5745, equation 2; Lakshminarayanan et al. 2016, arXiv:1612.01474,
    section 2.4.
    """
    mean = jnp.mean(chances, axis=0)
    entropy = _entropy(mean)
    return Opinion(mean, entropy, entropy - jnp.mean(_entropy(chances), axis=0))


def with_dropout(function: Callable[..., Any]) -> Callable[..., Any]:
    """(key, *arguments) -> ``function(*arguments)`` with every dropout layer at work, and no other
    change.

    BatchNorm stays as in use, which a pass with ``train=True`` would change too. Each layer's mask has
    a key of its own, by its path. Dropout within attention is no layer of its own and stays off.

    Args:
        function: calls Linen modules, such as a task's ``predict``; not jitted itself.

    Raises:
        UserError: no dropout layer is called (raised when the function is).
    """

    def dropped(key, *arguments):
        calls: dict[str, int] = {}

        def intercept(call, args, kwargs, context):
            layer = context.module
            if context.method_name != "__call__" or not isinstance(layer, nn.Dropout | Dropout):
                return call(*args, **kwargs)
            x = args[0]
            path = "/".join(layer.path)
            calls[path] = calls.get(path, -1) + 1
            own = jax.random.fold_in(key, zlib.crc32(path.encode()))
            shared = getattr(layer, "broadcast_dims", ())
            shape = tuple(1 if i in shared else n for i, n in enumerate(x.shape))
            keep = axes.keep_mask(jax.random.fold_in(own, calls[path]), layer.rate, shape)
            return jnp.where(keep, x / (1.0 - layer.rate), jnp.zeros_like(x))

        with nn.intercept_methods(intercept):
            out = function(*arguments)
        if not calls:
            raise UserError("no dropout layer is called: every pass would be the same")
        return out

    return dropped


def dropout_chances(
    function: Callable[..., Array], *arguments: Any, key: Key, n: int = 50
) -> Float[Array, "n b classes"]:
    """Class probabilities of ``n`` passes with dropout on: Monte Carlo dropout.

    Gal & Ghahramani 2015, arXiv:1506.02142, section 4.

    Args:
        function: gives logits [b, classes], such as a task's ``predict``; not jitted itself.
        arguments: its arguments, such as variables and a batch.

    Raises:
        UserError: no dropout layer is called.
    """
    one = with_dropout(function)
    return lax.map(lambda k: jax.nn.softmax(one(k, *arguments)), jax.random.split(key, n))


def ensemble_chances(
    function: Callable[..., Array], variables: Any, *arguments: Any
) -> Float[Array, "n b classes"]:
    """Class probabilities of each of several models that were trained from ``n`` seeds.

    Args:
        function: (variables, *arguments) -> logits [b, classes], such as a task's ``predict``.
        variables: with a leading axis [n], such as ``in_use(state)`` where a state is of ``many_seeds``.
    """
    return jax.vmap(lambda own: jax.nn.softmax(function(own, *arguments)))(variables)


# Examples of another distribution


def auroc(above, below) -> float:
    """The chance that one of ``above`` is larger than one of ``below``; ties count one half.

    This is the area under the receiver operating characteristic (Hanley & McNeil 1982,
    doi:10.1148/radiology.143.1.7063747), exact.

    Args:
        above, below: scores [n] and [m].

    Raises:
        UserError: one of the two is empty, or has NaN.
    """
    above, below = (np.asarray(x).ravel() for x in (above, below))
    if not (above.size and below.size) or np.isnan(above).any() or np.isnan(below).any():
        raise UserError("AUROC compares two sets of numbers: one is empty or has NaN")
    ordered = np.sort(below)
    # Twice the wins, an integer: those strictly below count two, those level one.
    wins = np.searchsorted(ordered, above, "left") + np.searchsorted(ordered, above, "right")
    return int(wins.sum(dtype=np.int64)) / (2 * above.size * below.size)


# Looks


@dataclass(frozen=True)
class Reliability:
    """A look: the reliability diagram on a set, with the expected calibration error and temperature.

    Attributes:
        data: ``image`` and ``label``.
        bins: of equal width.
    """

    task: Predicts
    data: EvalSet
    bins: int = 15

    def __call__(self, variables: Variables, key: Key) -> np.ndarray:
        examples, logits = predict(self.task, variables, self.data)
        best = float(temperature(jnp.asarray(logits), jnp.asarray(examples["label"])))
        found = reliability(logits, examples["label"], self.bins)
        title = f"ECE {100 * found.error:.2f} %, best temperature {best:.2f}"
        return charts.reliability(*found, title=title)


@dataclass(frozen=True)
class OutOfDistribution:
    """A look: "auroc", by which the confidence tells a set from another that has none of its classes.

    The baseline of Hendrycks & Gimpel 2016, arXiv:1610.02136.

    Attributes:
        inside: examples as in training.
        outside: others.
        limit: number of examples of each, from the first on.
    """

    task: Predicts
    inside: EvalSet
    outside: EvalSet
    limit: int = 10_000

    def __call__(self, variables: Variables, key: Key) -> Mapping[str, float]:
        sure = [
            confidence(predict(self.task, variables, data, self.limit).outputs)
            for data in (self.inside, self.outside)
        ]
        return {"auroc": auroc(*sure)}
