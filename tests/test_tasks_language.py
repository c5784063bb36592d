"""The next token."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from dljax.data import EvalSet
from dljax.data.sources.text import Windows
from dljax.tasks.language import language


def test_the_mean_over_windows_is_the_mean_over_tokens(key):
    class Bigrams(nn.Module):
        @nn.compact
        def __call__(self, tokens, *, train: bool):
            return nn.Embed(17, 17, embedding_init=nn.initializers.normal(1.0))(tokens)

    model = Bigrams()
    params = model.init(key, jnp.zeros((1, 1), jnp.int32), train=False)["params"]
    sequence = np.asarray(jax.random.randint(key, (23,), 0, 17))
    task = language(model)
    evaluate = jax.jit(task.evaluate)
    apply = jax.jit(partial(model.apply, train=False))

    def mean(batches):
        total = count = 0.0
        for batch in batches:
            loss = evaluate({"model": params}, {"model": {}}, batch, key)["loss"]
            total, count = total + loss.total, count + loss.count
        return total / count

    losses = []
    for start in range(0, 22, 5):
        piece = sequence[start : start + 6]
        logits = np.asarray(apply({"params": params}, piece[None, :-1])[0], np.float64)
        log_sum = np.log(np.exp(logits).sum(1))
        losses += list(log_sum - logits[np.arange(len(piece) - 1), piece[1:]])
    # float32 sums of 22 values near 3
    batches = list(EvalSet(Windows.apart(sequence, 5)).batches(2))
    assert len(batches) == 3 and batches[-1]["mask"].tolist() == [1, 0]
    np.testing.assert_allclose(mean(batches), np.mean(losses), rtol=1e-6)
