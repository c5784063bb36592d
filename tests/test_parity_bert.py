"""BERT and RoBERTa: transformers' outputs of every layer and of every head, with padding.

Recorded by tests/parity/bert.py. The pooled outputs, and what is true of every map, are in test_parity.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from parity.cases import BERT, ROBERTA, texts
from parity.recipe import weights

from dljax import models
from dljax.models.transformers import bert
from dljax.weights import bert as names
from dljax.weights import from_variables, to_variables

GOLDEN = Path(__file__).parent / "parity" / "golden" / "bert.npz"
KINDS = {"bert": ("bert-base", BERT), "roberta": ("roberta-base", ROBERTA)}
HEADS = {
    "masked": bert.MaskedLM(),
    "classes": bert.Classifier(5),
    "tags": bert.Tagger(5),
    "spans": bert.Spans(),
}
pytestmark = pytest.mark.usefixtures("fast_forms")


def prepared(kind: str, head=None):
    """(model, its variables of the recipe's weights, its inputs, which of them are no padding)."""
    variant, case = KINDS[kind]
    model = models.build(bert, variant, **case, **({} if head is None else {"head": head}))
    tokens, types = texts(model.padding)
    inputs = (tokens, types) if kind == "bert" else (tokens,)
    shapes = jax.eval_shape(lambda *x: model.init(jax.random.key(0), *x, train=False), *inputs)
    zeros = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)
    entries = names.entries(model)
    state = weights({name: x.shape for name, x in from_variables(entries, zeros).items()})
    variables = jax.tree.map(jnp.asarray, to_variables(entries, state))
    return model, variables, inputs, tokens != model.padding


def same(out, golden):
    # float32 sums of at most 128 terms through 3 layers: some ulps of the largest.
    np.testing.assert_allclose(out, golden, atol=3e-6 * np.abs(golden).max(), rtol=3e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_every_layer(kind):
    model, variables, inputs, seen = prepared(kind)

    @jax.jit
    def layers(variables, *inputs):
        _, state = model.apply(variables, *inputs, train=False, capture_intermediates=True)
        found = state["intermediates"]
        return [found[name]["__call__"][0] for name in ("norm", "layer_0", "layer_1", "layer_2")]

    golden = np.load(GOLDEN)[f"{kind}_hidden"]
    for out, expected in zip(layers(variables, *inputs), golden, strict=True):
        same(np.asarray(out)[seen], expected[seen])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", HEADS)
def test_every_head(kind, name):
    model, variables, inputs, seen = prepared(kind, HEADS[name])
    out = np.asarray(jax.jit(lambda v, *x: model.apply(v, *x, train=False))(variables, *inputs))
    golden = np.load(GOLDEN)[f"{kind}_{name}"]
    out = out.swapaxes(1, 2) if name == "spans" else out  # here the places are the last axis
    whole = golden.ndim == 2
    same(out if whole else out[seen], golden if whole else golden[seen])


def test_the_heads_of_pre_training():
    model, variables, inputs, seen = prepared("bert", bert.PreTraining())
    out = jax.jit(lambda v, *x: model.apply(v, *x, train=False))(variables, *inputs)
    golden = np.load(GOLDEN)
    same(np.asarray(out[0])[seen], golden["bert_prediction_logits"][seen])
    same(out[1], golden["bert_seq_relationship_logits"])


def test_files_of_every_kind_fit():
    """Of another head, with and without the prefix, and with the norms' first names."""
    model, variables, _, _ = prepared("bert", bert.Classifier(5))
    whole = from_variables(names.entries(model), variables)
    model = models.build(bert, "bert-base", **BERT, head=bert.Tagger(3))
    more = {"cls.predictions.bias": np.zeros(41), "bert.embeddings.position_ids": np.arange(26)}

    def first_names(name: str) -> str:
        return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        )

    def fresh(entries):
        return [e._replace(path="") if e.path.startswith("params/head") else e for e in entries]

    expected = {k: v for k, v in variables["params"].items() if k != "head"}
    files = (
        whole,
        {**whole, **more},
        {k.removeprefix("bert."): v for k, v in {**whole, **more}.items()},
        {first_names(k): v for k, v in whole.items()},
        {k: v for k, v in whole.items() if "pooler" not in k and "classifier" not in k},
    )
    for file in files:
        found = to_variables(fresh(names.fitting(model, file)), file)
        jax.tree.map(np.testing.assert_array_equal, found["params"], expected)
