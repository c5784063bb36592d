"""LeNet-5 trained on attacked images, beside one that is trained on plain ones. Madry et al. 2017,
arXiv:1706.06083, equation 2.1.

    dljax train experiments/attacks/lenet_adversarial.py

Both networks begin with the same parameters and see the same batches. The picture has their accuracy on
test images that were moved by projected gradient descent, over the radius of the ball. Of digits the plain
network knows 99.4 %, the robust one 98.1 %; moved by 0.1 they are 18.7 and 70.8 %, by 0.15 0.6 and 33 %.
A minute on one core.
"""

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis import charts
from dljax.analysis.adversarial_examples import RobustAccuracy, robust_accuracy
from dljax.data import images, transforms
from dljax.data.datasets import digits
from dljax.models.convnets import lenet
from dljax.tasks.attacks import pgd, trained_against
from dljax.tasks.classification import classification
from dljax.tasks.players import beside, called

CLAIMS = {
    "digits": {
        "expect": [
            "robust/0.1 >= 0.6", "plain/0.1 <= 0.3",
            "test/robust_accuracy >= 0.95", "test/plain_accuracy >= 0.98",
        ],
    },
}  # fmt: skip
SMALL = {"variant": "tiny", "batch": 8}
RADII = (0.0, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2)


def experiment(
    *,
    variant: str = "5",
    epochs: float = 30,
    batch: int = 64,
    lr: float = 2e-3,
    epsilon: float = 0.1,
    attack_steps: int = 3,
    shift: int = 2,
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, test = digits.load(data=data, fake=fake)
    moved = transforms.chain(images.pad_crop_flip(shift, flip=False), transforms.unit)
    pipeline = Pipeline(train, batch, seed=seed, transform=moved)
    steps, held_out = pipeline.steps(epochs), EvalSet(test, transforms.unit)
    plain = classification(models.build(lenet, variant))
    task = beside(plain=plain, robust=trained_against(plain, pgd(steps=attack_steps), epsilon))
    nets = {name: called(plain, model=name) for name in ("plain", "robust")}
    attack = pgd()  # of ten steps, stronger than the one in training

    def curves(variables, key):
        lines = {
            name: robust_accuracy(net, variables, held_out, attack, RADII, key).tolist()
            for name, net in nets.items()
        }
        return charts.curves(RADII, lines, xlabel="epsilon", ylabel="accuracy")

    looks = {name: RobustAccuracy(net, held_out, attack, (epsilon,)) for name, net in nets.items()}
    return Experiment(
        Phase(
            learn(task, optax.adam(optax.cosine_decay_schedule(lr, steps))),
            pipeline,
            steps,
            evals={"test": held_out},
            looks={**looks, "curves": curves},
        ),
        seed=seed,
    )
