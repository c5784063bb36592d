"""BERT's pre-training on pairs of texts: hidden tokens, and whether the second text follows the first. Devlin
et al. 2018, arXiv:1810.04805, section 3.1.

    dljax train experiments/transformers/bert_pretraining.py

Pairs of sentences of Python's help, of which the second one follows or is of another topic, and a tiny BERT.
Its run is a start for the other BERTs here: ``--init RUN``.
"""

import optax

from dljax import EvalSet, Experiment, Phase, Pipeline, learn, models
from dljax.analysis.fill import Fill
from dljax.data.datasets import following
from dljax.data.masking import masked
from dljax.data.sources.labeled_texts import in_pieces
from dljax.learner import decay_mask
from dljax.models.transformers import bert
from dljax.tasks.pretraining import pretraining

CLAIMS = {"help": {"expect": "test/masked_loss <= 5.0"}}
SMALL = {"variant": "tiny", "batch": 8, "length": 16}


def experiment(
    *,
    vocabulary: str = "",
    variant: str = "bert-tiny",
    epochs: float = 10,
    batch: int = 32,
    lr: float = 1e-3,
    length: int = 64,
    size: int = 2000,
    prompt: str = "the [MASK] statement is used to [MASK] a module .",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    pairs = following.load(fake=fake)
    found = in_pieces(pairs, vocabulary, size=size, length=length)
    pieces = found.vocabulary
    hide = masked(len(pieces), pieces.special.mask, pieces.special)
    sizes = {"vocabulary": len(pieces), "padding": pieces.special.padding}
    model = models.build(bert, variant, **sizes, head=bert.PreTraining())

    train = Pipeline(found.train, batch, seed=seed, transform=hide)
    steps = train.steps(epochs)
    rate = optax.warmup_cosine_decay_schedule(0.0, lr, 1 + steps // 10, steps + 2)
    adamw = optax.adamw(rate, weight_decay=0.01, mask=decay_mask)
    phase = Phase(
        learn(pretraining(model), optax.chain(optax.clip_by_global_norm(1.0), adamw)),
        train,
        steps,
        evals={n: EvalSet(getattr(found, n), hide) for n in ("validation", "test")},
        looks={"filled": Fill(model, pieces, (prompt,))},
        every=max(1, steps // 3),
    )
    return Experiment(phase, seed=seed)
