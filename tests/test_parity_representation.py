"""The authors' MAE, as transformers has it: beside the pixels, of test_parity, its mask and losses."""

import jax
import jax.numpy as jnp
import numpy as np
from parity.cases import MAE, masked
from parity.recipe import weights
from parity_rows import GOLDEN

from dljax import models
from dljax.models.representation import mae
from dljax.tasks import masked_images
from dljax.weights import from_variables, to_variables
from dljax.weights import mae as mae_names


def test_same_weights_same_mask_and_losses(monkeypatch):
    image, noise = map(jnp.asarray, masked())
    model = models.build(mae, "B/16", **{**MAE, "encoder": mae.Encoder(*MAE["encoder"])})
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), image, noise, train=False))
    zeros = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)
    entries = mae_names.entries(model)
    state = weights({name: x.shape for name, x in from_variables(entries, zeros).items()})
    variables = to_variables(entries, state)
    golden = np.load(GOLDEN / "representation.npz")
    variables = jax.tree.map(jnp.asarray, variables)
    monkeypatch.setattr(masked_images, "patch_noise", lambda *_: noise)

    @jax.jit
    def both(params):
        losses = [
            masked_images.masked_autoencoding(model, mae.patches, normalized=normalized)
            .evaluate({"model": params}, {"model": {}}, {"image": image}, jax.random.key(0))["loss"]
            .value
            for normalized in (False, True)
        ]
        return model.apply({"params": params}, image, noise, train=False), losses

    (_, mask), losses = both(variables["params"])
    np.testing.assert_array_equal(mask, golden["mae_mask"])
    expected = [float(golden[name]) for name in ("mae_loss", "mae_loss_normalized")]
    np.testing.assert_allclose(losses, expected, rtol=2e-5)
