"""dljax: every architecture of a deep-learning course as pure functional JAX + Flax.

    experiment = dljax.load("experiments/convnets/lenet_digits.py")(epochs=2)
    dljax.run(experiment, dljax.profile("cpu"))

Names are imported when first used, so that the command line answers before jax is loaded.
"""

import time
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dljax.experiment import Experiment as Experiment
    from dljax.experiment import Phase as Phase
    from dljax.experiment import at_least as at_least
    from dljax.experiment import at_most as at_most
    from dljax.loading import load as load
    from dljax.runtime.loop import run as run
    from dljax.runtime.profile import load_profile as profile  # noqa: F401

__version__ = "0.1.0"
STARTED = time.time()  # what is edited later may not be what was imported

_MODULES = ("models", "data", "nn", "learner", "tasks", "rules", "runtime")
_HOMES = {
    "Experiment": ("dljax.experiment", "Experiment"),
    "Phase": ("dljax.experiment", "Phase"),
    "at_least": ("dljax.experiment", "at_least"),
    "at_most": ("dljax.experiment", "at_most"),
    "load": ("dljax.loading", "load"),
    "run": ("dljax.runtime.loop", "run"),
    "profile": ("dljax.runtime.profile", "load_profile"),
}


def __getattr__(name: str):
    if name in _MODULES:
        return import_module(f"dljax.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'dljax' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)
