"""The partition function of a restricted Boltzmann machine, by enumeration and by annealed importance sampling
(Neal 2001, doi:10.1023/A:1008923215028), and the likelihoods that follow from it.

Salakhutdinov & Murray 2008, On the quantitative analysis of deep belief networks,
doi:10.1145/1390156.1390266.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from dljax.data.pipeline import EvalSet
from dljax.errors import UserError
from dljax.types import Array, Key, Variables

MOST = 22  # units to enumerate the states of
_ROWS = 4096


class Machine(NamedTuple):
    """Weights [v, h] and biases [v] and [h] of a restricted Boltzmann machine of units 0 and 1."""

    weight: Array
    visible_bias: Array
    hidden_bias: Array


class Estimate(NamedTuple):
    """Log Z in nats, and the standard error of Z relative to Z."""

    log_z: float
    error: float


def exact(machine: Machine) -> float:
    """Log Z in nats, over all states of the visible or of the hidden units, whichever are fewer.

    Raises:
        UserError: both are more than ``MOST``.
    """
    fewer = min(machine.weight.shape)
    if fewer > MOST:
        raise UserError(f"2^{fewer} states are too many: expected at most 2^{MOST}; use annealed()")
    if machine.weight.shape[0] < machine.weight.shape[1]:
        machine = Machine(machine.weight.T, machine.hidden_bias, machine.visible_bias)
    return float(_enumerated(machine))


@jax.jit
def _enumerated(machine: Machine) -> Array:
    units = machine.hidden_bias.size
    rows = min(_ROWS, 2**units)

    def part(first):
        number = first * rows + jnp.arange(rows)
        h = ((number[:, None] >> jnp.arange(units)[None]) & 1).astype(jnp.float32)
        rest = jax.nn.softplus(h @ machine.weight.T + machine.visible_bias[None])
        return jax.nn.logsumexp(h @ machine.hidden_bias + rest.sum(-1))

    return jax.nn.logsumexp(lax.map(part, jnp.arange(2**units // rows)))


def annealed(
    machine: Machine, base: Array, key: Key, *, runs: int = 100, betas: int = 2000
) -> Estimate:
    """Log Z by annealed importance sampling.

        log p_beta(v) = (1 - beta) a . v + beta b . v + sum_j softplus(beta (c + v W))_j + const

    from beta 0, where pixels are independent and log Z_0 = H log 2 + sum_i softplus(a_i), to the machine
    itself. The weights of the runs are averaged, not their logarithms.

    Args:
        base: a [v], logits of independent pixels.
        runs: number of chains.
        betas: number of steps from 0 to 1.
    """
    weights = np.asarray(_annealed(machine, base, key, runs, betas), np.float64)
    most = weights.max()
    relative = np.exp(weights - most)
    log_z = most + np.log(relative.mean())
    return Estimate(float(log_z), float(relative.std() / relative.mean() / np.sqrt(runs)))


@partial(jax.jit, static_argnums=(3, 4))
def _annealed(machine: Machine, base: Array, key: Key, runs: int, betas: int) -> Array:
    """The logarithm of each run's weight times Z_0, [runs]."""
    weight, b, c = machine

    def log_p(v, beta):
        hidden = jax.nn.softplus(beta * (c[None] + v @ weight)).sum(-1)
        return v @ ((1 - beta) * base + beta * b) + hidden

    def drawn(key, logits):
        return jax.random.bernoulli(key, jax.nn.sigmoid(logits)).astype(jnp.float32)

    def step(at, beta):
        v, total, before, key = at
        total += log_p(v, beta) - log_p(v, before)
        key, to_hidden, to_visible = jax.random.split(key, 3)
        h = drawn(to_hidden, beta * (c[None] + v @ weight))
        v = drawn(to_visible, (1 - beta) * base[None] + beta * (b[None] + h @ weight.T))
        return (v, total, beta, key), None

    key, first = jax.random.split(key)
    v = drawn(first, jnp.broadcast_to(base, (runs, base.size)))
    at_zero = c.size * jnp.log(2.0) + jax.nn.softplus(base).sum()
    ladder = jnp.linspace(0.0, 1.0, betas + 1)[1:]
    start = (v, jnp.full(runs, at_zero), jnp.float32(0), key)
    return lax.scan(step, start, ladder)[0][1]


def base_rates(v: np.ndarray) -> np.ndarray:
    """Logits of independent pixels with the means of ``v`` [n, ...], as if it had one more of 0 and one of 1."""
    v = np.asarray(v).reshape(len(v), -1)
    mean = (v.sum(0) + 1.0) / (len(v) + 2.0)
    return np.log(mean / (1 - mean)).astype(np.float32)


@dataclass(frozen=True)
class Likelihood:
    """A look: mean log-likelihood in nats, of "test" and of as many examples for "training", with log Z, that
    by annealing ("annealed", of relative error "error") beside it; "independent" pixels' for comparison.

    Log Z is exact where the visible or the hidden units are few, else it is the estimate.

    Attributes:
        model: a module that gives the free energy, with the parameters of a ``Machine``.
        training, test: ``image`` of 0 and 1.
        runs, betas: of ``annealed``.
    """

    model: nn.Module
    training: EvalSet
    test: EvalSet
    runs: int = 100
    betas: int = 2000

    def __call__(self, variables: Variables, key: Key) -> Mapping[str, float]:
        params = variables.params["model"]
        machine = Machine(*(params[name] for name in Machine._fields))
        n = len(self.test.source)
        test, training, for_rates = (
            np.asarray(next(data.batches(size))["image"]).reshape(-1, len(machine.visible_bias))
            for data, size in ((self.test, n), (self.training, n), (self.training, 10_000))
        )
        base = base_rates(for_rates)
        estimate = annealed(machine, jnp.asarray(base), key, runs=self.runs, betas=self.betas)
        log_z = exact(machine) if min(machine.weight.shape) <= MOST else estimate.log_z
        alone = test @ base - np.logaddexp(0, base).sum()
        energy = jax.jit(lambda v: self.model.apply({"params": params}, v, train=False))
        return {
            "test": -float(np.mean(energy(test))) - log_z,
            "training": -float(np.mean(energy(training))) - log_z,
            "independent": float(alone.mean()),
            "log_z": log_z,
            "annealed": estimate.log_z,
            "error": estimate.error,
        }
