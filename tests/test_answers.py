"""Questions whose answers are spans: rows, and SQuAD's scores."""

import json

import jax
import numpy as np
import pytest
from refusal import refused

from dljax.analysis.answers import AnswerScores, best_spans, exact_match, f1, normalized
from dljax.data.datasets import answers
from dljax.data.sources.spans import Question, read_squad, span_rows
from dljax.data.sources.word_pieces import SPECIAL, WordPieces

TEXT = "The un-cat sat on a mat ."
PIECES = WordPieces(
    (*SPECIAL, "the", "un", "##cat", "-", "cat", "sat", "on", "a", "mat", ".", "who", "?")
)
QUESTION = Question(TEXT, "who sat ?", ("cat", "The un-cat"), 7)


def test_scores_by_hand():
    """SQuAD's: without case, punctuation and articles."""
    assert normalized("  The Eiffel-Tower, a   tower! ") == "eiffeltower tower"
    assert normalized("pizza on Monday") == "pizza on monday"  # articles are words
    assert exact_match("The cat.", "cat") == 1.0 and exact_match("cats", "cat") == 0.0
    assert f1("the cat sat", "cat sat down") == pytest.approx(2 * 2 / (2 + 3))
    assert f1("no no no", "no") == pytest.approx(2 * 1 / (3 + 1))
    assert f1("dog", "cat") == 0.0 and f1("the", "cat") == 0.0 and f1("the", "a") == 1.0


def test_rows_by_hand():
    """Ten pieces of text in stretches of five that begin at every third; the answer is at piece 3."""
    rows = span_rows([QUESTION], PIECES, length=11, stride=3)
    assert rows.arrays.arrays["tokens"].tolist() == [
        [2, 15, 10, 16, 3, 5, 6, 8, 9, 10, 3],
        [2, 15, 10, 16, 3, 9, 10, 11, 12, 13, 3],
        [2, 15, 10, 16, 3, 12, 13, 14, 3, 0, 0],
    ]
    assert rows.arrays.arrays["types"][2].tolist() == [0] * 5 + [1] * 4 + [0] * 2
    assert rows.arrays.arrays["label"].tolist() == [[8, 8], [5, 5], [0, 0]]
    assert rows.question.tolist() == [0, 0, 0]
    assert rows.pieces[0, 8].tolist() == [7, 10] and rows.pieces[0, 4].tolist() == [-1, -1]
    # Every place's characters are its piece.
    for row, places in zip(rows.arrays.arrays["tokens"], rows.pieces, strict=True):
        for token, (begin, end) in zip(row, places, strict=True):
            if begin >= 0:
                assert TEXT[begin:end].lower() == PIECES.pieces[token].removeprefix("##")
    # An answer of two pieces is whole in the first stretch alone; one with a piece behind it, exactly.
    two = span_rows([Question(TEXT, "?", ("-cat",), 6)], PIECES, length=9, stride=3)
    assert two.arrays.arrays["label"].tolist() == [[5, 6], [0, 0], [0, 0]]
    assert [row[3] for row in two.arrays.arrays["tokens"]] == [5, 9, 12]
    late = span_rows([Question(TEXT, "?", ("cat sat",), 7)], PIECES, length=8, stride=3)
    assert late.arrays.arrays["label"].tolist()[:2] == [[0, 0], [3, 4]]
    before = span_rows([Question(TEXT, "?", ("un",), 4)], PIECES, length=9, stride=3)
    assert before.arrays.arrays["label"].tolist()[0] == [4, 4]
    # Of a question too long the end goes; a stretch as long as the stride is long enough.
    long = span_rows([Question(TEXT, "who who who ?", ("cat",), 7)], PIECES, length=8, stride=1)
    assert long.arrays.arrays["tokens"][0].tolist() == [2, 15, 15, 15, 16, 3, 5, 3]
    assert len(span_rows([QUESTION], PIECES, length=8, stride=2).question) > 0
    with refused("stride 0"):
        span_rows([QUESTION], PIECES, length=11, stride=0)
    with refused("rows of 7 tokens leave 1 for a text"):
        span_rows([QUESTION], PIECES, length=7, stride=3)


