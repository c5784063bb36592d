"""The sets that an experiment with labeled sentences chooses from."""

from typing import Literal

from dljax.data.datasets import docstrings, sentences
from dljax.data.sources.sentences import SentenceSet

Name = Literal["docstrings", "trec", "sst2"]


def load(dataset: Name, data: str = "", *, fake: bool = False) -> SentenceSet:
    """The set of a name, with its splits and its vocabulary.

    Args:
        dataset: "docstrings", which is installed, or one of ``sentences``.
        data, fake: of the dataset's own ``load``.
    """
    if dataset == "docstrings":
        return docstrings.load(data, fake=fake)
    return sentences.load(dataset, data, fake=fake)
