"""ResNet-20 on Fashion-MNIST. He et al. 2015, arXiv:1512.03385, section 4.2.

    dljax train experiments/convnets/resnet_fashion_mnist.py

SGD with momentum 0.9, cosine schedule, weight decay, random shifts and mirroring.
Expected: 93 % test accuracy after 20 epochs (not yet run to their end; ``--epochs 8`` gives 92.84 % in
43 minutes on one core).
"""

import optax

from dljax import Experiment, at_least, models
from dljax.analysis import classifier
from dljax.data import EvalSet, Pipeline, images, transforms
from dljax.data.datasets import fashion_mnist
from dljax.learner import make_learner, players
from dljax.models.convnets import resnet_cifar
from dljax.tasks.classification import classification


def experiment(
    *,
    variant: str = "20",
    epochs: float = 20,
    batch: int = 128,
    lr: float = 0.1,
    decay: float = 1e-4,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = fashion_mnist.load(data=data, fake=fake)
    pipeline = Pipeline(
        train,
        batch,
        seed=seed,
        transform=transforms.chain(images.pad_crop_flip(2), transforms.unit),
    )
    steps = pipeline.steps(epochs)
    held_out = EvalSet(test, 1000, transforms.unit)
    model = models.build(resnet_cifar, variant)
    task = classification(model)
    tx = optax.chain(
        optax.add_decayed_weights(decay),
        optax.sgd(optax.cosine_decay_schedule(lr, steps), momentum=0.9),
    )
    return Experiment(
        learner=make_learner(task.init, players(task.losses, tx), evaluate=task.evaluate),
        data=pipeline,
        steps=steps,
        evals={"test": held_out},
        eval_every=pipeline.steps(1),
        views={
            "filters": classifier.filters("conv1"),
            "mistakes": classifier.mistakes(model, held_out, fashion_mnist.NAMES),
        },
        expect={"test/accuracy": at_least(0.93)},
        seed=seed,
    )
