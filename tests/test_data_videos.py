"""Videos of digits: what moves where, and the task of telling the next frames."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dljax import EvalSet, learn
from dljax.analysis.videos import Ahead, digit_and_direction
from dljax.data import Arrays
from dljax.data.datasets import digits, moving_digits
from dljax.errors import UserError
from dljax.tasks.frames import next_frames
from dljax.types import Variables


def test_digits_go_where_their_label_says():
    """Each frame is the one before, moved by the same one to three pixels and coming back at the other side."""
    train, _ = moving_digits.directed(frames=4)
    image, label = train.arrays["image"][:80, ..., 0], train.arrays["label"][:80]
    sign = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
    source = digits.load(size=12)[0].arrays
    for i, video in enumerate(image):
        digit, direction = divmod(int(label[i]), 4)
        assert digit == source["label"][i]
        assert train.names[label[i]] == f"{digit} {moving_digits.DIRECTIONS[direction]}"
        (down, right) = sign[moving_digits.DIRECTIONS[direction]]
        ways = [
            all(
                (np.roll(a, (n * down, n * right), (0, 1)) == b).all()
                for a, b in zip(video, video[1:], strict=False)
            )
            for n in (1, 2, 3)
        ]
        assert any(ways)
    assert set(label % 4) == {0, 1, 2, 3}


def test_bouncing_digits_stay_inside_and_keep_their_ink():
    """One digit: its ink is the same in every frame, and its way is straight but at the walls."""
    train, _ = moving_digits.bouncing(frames=12, count=1)
    video = train.arrays["image"][:20, ..., 0].astype(int)
    ink = video.sum((2, 3))
    assert (ink == ink[:, :1]).all()
    middle = (video.sum(3) * np.arange(32)[None, None]).sum(2) / ink
    step = np.diff(middle, axis=1)
    assert np.abs(step).max() < 3 and (step.max(1) > 0).any() and (step.min(1) < 0).any()


def test_parts_of_a_label():
    logits = np.eye(40)[[0, 5, 6, 39]]
    found = digit_and_direction({"label": np.array([0, 6, 6, 3])}, logits)
    assert found == {"digit": 0.75, "direction": 0.75}


class Copy(nn.Module):
    """The last frame times a parameter, as logits."""

    ahead: int = 2

    @nn.compact
    def __call__(self, video, *, train: bool):
        scale = self.param("scale", nn.initializers.ones, ())
        return scale * jnp.repeat(video[:, -1:], self.ahead, 1)


def test_the_next_frames_by_hand(key):
    """A pixel of logit 1 that goes on being 1, and one of logit 0 that becomes 1, in two frames."""
    video = np.zeros((3, 4, 1, 2, 1), np.float32)
    video[:, :, 0, 0] = 1
    video[:, 2:, 0, 1] = 1
    task = next_frames(Copy())
    learner = learn(task, optax.sgd(0.1))
    state = learner.init(key, {"image": video})
    found = learner.evaluate(state, {"image": video})
    each = np.log1p(np.exp(-1.0)), np.log(2)
    np.testing.assert_allclose(found["loss"].value, 2 * sum(each), rtol=1e-6)
    np.testing.assert_allclose(found["mse_last"].value, 0.5, rtol=1e-6)
    wrong = (1 - 1 / (1 + np.exp(-1.0))) ** 2
    np.testing.assert_allclose(found["mse"].value, (wrong + 0.25) / 2, rtol=1e-6)
    after, _ = learner.update(state, {"image": video})
    assert after.params["model"]["scale"] > 1
    with pytest.raises(UserError, match="videos of 2 frames"):
        task.check(None, {"image": video[:, :2]})
    picture = Ahead(task, EvalSet(Arrays({"image": video})), n=2, enlarge=1)
    shown = picture(Variables(state.params, state.extra), jax.random.key(0))
    assert shown.shape == (4 * 2 + 1, 4 * 3 + 1)
