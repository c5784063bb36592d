"""An atlas keeps apart what is apart, and its cells are what they are said to be."""

import jax
import numpy as np
import pytest
from refusal import refused

from dljax import Arrays, EvalSet
from dljax.analysis import activation_atlas as atlases
from dljax.errors import UserError
from dljax.tasks.classification import classification
from dljax.types import Variables


def clusters(n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Two blobs of deviation 1, 40 apart in 6 dimensions, in turn."""
    label = np.arange(2 * n) % 2
    vectors = np.random.default_rng(0).normal(size=(2 * n, 6))
    vectors[:, 2] += 40 * label
    return vectors.astype(np.float32), label


def test_two_clusters_are_in_different_cells():
    vectors, label = clusters()
    found = atlases.atlas(vectors, label, side=4)
    assert not set(found.cell[label == 0]) & set(found.cell[label == 1])
    assert found.purity == 1.0 and found.size.sum() == len(label)
    for cell, mean in zip(found.filled, found.mean, strict=True):
        here = vectors[found.cell == cell]
        np.testing.assert_allclose(mean, here.mean(0), rtol=1e-5, atol=1e-5)  # float32
        assert mean[2] < 5 or mean[2] > 35


def test_cells_by_hand():
    """A grid of three cells a side over 0..3 and 10..40; the largest belong to the last ones."""
    points = [[0.0, 10.0], [3.0, 40.0], [1.5, 10.0], [0.9, 31.0], [2.1, 25.0]]
    assert atlases.cells(points, 3).tolist() == [0, 8, 1, 6, 5]


def test_cells_of_few_examples_are_not_drawn():
    vectors, label = clusters()
    every = atlases.atlas(vectors, label, side=6)
    some = atlases.atlas(vectors, label, side=6, least=3)
    assert set(some.filled) == set(every.filled[every.size >= 3]) < set(every.filled)


def test_purity_by_hand():
    cell, label = np.array([0, 0, 0, 3, 3, 2]), np.array([1, 1, 4, 4, 5, 9])
    nothing = np.zeros((6, 2))
    found = atlases.Atlas(nothing, cell, label, np.array([0, 3]), np.array([3, 2]), nothing, 2)
    assert found.purity == 3 / 5  # two of three, and one of two; cell 2 is not drawn
    assert atlases.common([5, 4, 4, 5]) == 4


def test_one_dimension_and_identical_vectors_can_be_laid_out():
    line = np.outer(np.arange(12.0), [1.0, 2.0])
    assert np.isfinite(atlases.plane(line)).all()
    assert np.isfinite(atlases.plane(np.ones((9, 1)))).all()


def test_an_activation_of_each_example_at_one_of_its_places(net, key):
    task, variables, data = net
    vectors, label = atlases.gathered(task.predict, variables, data, "maps", key, 150)
    image = data.source.arrays["image"][:150]
    assert vectors.shape == (150, 2) and label.tolist() == list(data.source.arrays["label"][:150])
    # Channel 0 is the image, channel 1 twice it.
    places = np.abs(image.reshape(150, -1) - vectors[:, :1]).argmin(1)
    np.testing.assert_allclose(image.reshape(150, -1)[np.arange(150), places], vectors[:, 0])
    np.testing.assert_allclose(vectors[:, 1], 2 * vectors[:, 0], rtol=1e-6)
    assert len(set(places)) > 10, "the places are drawn"


@pytest.fixture(scope="module")
def net():
    """(task, variables, set): a layer that returns the image and twice the image, 5 x 4 places."""
    import flax.linen as nn
    import jax.numpy as jnp

    class Net(nn.Module):
        @nn.compact
        def __call__(self, image, *, train: bool):
            def weights(*_):
                return jnp.array([[[[1.0, 2.0]]]])

            return nn.Conv(2, (1, 1), kernel_init=weights, name="maps")(image).mean((1, 2))

    rng = np.random.default_rng(1)
    arrays = {"image": rng.random((200, 5, 4, 1), np.float32), "label": np.arange(200) % 2}
    task = classification(Net())
    variables = Variables(*task.init(jax.random.key(0), {"image": arrays["image"][:1]}))
    return task, variables, EvalSet(Arrays(arrays))


def test_the_picture_has_an_image_in_each_drawn_cell(net, key):
    task, variables, data = net
    look = atlases.ActivationAtlas(task, data, "maps", ("a", "b"), side=3, steps=40, limit=60)
    found = look.found(variables, key)
    assert len(found.cell) == 60 and found.side == 3
    shown = look.picture(variables, key, found)
    # Images of 5 x 4 pixels 16 times as large, with captions of 14 pixels, and 1 between them.
    height, width = 5 * 16 + 14 + 1, (shown.shape[1] - 1) // 3
    assert shown.shape[0] == 3 * height + 1
    for cell in range(9):
        top, left = cell // 3 * height + 1, cell % 3 * width + 1
        drawn = shown[top : top + 80, left + width // 2 - 10 : left + width // 2 + 10]
        assert (drawn < 1).any() == (cell in found.filled)


def test_refusals(net, key):
    task, variables, data = net
    with refused("an atlas of 7 examples", "8 or more"):
        atlases.plane(np.zeros((7, 3)))
    with refused("not finite"):
        atlases.plane(np.full((9, 3), np.nan))
    with refused("no cell of 3 x 3 has 50 examples"):
        atlases.atlas(clusters(10)[0], clusters(10)[1], side=3, least=50)
    with pytest.raises(UserError, match="no layer 'map' .*'maps'"):  # jax adds a note
        atlases.gathered(task.predict, variables, data, "map", key, 10)
