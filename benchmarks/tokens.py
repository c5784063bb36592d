"""Tokens per second that a language model writes with its cache, beside transformers' ``generate`` in PyTorch.

    python benchmarks/tokens.py --torch-python reference/bin/python
    python benchmarks/tokens.py --variant gpt2-medium --rows 1 --length 64

GPT-2's network with drawn weights, greedily, after a prompt of 32 tokens; compiled programs and caches are made
before. They take turns on the same two cores: medians with their range. Without ``--torch-python`` dljax
alone. torch's environment has transformers.
"""

import argparse
import os
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import show
from versus_torch import BUSY, HERE, Worker
from worker import serve

from dljax import models
from dljax.analysis.generate import generate
from dljax.models.transformers import gpt
from dljax.runtime.processes import prepare
from dljax.runtime.profile import Profile

PROMPT = 32


def written(variant: str, rows: int, length: int) -> None:
    """A worker whose step writes ``length`` tokens in each of ``rows`` rows."""
    prepare(Profile(device="cpu"))
    model = models.build(gpt, variant)
    prompt = jnp.asarray(np.random.default_rng(0).integers(0, 50_257, (rows, PROMPT)), jnp.int32)
    params = jax.jit(partial(model.init, train=False))(jax.random.key(0), prompt)["params"]
    options = {"length": length, "temperature": 0.0, "context": model.context}

    def run(steps: int) -> None:
        for _ in range(steps):
            np.asarray(generate(model, params, prompt, jax.random.key(0), **options))

    serve(run, sum(x.size for x in jax.tree.leaves(params)), f"jax {jax.__version__}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--variant", default="gpt2", help="of GPT-2's table")
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 8], help="texts at once")
    parser.add_argument("--length", type=int, default=128, help="tokens of each")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--torch-python", default="", help="Python of torch's environment")
    parser.add_argument("--worker", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        written(options.variant, options.worker, options.length)
        return
    show.warn_if_busy()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    size = ["--variant", options.variant, "--length", str(options.length)]
    table = []
    for rows in options.rows:
        commands = {"dljax": [sys.executable, __file__, *size, "--worker", str(rows)]}
        if options.torch_python:
            script = str(HERE / "tokens_torch.py")
            commands["transformers"] = [options.torch_python, script, *size, "--rows", str(rows)]
        workers = {kind: Worker(command, {}) for kind, command in commands.items()}
        try:
            counts = {kind: worker.read()["parameters"] for kind, worker in workers.items()}
            if len(set(counts.values())) > 1:
                raise SystemExit(f"these are not the same network: {counts}")
            turns = [
                {kind: worker.step(1) for kind, worker in workers.items()}
                for _ in range(options.rounds)
            ]
        finally:
            for worker in workers.values():
                worker.close()
        tokens = rows * options.length
        cells = []
        for kind in commands:
            counted = [turn[kind] for turn in turns if turn[kind].others <= BUSY]
            speeds = [1000 * tokens / turn.milliseconds for turn in counted]
            cells.append(str(show.Times.of(speeds)) if speeds else "void: others were at work")
        table.append([f"{options.variant}, {rows} at once", *cells])
    print(show.table(["tokens a second", *commands], table))


if __name__ == "__main__":
    main()
