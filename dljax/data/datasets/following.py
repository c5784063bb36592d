"""Pairs of sentences of Python's help, of which the second follows the first or is of another topic. Devlin et
al. 2018, arXiv:1810.04805, section 3.1.
"""

import numpy as np

from dljax.data.datasets import topics
from dljax.data.sources import embedded
from dljax.data.sources.labeled_texts import Labeled, LabeledTexts, made_up

NAMES = ("other", "follows")


def load(data: str = "", *, fake: bool = False) -> LabeledTexts:
    """Each sentence with the next of its topic and with one of another topic, by topic in train, validation
    and test.

    Args:
        data: must be empty: nothing is read from files.
        fake: made-up texts of two classes, which are no pairs.

    Raises:
        UserError: a path in ``data``.
    """
    embedded(data)
    if fake:
        return made_up(NAMES)
    rng = np.random.default_rng(37)
    splits = []
    for part in topics.split_by_topic(topics.sentences()):
        of = [(topic, sentence) for topic, some in enumerate(part) for sentence in some]
        first, second, labels = [], [], []
        for at, (topic, sentence) in enumerate(of[:-1]):
            if of[at + 1][0] != topic:
                continue
            other = at
            while of[other][0] == topic:
                other = int(rng.integers(len(of)))
            first += [sentence] * 2
            second += [of[at + 1][1], of[other][1]]
            labels += [1, 0]
        splits.append(Labeled(first, labels, second))
    return LabeledTexts(splits[0], splits[1], splits[2], NAMES)
