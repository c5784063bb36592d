"""LSTM: its equations, and the rate of Zaremba's program."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from architectures import tiny

import dljax
from dljax.models.recurrent import lstm


def test_lstm_is_the_equations():
    model, params = tiny(lstm, 0.3)[:2]
    tokens = jnp.arange(16, dtype=jnp.int32).reshape(2, 8)
    p = jax.tree.map(lambda x: np.asarray(x, np.float64), params)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    x = p["embed"]["embedding"][np.asarray(tokens)]
    for layer in ("lstm0", "lstm1"):
        w = p[layer]
        h = c = np.zeros((2, 8))
        out = []
        for t in range(8):
            i, f, g, o = np.split(x[:, t] @ w["w_x"] + h @ w["w_h"] + w["bias"][None], 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            out.append(h)
        x = np.stack(out, 1)
    expected = x @ p["head"]["kernel"] + p["head"]["bias"][None, None]
    logits = model.apply({"params": params}, tokens, train=False)
    np.testing.assert_allclose(logits, expected, atol=3e-6)  # float32 against float64


def test_penn_treebank_rate_is_the_programs(key):
    """Five epochs at 1.0, then half of that, a quarter, ... and 1/256 in the thirteenth."""
    build = dljax.load("experiments/recurrent/lstm_ptb.py")
    (phase,) = build(fake=True, variant="tiny").phases
    epoch, batch = phase.every, phase.data.batch(0)
    assert batch["tokens"].shape == (20, 20) and phase.steps == 13 * epoch
    state, update = jax.jit(phase.learner.init)(key, batch), jax.jit(phase.learner.update)

    def moved(step):
        """The length of one update at this count of the schedule, for one and the same gradient."""
        opt = jax.tree.map(lambda count: jnp.full_like(count, step), state.opt)
        after, metrics = update(state._replace(opt=opt), batch)
        return optax.tree.norm(optax.tree.sub(after.params, state.params)), metrics

    at_first, metrics = moved(0)
    # Steps are told from differences of parameters near 0.1, in float32.
    np.testing.assert_allclose(at_first, jnp.minimum(20 * metrics["model/grad_norm"], 5), rtol=1e-5)
    for index in range(13):
        for step in (index * epoch, (index + 1) * epoch - 1):
            halvings = max(index - 4, 0)
            np.testing.assert_allclose(moved(step)[0] / at_first, 2.0**-halvings, rtol=1e-5)
