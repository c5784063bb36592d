"""Scores of written sequences against true ones, over a whole set: exact matches, edits, BLEU."""

from collections.abc import Sequence

from dljax.errors import UserError


def distance(a: Sequence, b: Sequence) -> int:
    """The least number of insertions, deletions and substitutions from ``a`` to ``b``. Levenshtein 1966."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        corner, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (x != y))
    return row[-1]


def exact(written: Sequence[str], truth: Sequence[str]) -> dict[str, float]:
    """The share of texts that are exactly the true ones, as "exact"."""
    return {"exact": sum(map(str.__eq__, written, truth)) / len(truth)}


def error_rates(written: Sequence[str], truth: Sequence[Sequence[str]]) -> dict[str, float]:
    """The phoneme and word error rates of pronunciations, "per" and "wer".

    A word's truth is the nearest of its pronunciations, the first of equals. ``per`` is the edits of all
    words over their phonemes, ``wer`` the share of words with any. Yao & Zweig 2015, arXiv:1506.00196.

    Args:
        written: phonemes apart by spaces, for each word.
        truth: for each word, one such text or more.
    """
    edits = phonemes = wrong = 0
    for text, several in zip(written, truth, strict=True):
        given = text.split()
        found, length = min(
            ((distance(given, one.split()), len(one.split())) for one in several),
            key=lambda pair: pair[0],
        )
        edits, phonemes, wrong = edits + found, phonemes + length, wrong + (found > 0)
    return {"per": edits / phonemes, "wer": wrong / len(truth)}


def bleu(written: Sequence[str], truth: Sequence[str]) -> dict[str, float]:
    """BLEU of a corpus, 0 to 100, as "bleu": sacreBLEU's (Post 2018, arXiv:1804.08771), one true
    translation each, its tokenizer 13a, without regard to case. Byte pairs ("trans@@ lation") are joined.

    Raises:
        UserError: the package sacrebleu is not installed.
    """
    try:
        import sacrebleu
    except ImportError:
        raise UserError(
            "BLEU needs the package sacrebleu: pip install 'dljax[text]', or pip install sacrebleu"
        ) from None
    joined = [[text.replace("@@ ", "") for text in texts] for texts in (written, truth)]
    # The texts are apart by spaces already, of which it warns.
    found = sacrebleu.corpus_bleu(joined[0], [joined[1]], lowercase=True, force=True)
    return {"bleu": found.score}
