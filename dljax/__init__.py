"""dljax: every architecture of a deep-learning course as pure functional JAX + Flax.

    experiment = dljax.load("experiments/convnets/lenet.py")(epochs=2)
    dljax.run(experiment, dljax.load_profile("cpu"))

Names are imported when first used, so that the command line answers before jax is loaded.
"""

import time
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dljax.data.pipeline import Arrays as Arrays
    from dljax.data.pipeline import EvalSet as EvalSet
    from dljax.data.pipeline import Pipeline as Pipeline
    from dljax.experiment import Experiment as Experiment
    from dljax.experiment import Phase as Phase
    from dljax.learner import learn as learn
    from dljax.loading import load as load
    from dljax.runtime.loop import run as run
    from dljax.runtime.profile import load_profile as load_profile
    from dljax.types import Mean as Mean

__version__ = "0.1.0"
STARTED = time.time()  # modules edited after this may differ from those imported

_MODULES = ("analysis", "data", "learner", "models", "nn", "rules", "runtime", "tasks", "weights")
_HOMES = {
    "Arrays": "dljax.data.pipeline",
    "EvalSet": "dljax.data.pipeline",
    "Experiment": "dljax.experiment",
    "Mean": "dljax.types",
    "Phase": "dljax.experiment",
    "Pipeline": "dljax.data.pipeline",
    "learn": "dljax.learner",
    "load": "dljax.loading",
    "load_profile": "dljax.runtime.profile",
    "run": "dljax.runtime.loop",
}


def __getattr__(name: str):
    if name in _MODULES:
        return import_module(f"dljax.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'dljax' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
