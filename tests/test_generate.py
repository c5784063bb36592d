"""Text drawn from a model of the next token."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from architectures import DECODERS, module_of, over, tiny
from refusal import refused

from dljax.analysis.continuation import continuation, left_padded
from dljax.analysis.generate import Text, ended, generate, pick
from dljax.data.sources.text import Characters, Words
from dljax.errors import UserError
from dljax.types import Variables

ROWS = [np.array(row, np.int32) for row in ([3, 1, 4, 1, 5], [9], [2, 6, 5])]


def test_pick(key):
    logits = jnp.log(jnp.array([[0.1, 0.2, 0.7]])).repeat(4000, 0)
    share = np.bincount(pick(logits, key, 1.0, 0), minlength=3) / 4000
    np.testing.assert_allclose(share, [0.1, 0.2, 0.7], atol=0.03)  # 4 standard deviations
    assert set(np.asarray(pick(logits, key, 1.0, 2)).tolist()) == {1, 2}
    assert (pick(logits, key, 0.0, 0) == 2).all()


@pytest.mark.parametrize(
    "top_p, temperature, top_k, kept",
    [
        (0.45, 1.0, 0, {2}),  # 0.5 alone is more
        (0.55, 1.0, 0, {0, 2}),  # 0.5 + 0.3
        (0.85, 1.0, 0, {0, 1, 2, 3}),  # of 0.1 there are two
        (0.0, 1.0, 0, {2}),
        (1.0, 1.0, 0, {0, 1, 2, 3}),
        (0.6, 0.5, 0, {2}),  # squared and divided by their sum 0.36: 0.69, 0.25, 0.03, 0.03
        (0.7, 1.0, 2, {0, 2}),  # of two: 0.625, 0.375
        (0.6, 1.0, 2, {2}),
    ],
)
def test_top_p_by_hand(key, top_p, temperature, top_k, kept):
    logits = jnp.log(jnp.array([[0.3, 0.1, 0.5, 0.1]])).repeat(2000, 0)
    found = pick(logits, key, temperature, top_k, top_p)
    assert set(np.asarray(found).tolist()) == kept


def test_generation_is_compiled_once():
    model, params = tiny(module_of(DECODERS[0]))[:2]
    context = getattr(model, "context", None)
    before = generate._cache_size()
    for i, temperature in enumerate((0.5, 0.8, 1.0)):
        prompt, padding = left_padded(ROWS[i:], 5)
        prompt, padding = jnp.resize(prompt, (2, 5)), jnp.resize(padding, 2)
        options = {"length": 5, "temperature": temperature, "context": context}
        options |= {"top_p": 0.5 + 0.1 * i, "stop": i, "padding": padding}
        generate(model, params, prompt, jax.random.key(i), **options)
    assert generate._cache_size() == before + 1


def test_rows_are_padded_at_their_beginning():
    tokens, padding = left_padded(ROWS)
    assert tokens.tolist() == [[3, 1, 4, 1, 5], [0, 0, 0, 0, 9], [0, 0, 2, 6, 5]]
    assert padding.tolist() == [0, 4, 2] and tokens.dtype == padding.dtype == jnp.int32
    assert left_padded(ROWS[1:2], 3)[0].tolist() == [[0, 0, 9]]


@over(DECODERS)
def test_padding_and_a_cache_change_nothing(architecture):
    """Rows of different lengths: whole, from a cache token by token, and each alone, to 1e-5."""
    model, params = tiny(module_of(architecture), 0.3)[:2]
    tokens = jnp.asarray(np.random.default_rng(5).integers(0, 17, (3, 11)), jnp.int32)
    padding = jnp.array([0, 4, 2], jnp.int32)

    @jax.jit
    def by_token(tokens, padding):
        go_on = continuation(model, params, tokens.shape[1])
        cache, first = go_on({}, tokens[:, :5], padding)
        _, rest = jax.lax.scan(lambda *at: go_on(*at), cache, tokens[:, 5:].T[:, :, None])
        return jnp.concatenate([first[:, None], rest.swapaxes(0, 1)], 1)

    apply = jax.jit(partial(model.apply, {"params": params}, train=False))
    whole = apply(tokens, padding=padding)
    assert np.isfinite(whole).all()
    # The same sums among others of zero: a few ulps of values near 1.
    np.testing.assert_allclose(by_token(tokens, padding), whole[:, 4:], atol=1e-5)
    np.testing.assert_allclose(whole[1:2, 4:], apply(tokens[1:2, 4:]), atol=1e-5)


@over([DECODERS[0], DECODERS[-1]])
def test_texts_of_different_prompts_are_as_of_each_alone(architecture, key):
    model, params = tiny(module_of(architecture), 0.3)[:2]
    context = getattr(model, "context", None)
    draw = partial(generate, model, params, key=key, temperature=0.0, context=context, length=40)
    tokens, padding = left_padded(ROWS)
    texts = draw(tokens, padding=padding)
    for i in (0, 1):
        text = draw(jnp.asarray(ROWS[i])[None])
        # Until the context is full: then a short row's text is not cut at the same token.
        count = 40 if context is None or i == 0 else context - 5
        np.testing.assert_array_equal(texts[i, :count], text[0, :count])


def test_prompts_that_are_cut_are_as_of_each_alone(key):
    """Of 12 places the newest 8 are kept, half of the context: with padding before some, within one."""
    bounded = [a for a in DECODERS if getattr(tiny(module_of(a)).module, "context", 0) == 16]
    model, params = tiny(module_of(bounded[0]), 0.3)[:2]
    draw = partial(generate, model, params, key=key, temperature=0.0, context=16, length=40)
    rows = [np.arange(n, dtype=np.int32) % 17 for n in (12, 9, 3)]
    tokens, padding = left_padded(rows)
    texts = draw(tokens, padding=padding)
    for i, row in enumerate(rows):
        alone = draw(jnp.asarray(row[-8:])[None])
        np.testing.assert_array_equal(texts[i, :8], alone[0, :8])


def test_the_last_token_of_top_p_is_the_one_that_reaches_it(key):
    """1/2, 1/4, 1/8, 1/8: a half is reached by the first alone, three quarters by two."""
    chances = jnp.array([0.5, 0.25, 0.125, 0.125])
    logits = jnp.log(chances).repeat(1).reshape(1, 4).repeat(500, 0)
    assert (jax.nn.softmax(logits[0]) == chances).all(), "the example is exact"
    for top_p, kept in ((0.5, {0}), (0.75, {0, 1}), (0.76, {0, 1, 2, 3})):
        assert set(np.asarray(pick(logits, key, 1.0, 0, top_p)).tolist()) == kept


class Even(nn.Module):
    """Every token is as likely as any other."""

    @nn.compact
    def __call__(self, tokens, *, train, decode=False, padding=None):
        self.variable("cache", "nothing", lambda: jnp.zeros(()))
        return jnp.zeros((*tokens.shape, 64))


def test_every_stretch_of_a_text_draws_anew(key):
    """Of a context of 8, stretches of four tokens after the first seven: no two are alike."""
    out = generate(Even(), {}, jnp.ones((1, 1), jnp.int32), key, length=47, context=8)
    stretches = {tuple(row) for row in out[0, 7:].reshape(-1, 4).tolist()}
    assert len(stretches) == 10
    for context, length, words in ((1, 3, "a context of 1"), (8, 0, "0 tokens")):
        with pytest.raises(UserError, match=words):
            generate(Even(), {}, out, key, length=length, context=context)


def test_a_text_ends_with_its_stop_token(key):
    model, params = tiny(module_of(DECODERS[0]), 0.3)[:2]
    prompt = jnp.arange(6, dtype=jnp.int32).reshape(3, 2)
    draw = partial(generate, model, params, prompt, key, length=12)
    free = np.asarray(draw())
    stop = int(free[0, 4])
    stopped = np.asarray(draw(stop=stop))
    for row, text in zip(stopped, free, strict=True):
        first = next((i for i, token in enumerate(text) if token == stop), len(text))
        np.testing.assert_array_equal(row[: first + 1], text[: first + 1])
        assert (row[first:] == stop).all()
        assert ended(row, stop).tolist() == text[:first].tolist()
    assert ended(free[0], None).tolist() == free[0].tolist()


def test_a_prompt_that_fits_with_its_text_is_taken_whole(key):
    bounded = [a for a in DECODERS if hasattr(tiny(module_of(a)).module, "context")]
    model, params = tiny(module_of(bounded[0]), 0.3)[:2]
    context = model.context
    prompt = jnp.arange(context - 3, dtype=jnp.int32)[None]
    draw = partial(generate, model, params, key=key, temperature=0.0, context=context)
    apply = jax.jit(partial(model.apply, {"params": params}, train=False))
    text = prompt
    for _ in range(3):
        text = jnp.concatenate([text, jnp.argmax(apply(text)[:, -1:], -1).astype(jnp.int32)], 1)
    np.testing.assert_array_equal(draw(prompt, length=3), text[:, -3:])
    half = prompt[:, -(context // 2) :]
    np.testing.assert_array_equal(draw(prompt, length=40), draw(half, length=40))


def test_looks(key):
    """The prompt stands in front of the text as it was given; the best beam is drawn without a key."""
    model, params = tiny(module_of(DECODERS[0]), 0.3)[:2]
    variables = Variables({"model": params}, {"model": {}})
    letters = Characters("abcdefghijklmnopq")
    look = Text(model, letters, "head", 1.0, length=9, context=getattr(model, "context", None))
    assert len(look(variables, key)) == 4 + 9 + 1 and look(variables, key).startswith("head")
    words = Words(("<unk>", *"abcdefghijklmnop"))
    said = Text(model, words, "a new thing", 0.0, length=2)(variables, key)
    assert said.startswith("a new thing ") and len(said.split()) == 5
    best = Text(model, letters, "head", 1.0, length=5, beams=3)
    assert best(variables, key) == best(variables, jax.random.key(9))
    with refused("--prompt is empty"):
        Text(model, letters, "", 1.0)
