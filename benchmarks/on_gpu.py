"""Training steps in bfloat16 on one GPU, beside PyTorch's with autocast, eager and compiled.

    python benchmarks/on_gpu.py
    python benchmarks/on_gpu.py gpt2 --rounds 5 --torch-python reference/bin/python

GPT-2 small on 16 texts of 1024 tokens, with AdamW; and DDPM's net of CIFAR-10 (35.7 million
parameters) on 128 images, with Adam; without dropout. Parameters and optimizer are in float32. One process
after the other has the GPU; medians of ``--rounds`` turns of ``--steps`` steps. "utilisation" is the share of the GPU's
dense bfloat16 peak (``--peak``, an H100's) that the model's own operations take: 6 N + 12 L d T for each token
(Chowdhery et al. 2022, arXiv:2204.02311, appendix B), of all N parameters but the table of positions.
"""

import argparse
import statistics
import sys

import show
from versus_torch import HERE, Worker

ROWS = {"gpt2": 16, "ddpm_cifar10": 128}
TOKENS = 1024
# Operations of a step and a row.
WORK = {"gpt2": TOKENS * (6 * (124_439_808 - 1024 * 768) + 12 * 12 * 768 * TOKENS)}


def worker(case: str) -> None:
    """Serve dljax's steps of a case."""
    import jax
    import optax
    import steps_jax
    from worker import serve

    from dljax import models
    from dljax.runtime.processes import prepare
    from dljax.runtime.profile import Profile

    profile = Profile(device="gpu", precision="bfloat16")
    prepare(profile)
    rows = ROWS[case]
    if case == "gpt2":
        model = models.build(steps_jax.gpt_model, "gpt2", dropout=0.0)
        batch = steps_jax.text(model.vocabulary, rows, TOKENS)
        inputs = steps_jax.tokens(model.vocabulary, TOKENS)
        task, tx = steps_jax.language(model), steps_jax.adamw()
    else:
        model = models.build(steps_jax.ddpm_model, "cifar10", dropout=0.0)
        batch = {"image": steps_jax.pixels(rows, 32, 32, 3) * 2 - 1}
        inputs = steps_jax.inputs_of(32, 32, 3)
        task, tx = steps_jax.diffusion(model, (32, 32, 3)), optax.adam(2e-4)
    run, params = steps_jax.trained(steps_jax.Case(task, tx, batch, model, inputs), profile)
    serve(run, sum(x.size for x in jax.tree.leaves(params)), f"jax {jax.__version__}")


def measured(command: list[str], rounds: int, steps: int) -> tuple[dict, list[float]]:
    """What a worker says at first, and its milliseconds a step of each round."""
    process = Worker(command, {})
    try:
        return process.read(), [process.step(steps).milliseconds for _ in range(rounds)]
    finally:
        process.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="*", metavar="case", help=f"of {', '.join(ROWS)}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--peak", type=float, default=989e12, help="operations a second")
    parser.add_argument("--torch-python", default=sys.executable, help="of an environment with it")
    parser.add_argument("--worker", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return worker(options.worker)
    unknown = sorted(set(options.cases) - set(ROWS))
    if unknown:
        parser.error(f"no case {unknown[0]!r}: expected {', '.join(ROWS)}")
    table = []
    for case in options.cases or ROWS:
        counts = set()
        for kind in ("dljax", "torch eager", "torch.compile"):
            command = [sys.executable, __file__, "--worker", case]
            if kind != "dljax":
                mode = kind.removeprefix("torch").strip(" .")
                script = str(HERE / "on_gpu_torch.py")
                command = [options.torch_python, script, case, mode, "--rows", str(ROWS[case])]
            said, turns = measured(command, options.rounds, options.steps)
            counts.add(said["parameters"])
            speed = 1000 * ROWS[case] / statistics.median(turns)
            used = f"{100 * speed * WORK[case] / options.peak:.1f} %" if case in WORK else ""
            row = [case, kind, said["version"], str(show.Times.of(turns)), show.number(speed), used]
            print(" | ".join(row), file=sys.stderr, flush=True)
            table.append([*row, show.number(said["first_step"])])
        if len(counts) > 1:
            raise SystemExit(f"these are not the same network: {sorted(counts)} parameters")
    head = ["case", "", "version", "ms a step", "rows a second", "utilisation", "first step, s"]
    print(show.table(head, table))


if __name__ == "__main__":
    main()
