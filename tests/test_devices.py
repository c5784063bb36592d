"""Every kind of experiment on eight devices: the losses and gradient norms of one device.

tests/test_learner.py compares the gradients themselves, on smooth nets; here the real ones, whose
optimizers (Adam divides by the gradient's own size) would magnify the last bit.
"""

import jax
import numpy as np
import pytest
from smoke import KIND_PARAMETERS, smoke

from dljax.errors import UserError
from dljax.runtime.execute import make_executor
from dljax.runtime.profile import Mesh, Profile

ONE = Profile(mesh=Mesh(data=1))
LAYOUTS = {
    "fsdp": Profile(mesh=Mesh(data=4, fsdp=2)),
    "pmap": Profile(mesh=Mesh(data=8), executor="pmap"),
}


def first_step(path, profile):
    phase = smoke(path).phases[0]
    executor = make_executor(profile, phase.learner, phase.data)
    state, packed = executor.step(executor.init(jax.random.key(2)), executor.place(0, 1), 1)
    return executor.names, np.asarray(packed)[0], executor.whole(state).extra


@pytest.mark.parametrize("path", KIND_PARAMETERS)
def test_eight_devices_measure_what_one_does(path):
    names, one, extra = first_step(path, ONE)
    for layout, profile in LAYOUTS.items():
        if layout == "pmap" and smoke(path).phases[0].data.whole:
            with pytest.raises(UserError, match="one whole example"):
                first_step(path, profile)
            continue
        _, eight, extra_eight = first_step(path, profile)
        for name, a, b in zip(names, one, eight, strict=True):
            # Sums over a batch of 8 and over devices in another order; norms add squares of them.
            np.testing.assert_allclose(b, a, rtol=2e-5, atol=2e-6, err_msg=f"{layout}: {name}")
        for a, b in zip(jax.tree.leaves(extra), jax.tree.leaves(extra_eight), strict=True):
            np.testing.assert_allclose(b, a, rtol=2e-5, atol=2e-6, err_msg=layout)
