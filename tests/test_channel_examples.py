"""The examples that excite a channel most are those with what it detects."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusal import refused

from dljax import Arrays, EvalSet
from dljax.analysis import channel_examples
from dljax.errors import UserError
from dljax.tasks.classification import classification
from dljax.types import Variables

# A diagonal of three pixels, and a horizontal line of three, each 3 where it lies.
DIAGONAL, LINE = np.eye(3, dtype=np.float32), np.zeros((3, 3), np.float32)
LINE[1] = 1.0
N, SIDE = 300, 10
# example -> (row, column) of the patch's middle, its brightness
DIAGONALS = {280: ((2, 7), 1.0), 7: ((5, 5), 0.9), 131: ((8, 1), 0.8)}
LINES = {9: ((4, 4), 1.0), 150: ((1, 8), 0.7), 299: ((6, 2), 0.6)}


class Detectors(nn.Module):
    @nn.compact
    def __call__(self, image, *, train: bool):
        kernel = np.stack([DIAGONAL, LINE, -LINE], -1)[:, :, None]
        maps = nn.Conv(3, (3, 3), kernel_init=lambda *_: jnp.asarray(kernel), name="maps")(image)
        return nn.Dense(2, name="out")(maps.mean((1, 2)))


@pytest.fixture(scope="module")
def planted():
    """(task, variables, set): noise below 0.1, and patches in some images."""
    image = 0.1 * np.random.default_rng(0).random((N, SIDE, SIDE, 1), np.float32)
    for patch, places in ((DIAGONAL, DIAGONALS), (LINE, LINES)):
        for i, ((row, column), bright) in places.items():
            here = image[i, row - 1 : row + 2, column - 1 : column + 2, 0]
            here[patch > 0] = bright
    data = EvalSet(Arrays({"image": image, "name": np.array([f"{i}" for i in range(N)])}))
    task = classification(Detectors())
    variables = Variables(*task.init(jax.random.key(0), {"image": image[:1]}))
    return task, variables, data


def test_the_strongest_are_those_with_the_patch(planted):
    """In three batches, the last one padded."""
    task, variables, data = planted
    found = channel_examples.strongest(task.predict, variables, data, "maps", k=3)
    assert found.seen == N and found.places == (SIDE, SIDE)
    for channel, places in enumerate((DIAGONALS, LINES)):
        assert found.example[:, channel].tolist() == list(places)
        middle = [SIDE * row + column for (row, column), _ in places.values()]
        assert found.place[:, channel].tolist() == middle
        bright = [3 * value for _, value in places.values()]
        np.testing.assert_allclose(found.value[:, channel], bright, rtol=1e-6)  # float32


def test_a_limit_leaves_the_later_ones_out(planted):
    task, variables, data = planted
    found = channel_examples.strongest(task.predict, variables, data, "maps", 1, limit=140)
    assert found.seen == 140 and found.example[:, :2].tolist() == [[7, 9]]
    few = channel_examples.strongest(task.predict, variables, data, "out", 8, limit=5)
    assert sorted(few.example[:, 0]) == [0, 1, 2, 3, 4] and few.places == ()


def test_ties_and_nan():
    """Of equal ones the earlier first, across batches too; NaN after all."""
    image = np.zeros((260, 1, 1, 1), np.float32)
    image[[40, 200, 259]] = 1.0
    image[3] = np.nan

    class Same(nn.Module):
        @nn.compact
        def __call__(self, image, *, train: bool):
            return nn.Dense(1, kernel_init=nn.initializers.ones, name="same")(image[:, 0, 0])

    task = classification(Same())
    variables = Variables(*task.init(jax.random.key(0), {"image": image[:1]}))
    data = EvalSet(Arrays({"image": image}))
    found = channel_examples.strongest(task.predict, variables, data, "same", 260)
    assert found.example[:5, 0].tolist() == [40, 200, 259, 0, 1] and found.example[-1, 0] == 3


def test_the_picture_shows_the_optimum_and_the_examples(planted, key):
    task, variables, data = planted
    look = channel_examples.ChannelExamples(task, data, "maps", (1,), k=3, steps=2)
    shown = look(variables, key)
    # A row of four, each enlarged 84 // 10 = 8 times, above its caption of 14 pixels; 1 between them.
    assert shown.shape == (80 + 14 + 2, 4 * 80 + 5, 3)
    first, second = shown[1:81, 82:162], shown[1:81, 163:243]
    # About the three pixels of the line, (4, 3) to (4, 5), at which alone the unit looks.
    red = np.array([0.9, 0.1, 0.1], np.float32)
    framed = (np.abs(first - red) < 1e-6).all(-1)[::8, ::8]
    assert {tuple(x) for x in np.argwhere(framed)} == {
        (r, c) for r in (3, 4, 5) for c in range(2, 7) if r != 4 or c in (2, 6)
    }
    assert first[4 * 8, 4 * 8, 0] == 1.0 and second[8, 8 * 8, 0] == pytest.approx(0.7)


def test_the_optimum_of_a_detector_is_its_patch(planted, key):
    """A channel whose weights are 0 or 1 makes its own image bright, one of 0 and -1 dark."""
    task, variables, _ = planted
    given = task.predict, variables, "maps", [1, 2], (SIDE, SIDE + 2, 1), key, 60
    images = channel_examples.optimized_channels(*given)
    assert images.shape == (2, SIDE, SIDE + 2, 1) and images.min() >= 0 and images.max() <= 1
    assert images[0].mean() > 0.7 and images[1].mean() < 0.3  # gray is 0.5


def test_refusals(planted):
    task, variables, data = planted
    with pytest.raises(UserError, match="no layer 'mapz' .*'maps'"):  # jax adds a note
        channel_examples.strongest(task.predict, variables, data, "mapz")
    with refused("the 0 strongest examples", "1 or more"):
        channel_examples.strongest(task.predict, variables, data, "maps", 0)
    with refused("channel 3 of layer 'maps'", "0 to 2"):
        channel_examples.ChannelExamples(task, data, "maps", (3,))(variables, None)
