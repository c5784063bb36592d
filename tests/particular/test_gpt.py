"""GPT: text that goes on past its context."""

import jax.numpy as jnp
import numpy as np
from architectures import tiny

from dljax.analysis.generate import generate
from dljax.models.transformers import gpt


def test_generation_goes_past_the_context(key):
    model, params = tiny(gpt, 0.3)[:2]
    prompt = jnp.arange(8, dtype=jnp.int32).reshape(2, 4)
    short, long = (
        generate(model, params, prompt, key, length=n, context=model.context) for n in (12, 45)
    )
    assert long.shape == (2, 45)
    np.testing.assert_array_equal(long[:, :12], short)
