"""Run by test_resume in a process of its own: train a small twin of FILE, slowly enough to be killed.

    python tests/drive.py FILE WORKDIR [WORKDIR ...]

Prints, for each folder, a digest of the final state's bits.
"""

import hashlib
import sys
import time
from dataclasses import fields, replace
from pathlib import Path

import jax
import numpy as np
from smoke import smoke

from dljax import Experiment
from dljax.runtime.loop import Interrupted, run
from dljax.runtime.profile import Profile

STEPS, CHECKPOINT_EVERY = 24, 5


def slowed(data):
    """The pipeline, of whatever kind, whose batches take a moment."""

    class Slow(type(data)):
        def batch(self, *given, **options):
            time.sleep(0.03)
            return super().batch(*given, **options)

    return Slow(**{f.name: getattr(data, f.name) for f in fields(data) if f.init})


def digest(state) -> str:
    out = hashlib.sha256()
    state = state._replace(key=jax.random.key_data(state.key))
    for path, leaf in jax.tree_util.tree_leaves_with_path(state):
        out.update(jax.tree_util.keystr(path).encode() + np.asarray(leaf).tobytes())
    return out.hexdigest()


def main() -> None:
    made = smoke(Path(sys.argv[1]), STEPS)
    # One of them saves at its evaluations, besides.
    every = 3 if Path(sys.argv[1]).stem == "lenet" else 0
    phases = (replace(p, data=slowed(p.data), looks={}, every=every) for p in made.phases)
    claim = made.claim if every else None  # which may be about a look
    experiment = Experiment(*phases, seed=made.seed).of(made.origin, claim, made.apart)
    for folder in sys.argv[2:]:
        profile = Profile(checkpoint_every=CHECKPOINT_EVERY)
        try:
            result = run(experiment, profile, folder, quiet=False)
        except Interrupted as stopped:
            print(stopped)
            sys.exit(stopped.status)
        print("digest", digest(result.state), flush=True)


if __name__ == "__main__":
    main()
