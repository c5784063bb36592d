"""Pictures show everything they are given."""

import jax
import numpy as np
import pytest
from PIL import Image

from dljax import Arrays, EvalSet
from dljax.analysis import classifier, pictures
from dljax.errors import UserError
from dljax.runtime.pictures import store_picture
from dljax.types import Task, Variables


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


def test_grids_of_bytes_are_those_of_their_fractions():
    levels = np.random.default_rng(0).integers(0, 256, (4, 5, 6, 3), np.uint8)
    for show in (pictures.grid, lambda x: pictures.labelled(x, ["a"] * 4)):
        np.testing.assert_allclose(show(levels), show(levels / 255), rtol=1e-6)  # float32


# Files


def stored(folder, shown) -> np.ndarray:
    return np.asarray(Image.open(store_picture(folder, "look", shown)))


LEVELS = np.array([[0, 1, 128], [254, 255, 7]], np.uint8)


@pytest.mark.parametrize(
    "shape", [(2, 3), (2, 3, 1), (2, 3, 3), (2, 3, 4)], ids=["gray", "one", "RGB", "RGBA"]
)
def test_a_picture_of_bytes_or_fractions_shows_them(shape, tmp_path):
    levels = np.broadcast_to(LEVELS.reshape(2, 3, *[1] * (len(shape) - 2)), shape)
    expected = LEVELS if shape[-1] == 1 else levels
    np.testing.assert_array_equal(stored(tmp_path, levels), expected)
    for dtype in (np.float32, np.float64):
        np.testing.assert_array_equal(stored(tmp_path, levels.astype(dtype) / 255), expected)


def test_fractions_of_16_bits(tmp_path):
    import jax.numpy as jnp

    for dtype in (jnp.float16, jnp.bfloat16):
        np.testing.assert_array_equal(
            stored(tmp_path, jnp.array([[0, 0.5, 1]], dtype)), [[0, 128, 255]]
        )


def test_a_little_beyond_is_clipped(tmp_path):
    np.testing.assert_array_equal(stored(tmp_path, np.array([[-0.2, 1.3]])), [[0, 255]])


def test_a_text_is_stored_as_utf8(tmp_path):
    assert store_picture(tmp_path, "look", "\u03b1\n").read_bytes() == b"\xce\xb1\n"


NO_PICTURES = {
    "None": (None, r"object \(\)"),
    "batch": (np.zeros((2, 3, 4, 3)), r"float64 \(2, 3, 4, 3\)"),
    "row": (np.zeros(3), r"float64 \(3,\)"),
    "two channels": (np.zeros((4, 4, 2)), r"float64 \(4, 4, 2\)"),
    "nothing": (np.zeros((0, 4)), r"float64 \(0, 4\)"),
    "bool": (np.zeros((2, 2), bool), r"bool \(2, 2\)"),
    "integers": (np.zeros((2, 2), int), r"int64 \(2, 2\)"),
    "complex": (np.zeros((2, 2), complex), r"complex128 \(2, 2\)"),
    "NaN": (np.array([[0.1, np.nan]]), r"float64 \(1, 2\) of nan to nan"),
    "infinite": (np.array([[0.1, np.inf]]), "of 0.1 to inf"),
    "signed": (np.array([[-1.0, 1.0]]), "of -1 to 1"),
    "0 to 255": (np.array([[0.0, 255.0]]), "of 0 to 255"),
}


@pytest.mark.parametrize("shown, words", NO_PICTURES.values(), ids=NO_PICTURES)
def test_what_is_no_picture_is_one_line(shown, words, tmp_path):
    with pytest.raises(UserError, match=rf"picture 'look': expected uint8, .*{words}") as error:
        store_picture(tmp_path, "look", shown)
    assert "\n" not in str(error.value) and not list(tmp_path.iterdir())


def test_a_classifier_without_mistakes_says_so():
    label = np.array([0, 2, 1, 1, 0], np.int32)
    data = EvalSet(Arrays({"image": np.zeros((5, 4, 4, 1), np.float32), "label": label}))

    def look(shift: int):
        def predict(variables, batch):
            return jax.nn.one_hot((batch["label"] + shift) % 3, 3)

        task = Task(lambda *_: ({}, {}), {}, lambda *_: {}, predict)
        return classifier.mistakes(task, data)(None, None)

    assert look(0) == "no mistakes among 5 examples\n"
    assert look(1).ndim == 2


def test_filters_of_a_layer_within_a_layer():
    """One filter of weights 1, -1, 0, 0 and one of halves, in white, black and grays, eightfold."""
    kernel = np.array([[[1, 0.5]], [[-1, 0.5]], [[0, 0.5]], [[0, 0.5]]]).reshape(2, 2, 1, 2)
    variables = Variables({"model": {"stem": {"conv": {"kernel": kernel}}}}, {})
    out = classifier.filters("stem/conv")(variables, None)
    shown = out[4::8, 4::8]  # a pixel of each weight and of the gaps
    expected = [[1, 1, 1, 1, 1, 1, 1], [1, 1, 0, 1, 0.75, 0.75, 1], [1, 0.5, 0.5, 1, 0.75, 0.75, 1]]
    np.testing.assert_array_equal(shown[:3], expected)