def test_the_best_span_is_in_the_text_and_in_order():
    rows = span_rows([QUESTION], PIECES, length=11, stride=3)
    logits = np.zeros((3, 2, 11))
    logits[0, 0, 2] = 9  # in the question
    logits[0, 1, 5] = 3  # an end before the begin
    logits[0, 0, 7] = 2
    logits[0, 1, 9] = 1.5
    assert best_spans(rows, [QUESTION], logits) == ["-cat sat"]  # 2 + 1.5
    assert best_spans(rows, [QUESTION], logits, longest=2) == ["The"]  # 0 + 3
    logits[2, :, 6] = 2  # the mat, in the last stretch
    assert best_spans(rows, [QUESTION], logits) == ["mat"]
    logits[0, :, 8] = 3
    scored = AnswerScores(rows, [QUESTION])
    assert scored({}, logits) == {"exact": 1.0, "f1": 1.0}
    logits[0, 1, 9] = 4  # cat sat: of the truths "cat" fits best, 2 * 1 / (2 + 1)
    assert scored({}, logits) == {"exact": 0.0, "f1": pytest.approx(2 / 3)}


def test_a_file_of_squad(tmp_path):
    file = tmp_path / "some.json"
    qa = {"question": " who sat ?", "answers": [{"text": "un-cat", "answer_start": 4}]}
    none = {"question": "why ?", "answers": []}  # SQuAD 2.0's, left out
    article = {"paragraphs": [{"context": TEXT, "qas": [qa, none]}]}
    file.write_text(json.dumps({"data": [article] * 6}))
    (first, *rest) = read_squad(file)
    assert first == [Question(TEXT, "who sat ?", ("un-cat",), 4)] and len(rest) == 5
    found = answers.load("xquad", str(file), size=60, length=24, stride=8)
    assert len(found.asked) == 2 and found.train.question.max() == 3
    for wrong in (-3, 1e400, None):
        odd = {**qa, "answers": [{"text": "sat", "answer_start": wrong}]}
        file.write_text(json.dumps({"data": [{"paragraphs": [{"context": TEXT, "qas": [odd]}]}]}))
        with refused("not at character" if wrong == -3 else "no file of SQuAD's kind"):
            read_squad(file)
    qa["answers"][0]["answer_start"] = 5
    file.write_text(json.dumps({"data": [article]}))
    with refused("'un-cat' to 'who sat ?' is not at character 5"):
        read_squad(file)
    file.write_text("[]")
    with refused("no file of SQuAD's kind"):
        read_squad(file)
    with refused("train-v1.1.json", "--data FOLDER"):
        answers.load("squad", str(tmp_path))
    with refused("no file ''", "--data FILE"):
        answers.load("xquad")


def test_gifts():
    """Every answer is in its sentence, and no test pair of a giver and a thing is learned."""
    train, test = answers.gifts(600, 60)
    assert len(train) == 600 and len(test) == 60
    for one in (*train, *test):
        words = one.context.split()
        assert one.context.startswith(one.answers[0], one.start) and words[-1] == "."
        assert f" {one.context}"[one.start] == " "  # a word, not a part of one
        at = words.index("gave")
        real = {
            "who gave": words[at - 1],
            "who got": words[words.index("to") + 1],
            "where was": words[words.index("in") + 1],
            "when was": words[words.index("on") + 1],
        }
        kind = " ".join(one.question.split()[:2])
        assert one.answers[0] == real.get(kind, one.answers[0])
        if kind == "how many":
            assert one.context.partition(" gave ")[2].startswith(one.answers[0] + " ")
            assert one.question.split()[2] in words
        if kind == "what did":
            assert len(one.answers[0].split()) == 2
    kinds = [" ".join(one.question.split()[:2]) for one in train]
    assert len(set(kinds)) == 6 and min(kinds.count(kind) for kind in set(kinds)) > 60

    def about(one):
        words = one.context.split()
        at = words.index("gave")
        return words[at - 1], next(word for word in words[at:] if word in answers._THINGS)

    assert not {about(one) for one in train} & {about(one) for one in test}


def test_places_of_pieces_are_those_of_the_library():
    (ids, places), (empty, none) = PIECES.encode_with_offsets(["cat  a", ""])
    assert ids.tolist() == [9, 12] and places.tolist() == [[0, 3], [5, 6]]
    assert empty.size == 0 and none.shape == (0, 2)
    assert jax.numpy.asarray(ids).dtype == "int32"
