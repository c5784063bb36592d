"""``dljax embed``: lines of text as vectors; and gaps filled by a masked language model."""

from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusal import refused

from dljax import weights
from dljax.analysis.fill import Fill
from dljax.analysis.sentence_vectors import pooled, sentence_vectors
from dljax.cli.main import main
from dljax.data.sources.word_pieces import SPECIAL, WordPieces
from dljax.types import Variables

ROOT = Path(__file__).parents[1]
BERT = str(ROOT / "experiments" / "transformers" / "bert.py")
TINY = ("--variant", "tiny", "--length", "16", "--size", "60", "--batch", "8", "--fake")
PIECES = WordPieces((*SPECIAL, *(f"w{i}" for i in range(20))))


def test_pooling_by_hand():
    hidden = jnp.asarray([[[3.0, 0.0], [1.0, 4.0], [9.0, 9.0]]])
    seen = jnp.asarray([[True, True, False]])
    assert pooled(hidden, seen, "mean", False).tolist() == [[2.0, 2.0]]
    assert pooled(hidden, seen, "first", False).tolist() == [[3.0, 0.0]]
    np.testing.assert_allclose(pooled(hidden, seen, "mean", True), [[0.5**0.5] * 2], rtol=1e-6)


class Numbers(nn.Module):
    """Outputs that are a token's number, and the number of tokens in the row."""

    def encode(self, tokens, *, train: bool):
        class Out:
            seen = tokens != 0
            count = jnp.broadcast_to(jnp.sum(seen, 1, keepdims=True), tokens.shape)
            hidden = jnp.stack([tokens, count], -1).astype(jnp.float32)

        return Out


def test_vectors_are_in_the_order_of_the_texts():
    """Of texts of many lengths, in batches by length, the last one not full."""
    rng = np.random.default_rng(0)
    texts = [" ".join(f"w{i}" for i in rng.integers(0, 20, n)) for n in rng.integers(0, 40, 23)]
    out = sentence_vectors(Numbers(), {}, PIECES, texts, length=30, normalize=False, batch=4)
    for text, vector in zip(texts, out, strict=True):
        # [CLS] is 2, [SEP] 3, w0 is 5; 28 words have room
        numbers = [2, *(5 + int(word[1:]) for word in text.split()[:28]), 3]
        np.testing.assert_allclose(vector, [np.mean(numbers), len(numbers)], rtol=1e-6)


def test_gaps_are_filled_with_the_likeliest():
    class Next(nn.Module):
        """Certain to 3 : 1 of the piece after the one before, or of its own."""

        @nn.compact
        def __call__(self, tokens, *, train: bool):
            self.param("scale", nn.initializers.ones, ())
            before = jnp.pad(tokens, ((0, 0), (1, 0)))[:, :-1]
            sure = 3.0 * jax.nn.one_hot(before + 1, 25) + jax.nn.one_hot(before, 25)
            return jnp.log(jnp.maximum(sure, 1e-9))

    variables = Variables({"model": {"scale": jnp.ones(())}}, {"model": {}})
    look = Fill(Next(), PIECES, ("w1 [MASK] w7 [MASK]",), top=2)
    told = look(variables, jax.random.key(0)).splitlines()
    assert told == ["w1 [MASK] w7 [MASK]", "    w2 75%, w1 25%", "    w8 75%, w7 25%"]
    with refused("expected a text with [MASK]"):
        Fill(Next(), PIECES, ("w1",))


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> str:
    """A run of a tiny BERT."""
    folder = str(tmp_path_factory.mktemp("embed") / "run")
    assert main(["train", BERT, *TINY, "--steps", "2", "--workdir", folder]) == 0
    return folder


def test_lines_of_a_file(command, run, tmp_path):
    lines = ["w11 w12 w13", "", "w9 " * 30, "w11 w12 w13", "w12 w11 w13"]
    lines.append("w9\u2028w10\x0cw11")  # one line, as an editor counts them
    (tmp_path / "lines.txt").write_text("\n".join(lines) + "\n")
    status, out, err = command("embed", run, "lines.txt")
    assert (status, out) == (0, "lines.txt.npy: 6 x 8\n"), err
    found = np.load(tmp_path / "lines.txt.npy")
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(found[0], found[3])
    assert np.abs(found[0] - found[4]).max() > 1e-4
    status, _, err = command("embed", run, "lines.txt", "--out", "lines.txt")
    assert status == 2 and "lines.txt is the text itself" in err and err.count("\n") == 1
    status, out, err = command("embed", run, "lines.txt", "--no-normalize", "--out", "raw.npy")
    assert status == 0, err
    raw = np.load(tmp_path / "raw.npy")
    np.testing.assert_allclose(raw / np.linalg.norm(raw, axis=1, keepdims=True), found, rtol=1e-5)


def test_a_file_without_the_head_is_imported(command, run, tmp_path):
    """The encoder is the file's, bit for bit, and the head is fresh."""
    assert command("export", run, "whole.safetensors")[0] == 0
    whole = weights.read(tmp_path / "whole.safetensors")
    encoder = {k.removeprefix("bert."): v for k, v in whole.items() if k.startswith("bert.")}
    weights.write(tmp_path / "encoder.safetensors", encoder)
    words = ("import", BERT, "encoder.safetensors", *TINY)
    status, _, err = command(*words, "--out", "refused")
    assert status == 2 and "missing 'cls.predictions" in err and err.count("\n") == 1
    status, _, err = command(*words, "--fresh", "head", "--out", "imported")
    assert status == 0, err
    assert command("export", "imported", "back.safetensors")[0] == 0
    back = weights.read(tmp_path / "back.safetensors")
    for name, array in encoder.items():
        np.testing.assert_array_equal(back[f"bert.{name}"], array)
    bias = "cls.predictions.bias"
    assert not back[bias].any() and whole[bias].any()


def test_refusals(command, run, tmp_path):
    def told(*words: str) -> str:
        status, _, err = command("embed", *words)
        assert status == 2 and err.count("\n") == 1, err
        return err

    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "lines.txt").write_text("w1\n")
    assert "empty.txt is empty" in told(run, "empty.txt")
    assert "absent.txt cannot be read" in told(run, "absent.txt")
    assert "--length 500: expected 3 to 24" in told(run, "lines.txt", "--length", "500")
    lenet = str(ROOT / "experiments" / "convnets" / "lenet.py")
    small = ("--variant", "tiny", "--epochs", "0.02", "--workdir", "images")
    assert command("train", lenet, *small)[0] == 0
    assert "no encoder of texts" in told("images", "lines.txt")


def test_a_prompt_without_a_gap_is_refused(command):
    status, _, err = command("train", BERT, *TINY, "--steps", "1", "--prompt", "no gap")
    assert status == 2 and "expected a text with [MASK]" in err
