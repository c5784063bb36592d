"""What is trained on, validated on and tested on are apart, and are what they are said to be."""

import numpy as np
import pytest
from test_data_graphs import _planetoid

from dljax.data import fake
from dljax.data.datasets import cora


def test_validation_nodes_follow_the_labelled_ones(tmp_path, monkeypatch):
    """Of the three nodes before the test nodes: the first is labelled, and the second comes next."""
    sparse = pytest.importorskip("scipy.sparse")
    _planetoid(tmp_path, sparse.csr_matrix)
    for most, mask in ((1, [0, 1, 0, 0, 0, 0]), (500, [0, 1, 1, 0, 0, 0])):
        monkeypatch.setattr(cora, "_VALIDATION", most)
        _, validation, _ = cora.load(str(tmp_path), "citeseer")
        np.testing.assert_array_equal(validation.mask, mask)


def test_a_fake_test_set_has_the_same_classes_and_other_images():
    train, test = (fake.images(2000, (8, 8, 1), 10, split=split).arrays for split in (0, 1))
    same = np.mean(train["label"] == test["label"])
    assert abs(same - 0.1) < 4 * np.sqrt(0.1 * 0.9 / 2000)  # four deviations of a chance of 1/10
    assert np.mean(train["image"] == test["image"]) < 0.1
    for label in range(10):
        means = [split["image"][split["label"] == label].mean(0) for split in (train, test)]
        # Two means of about 200 pixels with a deviation of 40 differ by 4; five of those, for 640 pixels.
        np.testing.assert_allclose(*means, atol=5 * 4)
