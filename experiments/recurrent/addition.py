"""Addition of two numbers of up to three digits, read and written as characters (Keras' ``addition_rnn``;
Zaremba & Sutskever 2014, arXiv:1410.4615), by an encoder and a decoder of one LSTM layer each (Sutskever et
al. 2014, arXiv:1409.3215).

    dljax train experiments/recurrent/addition.py

The encoder reads the question from its end, as Keras' reversed questions are. Keras' page says 99 % of
characters after 100 epochs on 45,000 sums; here "exact" is the share of whole sums, written greedily, too. Adam,
its rate falling to zero; seven minutes of one core.
"""

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis.edits import exact
from dljax.analysis.translations import Scored, Translator, Written
from dljax.data.datasets import addition
from dljax.models.recurrent import seq2seq
from dljax.tasks.translation import translation

CLAIMS = {
    "three-digits": {
        "expect": ["validation/accuracy >= 0.99", "sums/exact >= 0.97"],
        "published": "99 % of characters (Keras)",
    },
}  # fmt: skip
SMALL = {"variant": "tiny-plain", "batch": 16, "digits": 2}


def experiment(
    *,
    variant: str = "addition",
    digits: int = 3,
    epochs: float = 40,
    batch: int = 128,
    lr: float = 5e-3,
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, validation = addition.load(digits=digits, fake=fake)
    sizes = {"source_vocabulary": len(train.source), "vocabulary": len(train.target)}
    model = models.build(seq2seq, variant, **sizes)
    data = Pipeline(train, batch, seed=seed)
    steps = data.steps(epochs)
    tx = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adam(optax.cosine_decay_schedule(lr, steps))
    )
    translator = Translator.of(model, validation)
    return Experiment(
        Phase(
            learn(translation(model), tx),
            data,
            steps,
            evals={"validation": EvalSet(validation)},
            looks={
                "sums": Scored(translator, validation, exact),
                "written": Written(translator, validation, 20),
            },
            every=data.steps(10),
        ),
        seed=seed,
    )
