"""Looks at a classifier of sentences."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import numpy as np

from dljax.analysis.predictions import predict
from dljax.data.pipeline import EvalSet
from dljax.data.sources.labeled_texts import shown
from dljax.data.sources.text import Words
from dljax.types import Key, Task, Variables


@dataclass(frozen=True)
class Mistakes:
    """A look: the sentences that a classifier gets most wrong, with the truth, its guess and the guess' chance.

    Attributes:
        data: ``tokens`` and ``label``.
        vocabulary: of the tokens.
        names: of the classes.
        most: number of sentences.
    """

    task: Task
    data: EvalSet
    vocabulary: Words
    names: Sequence[str]
    most: int = 12

    def __call__(self, variables: Variables, key: Key) -> str:
        examples, logits = predict(self.task, variables, self.data)
        chance = np.asarray(jax.nn.softmax(np.asarray(logits, np.float32)))
        label, guess = examples["label"], chance.argmax(-1)
        at = np.arange(len(label))
        wrong = at[guess != label]
        wrong = wrong[np.argsort(chance[wrong, label[wrong]], kind="stable")][: self.most]
        lines = [
            f"{self.names[label[i]]} as {self.names[guess[i]]} ({100 * chance[i, guess[i]]:.0f} %): "
            f"{shown(examples['tokens'][i], self.vocabulary)}"
            for i in wrong
        ]
        right = int((guess == label).sum())
        return "\n".join([f"{right} of {len(label)} right; of the others, the surest:", *lines, ""])
