"""The text and logits of llama2.c's stories260K, from its own files, beside those that other programs made.

python benchmarks/stories260k.py FOLDER

FOLDER holds stories260K.bin, tok512.bin and expected.json: "greedy_ids_from_bos", the text of them,
"logits_after_bos_first8", and the mean negative log-likelihood of the first 32.
"""

import json
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from dljax.analysis.generate import generate
from dljax.data.sources.pieces import BEGIN, Pieces
from dljax.models.transformers.llama import Llama
from dljax.weights import llama2c, to_variables
from dljax.weights.llama import meta_entries


def main(folder: Path) -> None:
    expected = json.loads((folder / "expected.json").read_text())
    config, arrays = llama2c.read(folder / "stories260K.bin")
    model = Llama(**config, epsilon=expected["config"]["norm_eps"])
    variables = jax.tree.map(jnp.asarray, to_variables(meta_entries(model), arrays))
    print(sum(x.size for x in jax.tree.leaves(variables)), "parameters")
    vocabulary = Pieces.read(folder / "tok512.bin")
    ids = np.array(expected["greedy_ids_from_bos"], np.int32)[None]
    begin = jnp.asarray(ids[:, :1])
    assert ids[0, 0] == BEGIN and vocabulary.encode("").tolist() == [BEGIN]
    options = {"length": ids.shape[1], "temperature": 0.0, "context": model.context}
    out = generate(model, variables["params"], begin, jax.random.key(0), **options)
    print("same tokens:", bool((np.asarray(out)[:, :-1] == ids[:, 1:]).all()))
    text = vocabulary.decode(np.concatenate([ids[0, :1], out[0]]))
    print("same text:", text == expected["expected_text_llama2c_test_all"])
    again = vocabulary.encode(text)
    print("the text's tokens are the expected ones:", bool((again[:-1] == ids[0]).all()))
    logits = model.apply(variables, jnp.asarray(ids), train=False)
    first = np.array(expected["logits_after_bos_first8"])
    print("logits differ by", np.abs(np.asarray(logits[0, 0, :8]) - first).max())
    chance = jax.nn.log_softmax(logits[0, :32])
    found = -jnp.mean(jnp.take_along_axis(chance, jnp.asarray(ids[0, 1:33, None]), 1))
    print("likelihood", float(found), "expected", expected["nll_first_32_greedy_tokens"])
    print(text)


main(Path(sys.argv[1]))
