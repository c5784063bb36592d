"""The next target token: padding does not count, smoothing is in training alone."""

import flax.linen as nn
import jax
import numpy as np
import optax
import pytest
from refusal import refused

from dljax.data.pipeline import EvalSet
from dljax.data.sources.pairs import Pairs, vocabulary
from dljax.tasks.translation import translation
from dljax.types import Variables

TEXTS = [("a b", "x y z"), ("b", "y"), ("a a a", "z x")]
WORDS = vocabulary(["a b"]), vocabulary(["x y z"])


class Bigrams(nn.Module):
    """Logits from the target token before and from the source's first token."""

    @nn.compact
    def __call__(self, source, target, *, train: bool):
        draws = nn.initializers.normal(1.0)
        x = nn.Embed(7, 7, embedding_init=draws, name="target")(target)
        return x + nn.Embed(7, 7, embedding_init=draws, name="source")(source[:, :1])


def logits_of(params, row):
    """[t, v] in float64, and the tokens that come next."""
    tables = {k: np.asarray(v["embedding"], np.float64) for k, v in params.items()}
    source, target = (WORDS[i].encode(TEXTS[row][i]) for i in (0, 1))
    logits = tables["target"][np.append(1, target)] + tables["source"][source[0]]
    return logits, np.append(target, 2)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_mean_is_over_target_tokens(key, smoothing):
    """3 + 1 + 2 words and three ends: nine terms, in float64 and by optax's smoothed labels."""
    model = Bigrams()
    task = translation(model, smoothing=smoothing)
    (batch,) = EvalSet(Pairs(TEXTS, *WORDS)).batches(3)
    params, extra = task.init(key, batch)
    plain, smooth, right = [], [], []
    for row in range(3):
        logits, after = logits_of(params["model"], row)
        labels = np.eye(7)[after]
        log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        plain += list(-(labels * log_p).sum(1))
        smooth += list(optax.softmax_cross_entropy(logits, optax.smooth_labels(labels, smoothing)))
        right += list(logits.argmax(1) == after)
    assert len(plain) == 9
    found = task.evaluate(params, extra, batch, key)
    np.testing.assert_allclose(found["loss"].value, np.mean(plain), rtol=1e-6)
    np.testing.assert_allclose(found["accuracy"].value, np.mean(right), rtol=1e-6)
    # Sources of 3, 2, 4 and targets of 4, 2, 3 tokens, in places of 4 each.
    np.testing.assert_allclose(found["padding"].value, 1 - 18 / 24, rtol=1e-6)
    loss, aux = task.losses["model"](params, extra, batch, key)
    np.testing.assert_allclose(loss.value, np.mean(smooth), rtol=1e-6)
    assert not smoothing or abs(loss.value - np.mean(plain)) > 0.01
    assert set(aux.metrics) == {"accuracy", "padding"}


def test_padded_rows_do_not_count(key):
    task = translation(Bigrams())
    data = EvalSet(Pairs(TEXTS, *WORDS))
    (whole,) = data.batches(3)
    params, extra = task.init(key, whole)
    parts = [task.evaluate(params, extra, b, key)["loss"] for b in data.batches(2)]
    one = task.evaluate(params, extra, whole, key)["loss"]
    np.testing.assert_allclose(sum(p.total for p in parts), one.total, rtol=1e-6)
    assert sum(float(p.count) for p in parts) == 9


def test_a_vocabulary_that_does_not_fit_is_told(key):
    task = translation(Bigrams())
    more = vocabulary(["u w x y z"])
    (batch,) = EvalSet(Pairs([("a", "y z")], WORDS[0], more)).batches(1)
    params, extra = task.init(key, batch)
    variables = jax.eval_shape(lambda: Variables(params, extra))
    with refused("token 8 is none of the model's 7"):
        task.check(variables, batch)
