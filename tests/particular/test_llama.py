"""Llama: its rotation, both orders of its rows, and the files of llama2.c."""

import struct

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from architectures import tiny
from refusal import refused

from dljax import models, weights
from dljax.cli.modules import map_of
from dljax.models.transformers import llama
from dljax.weights import from_variables, llama2c, to_variables
from dljax.weights.llama import entries, interleaved, meta_entries


def test_the_rotation_by_hand():
    """Planes (0, 2) and (1, 3) of four features, at theta 100: turned by m and by m / 10."""
    x = jnp.array([1.0, 1.0, 0.0, 0.0]).reshape(1, 1, 1, 4)
    found = llama.rotary(x, jnp.array([3]), 100.0).ravel()
    expected = [np.cos(3), np.cos(0.3), np.sin(3), np.sin(0.3)]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_only_differences_of_positions_count(key):
    query, value = jax.random.normal(key, (2, 1, 1, 1, 8))

    def product(m, n):
        turned = (llama.rotary(x, jnp.array([at]), 50.0) for x, at in ((query, m), (value, n)))
        return float(jnp.sum(next(turned) * next(turned)))

    # float32 products of angles up to 40 radians: 40 x 6e-8
    assert product(7, 3) == pytest.approx(product(41, 37), abs=2e-5)
    assert product(7, 3) != pytest.approx(product(7, 4), abs=1e-2)


def test_later_tokens_do_not_depend_on_where_the_text_stands():
    """A text's logits are the same at positions 0, 1, ... and 5, 6, ... of a padded row."""
    model, params = tiny(llama, 0.3)[:2]
    text = jnp.arange(8, dtype=jnp.int32)[None]
    apply = jax.jit(lambda x, **more: model.apply({"params": params}, x, train=False, **more))
    wide = jnp.concatenate([jnp.zeros((1, 5), jnp.int32), text], 1)
    padded = apply(wide, padding=jnp.array([5]))
    np.testing.assert_allclose(padded[:, 5:], apply(text), atol=1e-5)


def test_rows_that_are_pairs_there_are_halves_here():
    join = interleaved(2)
    rows = np.arange(8)[:, None] * np.ones((1, 3))
    merged = join.merge(rows)
    assert merged[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
    np.testing.assert_array_equal(join.split(merged)[0], rows)


def file_of(model, state) -> bytes:
    """A file of llama2.c, written from its definition."""
    v = model.vocabulary if model.tied else -model.vocabulary
    sizes = (model.features, model.hidden, model.layers, model.heads, model.groups)
    parts = [struct.pack("<7i", *sizes, v, model.context)]

    def put(*names):
        for name in names:
            parts.append(state[name].astype("<f4").tobytes())

    layers = range(model.layers)
    put("tok_embeddings.weight")
    put(*(f"layers.{i}.attention_norm.weight" for i in layers))
    for name in ("wq", "wk", "wv", "wo"):
        put(*(f"layers.{i}.attention.{name}.weight" for i in layers))
    put(*(f"layers.{i}.ffn_norm.weight" for i in layers))
    for name in ("w1", "w2", "w3"):
        put(*(f"layers.{i}.feed_forward.{name}.weight" for i in layers))
    put("norm.weight")
    half = model.features // model.heads // 2
    parts.append(np.full(2 * model.context * half, 7.0, "<f4").tobytes())
    if not model.tied:
        put("output.weight")
    return b"".join(parts)


@pytest.mark.parametrize("tied", [True, False])
def test_files_of_llama2c(tied, tmp_path):
    model = models.build(llama, "tiny", tied=tied)
    tokens = jnp.zeros((1, 4), jnp.int32)
    params = model.init(jax.random.key(0), tokens, train=False)["params"]
    state = from_variables(meta_entries(model), {"params": params})
    (tmp_path / "model.bin").write_bytes(raw := file_of(model, state))
    found = llama2c.read(tmp_path / "model.bin")
    read = llama.MODEL(**found.config)
    assert read == model
    back = to_variables(meta_entries(read), found.arrays)["params"]
    jax.tree.map(np.testing.assert_array_equal, back, dict(params))
    # As any other file of weights, with the map of its names.
    by_name = weights.read(tmp_path / "model.bin")
    assert by_name.keys() == state.keys()
    weights.write(
        tmp_path / "model.safetensors", from_variables(entries(model), {"params": params})
    )
    for name, named in {"bin": meta_entries(model), "safetensors": entries(model)}.items():
        chosen = map_of(model)(weights.read(tmp_path / f"model.{name}"))
        assert [entry.names for entry in chosen] == [entry.names for entry in named]
    (tmp_path / "short.bin").write_bytes(raw[:-4])
    (tmp_path / "empty.bin").write_bytes(b"")
    (tmp_path / "other.bin").write_bytes(struct.pack("<7i", *[2**31 - 1] * 7) + raw[28:])
    for name in ("short", "empty", "other"):
        with refused(f"{name}.bin is no model of llama2.c's first format"):
            llama2c.read(tmp_path / f"{name}.bin")
    with refused("absent.bin cannot be read: No such file"):
        llama2c.read(tmp_path / "absent.bin")
