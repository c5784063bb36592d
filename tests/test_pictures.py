"""Pictures show everything they are given."""

import numpy as np
import pytest

from dljax.analysis import pictures


@pytest.mark.parametrize("shape", [(5, 4, 3), (5, 4, 3, 1), (5, 4, 3, 3)])
def test_a_grid_holds_every_image_once(shape):
    images = np.random.default_rng(0).random(shape).astype(np.float32)
    out = pictures.grid(images, 2)
    assert out.shape[:2] == (3 * 5 + 1, 2 * 4 + 1)
    for i, image in enumerate(images):
        top, left = i // 2 * 5 + 1, i % 2 * 4 + 1
        np.testing.assert_array_equal(out[top : top + 4, left : left + 3], np.squeeze(image))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("caption", ["4 as 9", "pullover as ankle boot"])
def test_captions_are_whole_however_small_the_image(caption, channels):
    def ink(width):
        images = np.ones((1, 4, width, channels))
        return (pictures.labelled(images, [caption]) < 0.5).sum()

    assert ink(4) == ink(400) > 0


def test_mistakes_are_the_worst_first_and_right_answers_left_out():
    images = np.stack([np.full((4, 30, 1), v) for v in (0.2, 0.4, 0.6)])
    logits = np.array([[1.0, 0.0], [0.0, 3.0], [0.0, 1.0]])  # right, very wrong, wrong
    out = pictures.mistakes(images, np.zeros(3, int), logits)
    shown = [out[1, 1], out[1, 62]]
    np.testing.assert_allclose(shown, [0.4, 0.6], rtol=1e-6)  # float32
    assert out.shape[1] == 2 * 61 + 1
