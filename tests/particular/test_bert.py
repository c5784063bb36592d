"""BERT: counts with each head, padding, and the markers of relations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from architectures import tiny

from dljax import models
from dljax.models.transformers import bert

# transformers' BertFor... of the base size, its decoder tied: heads that read the first token's output
# have the pooler, the others have none.
COUNTS = {
    "pre-training": (bert.PreTraining(), 110_106_428),
    "masked": (bert.MaskedLM(), 109_514_298),
    "classes": (bert.Classifier(2), 109_483_778),
    "spans": (bert.Spans(), 108_893_186),
    "tags": (bert.Tagger(2), 108_893_186),
    # 2 x 768 weights and a bias for each of nineteen relations, on the encoder's 108,891,648
    "relations": (bert.Relations(19, (1, 2)), 108_891_648 + 19 * 1537),
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts_with_each_head(name, key):
    head, count = COUNTS[name]
    model = models.build(bert, "bert-base", head=head)
    shapes = jax.eval_shape(lambda i: model.init(key, **i, train=False), bert.inputs("bert-base"))
    assert sum(x.size for x in jax.tree.leaves(shapes)) == count


def test_padding_is_not_looked_at():
    """A text alone, and filled up beside a longer one, has the same outputs."""
    model, params = tiny(bert, 0.3)[:2]
    rng = np.random.default_rng(0)
    long, short = rng.integers(1, 17, 16), rng.integers(1, 17, 7)
    both = jnp.asarray(np.stack([long, np.pad(short, (0, 9))]), jnp.int32)
    encode = jax.jit(
        lambda tokens: model.apply({"params": params}, tokens, train=False, method="encode").hidden
    )
    alone = encode(jnp.asarray(short, jnp.int32)[None])
    # The same sums over other lengths: a few ulps of values near 2.
    np.testing.assert_allclose(encode(both)[1, :7], alone[0], atol=3e-6)
    assert float(jnp.abs(encode(both)[0, :7] - alone[0]).max()) > 0.1


def test_relations_read_the_outputs_at_the_markers(key):
    hidden = jnp.asarray(np.random.default_rng(0).normal(size=(2, 5, 3)), jnp.float32)
    tokens = jnp.asarray([[9, 1, 5, 2, 5], [2, 5, 5, 5, 1]], jnp.int32)
    head = bert.Relations(6, (1, 2))
    x = bert.Encoded(hidden, tokens, tokens > 0)
    identity = {"output": {"kernel": jnp.eye(6), "bias": jnp.zeros(6)}}
    out = head.apply({"params": identity}, x, None, train=False)
    expected = [[*hidden[0, 1], *hidden[0, 3]], [*hidden[1, 4], *hidden[1, 0]]]
    np.testing.assert_array_equal(out, np.array(expected))
