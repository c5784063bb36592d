"""Diffusion in the latents of an autoencoder, with classes. Rombach et al. 2022, arXiv:2112.10752.

    dljax train experiments/diffusion/latent.py
    dljax train experiments/diffusion/latent.py --claim mnist

The phases ``autoencoder``, then ``diffusion`` of its latents, whose sides are half the image's; samples go
through its decoder. The autoencoder's loss is the absolute error and a millionth of the divergence, without the
paper's perceptual and adversarial terms; the diffusion sees the means of the latents, over their deviation among
1000 training images. The class is a token that the network reads by cross attention; a tenth is hidden. Digits:
error 0.0011, all of 200 samples nearest to their class, four or five broken; five minutes of one core.
"""

from typing import Literal

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis.diffusion import Faithful
from dljax.analysis.looks import Beside, Samples
from dljax.data import transforms
from dljax.data.datasets import digits, mnist
from dljax.experiment import go_on
from dljax.models.autoencoders import kl_autoencoder
from dljax.models.diffusion import latent_unet
from dljax.tasks.latent import latent_diffusion

CLAIMS = {
    "digits": {"expect": ["autoencoder/test/mse <= 0.01", "diffusion/faithful/consistency >= 0.9"]},
    "mnist": {
        "dataset": "mnist", "epochs": 2, "diffusion_epochs": 20, "batch": 128, "ema": 0.999,
        "expect": ["autoencoder/test/mse <= 0.01", "diffusion/faithful/consistency >= 0.95"],
    },
}  # fmt: skip
SMALL = {"autoencoder": "tiny", "variant": "tiny", "batch": 8, "samples": 10}
DATASETS = {"digits": digits, "mnist": mnist}


def experiment(
    *,
    dataset: Literal["digits", "mnist"] = "digits",
    autoencoder: str = "small",
    variant: str = "small",
    epochs: float = 10,
    diffusion_epochs: float = 30,
    batch: int = 32,
    ema: float = 0.995,
    scale: float = 2.0,
    samples: int = 200,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    size = {"size": 16} if dataset == "digits" else {}
    parts = DATASETS[dataset].load(data=data, fake=fake, **size)
    train, test = (EvalSet(part, transforms.unit) for part in parts)
    pipeline = Pipeline(train.source, batch, seed=seed, transform=transforms.unit)
    coder = models.build(kl_autoencoder, autoencoder)
    network = models.build(latent_unet, variant, channels=coder.latents)
    some = next(train.batches(1000))["image"]
    stages = latent_diffusion(coder, latent_unet.ToldClass(network, 10), some, classes=10)
    made = stages.sample(classes=10, scale=scale)

    def phase(name, task, lr, epochs, looks, ema=None, start=go_on):
        steps = pipeline.steps(epochs)
        decay = optax.cosine_decay_schedule(lr, steps, alpha=0.05)
        tx = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(decay))
        evals = {"test": test}
        return Phase(learn(task, tx, ema=ema), pipeline, steps, evals, looks, steps, start, name)

    first, second = stages.autoencoder, stages.diffusion
    restored = {"reconstructions": Beside(first, test, 16)}
    faithful = Faithful(made, 10, train, test, n=samples)
    drawn = {"samples": Samples(made, samples, columns=10), "faithful": faithful}
    return Experiment(
        phase("autoencoder", first, 2e-3, epochs, restored),
        phase("diffusion", second, 1e-3, diffusion_epochs, drawn, ema, stages.begin(go_on)),
        seed=seed,
    )
