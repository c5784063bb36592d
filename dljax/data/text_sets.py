"""The sets that an experiment with labeled texts chooses from."""

from typing import Literal

from dljax.data.datasets import docstrings, following, sentences
from dljax.data.sources.labeled_texts import LabeledTexts

Name = Literal["docstrings", "follows", "trec", "sst2"]


def load(dataset: Name, data: str = "", *, fake: bool = False) -> LabeledTexts:
    """The set of a name.

    Args:
        dataset: "docstrings" or "follows" (``following``), which are installed, or one of ``sentences``.
        data, fake: of the dataset's own ``load``.
    """
    if dataset == "docstrings":
        return docstrings.load(data, fake=fake)
    if dataset == "follows":
        return following.load(data, fake=fake)
    return sentences.load(dataset, data, fake=fake)
