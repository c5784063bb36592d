"""Text drawn from a model of the next token."""

import jax
import jax.numpy as jnp
import numpy as np
from architectures import DECODERS, module_of, tiny

from dljax.analysis.generate import generate, pick


def test_pick(key):
    logits = jnp.log(jnp.array([[0.1, 0.2, 0.7]])).repeat(4000, 0)
    share = np.bincount(pick(logits, key, 1.0, 0), minlength=3) / 4000
    np.testing.assert_allclose(share, [0.1, 0.2, 0.7], atol=0.03)  # 4 standard deviations
    assert set(np.asarray(pick(logits, key, 1.0, 2)).tolist()) == {1, 2}
    assert (pick(logits, key, 0.0, 0) == 2).all()


def test_generation_is_compiled_once():
    model, params = tiny(module_of(DECODERS[0]))[:2]
    context = getattr(model, "context", None)
    before = generate._cache_size()
    for i, temperature in enumerate((0.5, 0.8, 1.0)):
        prompt = jnp.arange(8, dtype=jnp.int32).reshape(2, 4) + i
        options = {"length": 5, "temperature": temperature, "context": context}
        generate(model, params, prompt, jax.random.key(i), **options)
    assert generate._cache_size() == before + 1
