"""Vectors of words from a file."""

import numpy as np
from refusal import refused

from dljax.data.sources.text import Words
from dljax.data.sources.vectors import read_vectors

WORDS = Words(("<fill>", "cat", "dog", "<unk>"))


def test_a_file_by_hand(tmp_path):
    file = tmp_path / "some.txt"
    for head in ("", "3 2\n"):  # as GloVe's, and as word2vec's
        file.write_text(f"{head}the 1 2\ndog -0.5 3e-1 \nbird 7 7\nat the dog 5 5\n")
        table, found = read_vectors(file, WORDS, 2)
        assert found.tolist() == [False, False, True, False]
        np.testing.assert_array_equal(table, np.float32([[0, 0], [0, 0], [-0.5, 0.3], [0, 0]]))
    file.write_text("\ufeffcat 1 2\n3 4\ndog nan 1\n")
    with refused("not finite"):
        read_vectors(file, WORDS, 2)
    file.write_text("\ufeffcat 1\ndog 2\n")
    assert read_vectors(file, WORDS, 1)[1].tolist() == [False, True, True, False]
    file.write_text("the 1 2\nbird 7 7\ndog -0.5 3e-1\n")
    with refused("line 3: 2 numbers for 'dog'", "expected the model's 5"):
        read_vectors(file, WORDS, 5)
    for text, words in (("dog 1 x\n", "no file of vectors"), ("bird 1 2\n", "none of the 4 words")):
        file.write_text(text)
        with refused(words):
            read_vectors(file, WORDS, 2)
    with refused("cannot be read"):
        read_vectors(tmp_path / "absent", WORDS, 2)
