"""What a model of sequences owes the order of time."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import dljax
from dljax import models
from dljax.analysis.generate import generate, pick
from dljax.data import EvalSet, Pipeline
from dljax.data.datasets import ptb, shakespeare, topics
from dljax.data.sources.text import NO_TARGET, Characters, Windows, Words
from dljax.errors import UserError
from dljax.models.recurrent import lstm
from dljax.models.transformers import gpt
from dljax.tasks.language import language

MODELS = pytest.mark.parametrize(
    "architecture, table", [(gpt, "wte"), (lstm, "embed")], ids=["gpt", "lstm"]
)
TIME = 8


def tiny(architecture, key):
    model = models.build(architecture, "tiny")
    tokens = jnp.arange(2 * TIME, dtype=jnp.int32).reshape(2, TIME)  # each token once
    # Larger than at the start of training, so that every path carries something.
    params = jax.tree.map(
        lambda x: x + 0.3 * jax.random.normal(key, x.shape),
        model.init(key, tokens, train=False)["params"],
    )
    return model, params, tokens


@MODELS
def test_nothing_comes_from_the_future(architecture, table, key):
    model, params, tokens = tiny(architecture, key)

    # One table of embeddings per use: what is read is differentiated, a tied head is not.
    def logits(read):
        def swapped(next_call, args, kwargs, context):
            if context.module.name == table and context.method_name == "__call__":
                return read[args[0]]
            return next_call(*args, **kwargs)

        with nn.intercept_methods(swapped):
            return model.apply({"params": params}, tokens, train=False)

    jacobian = jax.jit(jax.jacrev(lambda read: logits(read)[0].sum(-1)))(params[table]["embedding"])
    # [t, d]-slices by source position: token s stands at position s of the first row
    reach = np.abs(np.asarray(jacobian)[:, :TIME]).sum(-1)
    assert (reach[np.triu_indices(TIME, 1)] == 0).all()
    assert (reach[np.tril_indices(TIME)] > 0).all()
    assert (np.abs(np.asarray(jacobian)[:, TIME:]) == 0).all()  # nor from the other example


@MODELS
@pytest.mark.parametrize("first", [1, 5])
def test_a_cache_changes_nothing(architecture, table, first, key):
    model, params, tokens = tiny(architecture, key)
    whole = jax.jit(partial(model.apply, train=False))({"params": params}, tokens)
    on = jax.jit(partial(model.apply, train=False, decode=True, mutable=["cache"]))
    cache, parts = {}, []
    for start, end in [(0, first), *((i, i + 1) for i in range(first, TIME))]:
        logits, cache = on({"params": params, **cache}, tokens[:, start:end])
        parts.append(logits)
    # The same sums over other lengths: a few ulps of values near 1.
    np.testing.assert_allclose(jnp.concatenate(parts, 1), whole, atol=3e-6)


@MODELS
def test_greedy_generation_is_what_the_whole_model_says(architecture, table, key):
    model, params, tokens = tiny(architecture, key)
    prompt = tokens[:, :4]
    context = getattr(model, "context", None)
    out = generate(model, params, prompt, key, length=6, temperature=0.0, context=context)
    text = jnp.concatenate([prompt, out], 1)
    logits = jax.jit(partial(model.apply, train=False))({"params": params}, text)
    np.testing.assert_array_equal(out, jnp.argmax(logits[:, 3:-1], -1))


def test_generation_goes_past_the_context(key):
    model, params, tokens = tiny(gpt, key)
    short, long = (
        generate(model, params, tokens[:, :4], key, length=n, context=model.context)
        for n in (12, 45)
    )
    assert long.shape == (2, 45)
    np.testing.assert_array_equal(long[:, :12], short)


def test_generation_is_compiled_once(key):
    model, params, tokens = tiny(lstm, key)
    before = generate._cache_size()
    for i, temperature in enumerate((0.5, 0.8, 1.0)):
        prompt = (tokens[:, :4] + i) % 17
        generate(model, params, prompt, jax.random.key(i), length=5, temperature=temperature)
    assert generate._cache_size() == before + 1


def test_pick(key):
    logits = jnp.log(jnp.array([[0.1, 0.2, 0.7]])).repeat(4000, 0)
    share = np.bincount(pick(logits, key, 1.0, 0), minlength=3) / 4000
    np.testing.assert_allclose(share, [0.1, 0.2, 0.7], atol=0.03)  # 4 standard deviations
    assert set(np.asarray(pick(logits, key, 1.0, 2)).tolist()) == {1, 2}
    assert (pick(logits, key, 0.0, 0) == 2).all()


def test_lstm_is_the_equations(key):
    model, params, tokens = tiny(lstm, key)
    p = jax.tree.map(lambda x: np.asarray(x, np.float64), params)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    x = p["embed"]["embedding"][np.asarray(tokens)]
    for layer in ("lstm0", "lstm1"):
        w = p[layer]
        h = c = np.zeros((2, 8))
        out = []
        for t in range(TIME):
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
    experiment = dljax.load("experiments/recurrent/lstm_ptb.py")(fake=True, variant="tiny")
    epoch, batch = experiment.eval_every, experiment.data.batch(0)
    assert batch["tokens"].shape == (20, 20) and experiment.total_steps == 13 * epoch
    state, update = jax.jit(experiment.learner.init)(key, batch), jax.jit(experiment.learner.update)

    def moved(step):
        """How far one update goes at that count of the schedule: the gradient is the same one."""
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


def test_training_windows_start_anywhere():
    source = Windows(np.arange(100, dtype=np.int32), 10)
    assert len(source) == 90
    batch = source.gather(np.array([0, 89]))
    np.testing.assert_array_equal(batch["tokens"][1], np.arange(89, 99))
    np.testing.assert_array_equal(batch["targets"][1], np.arange(90, 100))
    seen = Pipeline(source, 9, seed=3)
    starts = np.concatenate([seen.batch(step)["tokens"][:, 0] for step in range(10)])
    assert sorted(starts.tolist()) == list(range(90))


@pytest.mark.parametrize("n", [30, 31, 32, 39])
def test_evaluation_windows_count_every_target_once(n):
    sequence = np.arange(n, dtype=np.int32)
    batches = list(EvalSet(Windows.apart(sequence, 10)).batches(3))
    assert all(len(batch["tokens"]) == 3 for batch in batches)
    counted = [
        target
        for batch in batches
        for row, mask in zip(batch["targets"], batch["mask"], strict=True)
        if mask > 0
        for target in row[row != NO_TARGET]
    ]
    assert counted == list(range(1, n))
    assert sum(batch["mask"].sum() for batch in batches) == -(-(n - 1) // 10)  # windows


def test_the_mean_over_windows_is_the_mean_over_tokens(key):
    model, params, _ = tiny(lstm, key)
    sequence = np.asarray(jax.random.randint(key, (23,), 0, 17))
    task = language(model)
    evaluate = jax.jit(task.evaluate)
    apply = jax.jit(partial(model.apply, train=False))

    def mean(batches):
        total = count = 0.0
        for batch in batches:
            values = evaluate({"model": params}, {"model": {}}, batch, key)["loss"]
            total += np.where(batch["mask"] > 0, values, 0.0).sum()
            count += batch["mask"].sum()
        return total / count

    losses = []
    for start in range(0, 22, 5):
        piece = sequence[start : start + 6]
        logits = np.asarray(apply({"params": params}, piece[None, :-1])[0], np.float64)
        log_sum = np.log(np.exp(logits).sum(1))
        losses += list(log_sum - logits[np.arange(len(piece) - 1), piece[1:]])
    # float32 sums of 22 values near 3
    np.testing.assert_allclose(
        mean(EvalSet(Windows.apart(sequence, 5), 2).batches()), np.mean(losses), rtol=1e-6
    )


def test_vocabularies():
    letters = Characters.of("hello")
    assert letters.alphabet == "ehlo" and letters.decode(letters.encode("hello")) == "hello"
    with pytest.raises(UserError, match="'x' is not among"):
        letters.encode("x")
    assert Characters("b?a", unknown="?").encode("abz").tolist() == [2, 0, 1]
    words = Words.of("the cat the <eos>".split())
    assert words.words[0] == "the" and words.decode(words.encode("the dog")) == "the <unk>"


def test_the_help_topics_are_text():
    text = topics.load()
    assert len(text.train) > 300_000 and len(text.vocabulary) == 96
    assert (text.train == text.vocabulary.alphabet.index("?")).mean() < 0.005
    assert "statement" in text.vocabulary.decode(text.train[:2000])


def test_text_files(tmp_path):
    file = tmp_path / "own.txt"
    file.write_text("\u03b1\u03b2 " * 50, "utf-8")
    own = shakespeare.load(str(file))
    assert len(own.vocabulary) == 3 and (len(own.train), len(own.validation)) == (135, 15)
    (tmp_path / "input.txt").write_text("To be, or not to be" * 20)
    assert len(shakespeare.load(str(tmp_path)).vocabulary) == 65
    with pytest.raises(UserError, match="no text file"):
        shakespeare.load(str(tmp_path / "absent.txt"))
    with pytest.raises(UserError, match="no window of 64"):
        Windows(own.validation, 64)
    for split in ("train", "valid", "test"):
        (tmp_path / f"ptb.{split}.txt").write_text(" the cat <unk> \n the dog \n")
    corpus = ptb.load(str(tmp_path))
    assert corpus.vocabulary.decode(corpus.test) == "the cat <unk> <eos> the dog <eos>"
    with pytest.raises(UserError, match="--data FOLDER"):
        ptb.load("")
