"""Mixtures of two examples: labels in the proportion of what is seen, partners drawn by seed."""

import flax.linen as nn
import jax
import numpy as np
import optax
import pytest

from dljax import Arrays, EvalSet, Experiment, Phase, Pipeline, learn
from dljax.data import images, mixing, transforms
from dljax.data.datasets import imagenet
from dljax.data.pipeline import extremes
from dljax.errors import UserError
from dljax.runtime.loop import run
from dljax.runtime.profile import Mesh, Profile
from dljax.tasks.classification import classification

SEEDS = np.arange(2000, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)


def flat(levels, side: int = 8, dtype=np.float32) -> Arrays:
    """Images of one value each; image i is of class i."""
    image = np.ones((1, side, side, 1), dtype) * np.array(levels, dtype)[:, None, None, None]
    return Arrays({"image": image, "label": np.arange(len(levels), dtype=np.int32)})


def drawn(monkeypatch, draws: dict[str, float]) -> None:
    """Every draw is what ``draws`` says, else 0."""
    monkeypatch.setattr(
        mixing, "uniform", lambda seeds, name: np.full(len(seeds), draws.get(name, 0.0))
    )


def of_zeros(rows: int, side: int = 8) -> dict:
    return {
        "image": np.zeros((rows, side, side, 1), np.float32),
        "label": np.zeros(rows, np.int32),
        "weight": np.arange(rows),
    }


# The draw of the share


@pytest.mark.parametrize(
    "alpha, inverse",
    [
        (1.0, lambda u: u),
        (0.5, lambda u: np.sin(np.pi * u / 2) ** 2),  # the arcsine law
    ],
)
def test_the_share_is_the_inverse_of_its_distribution(alpha, inverse):
    from dljax.data import uniform

    u = uniform(SEEDS, "x")
    np.testing.assert_allclose(mixing.beta(SEEDS, "x", alpha), inverse(u), rtol=1e-12)  # float64


def test_a_share_of_beta_2_2():
    """Whose distribution is 3 x^2 - 2 x^3."""
    from dljax.data import uniform

    x = mixing.beta(SEEDS, "x", 2.0)
    np.testing.assert_allclose(3 * x**2 - 2 * x**3, uniform(SEEDS, "x"), rtol=1e-12)


@pytest.mark.parametrize("alpha", [0.1, 0.2, 0.4, 8.0])
def test_moments_of_the_share(alpha):
    """A mean of 1/2, a variance of 1 / (4 (2 alpha + 1)): within four deviations of 2000 draws."""
    x, variance = mixing.beta(SEEDS, "x", alpha), 0.25 / (2 * alpha + 1)
    assert ((x >= 0) & (x <= 1)).all()
    assert abs(x.mean() - 0.5) < 4 * np.sqrt(variance / 2000)
    # (x - 1/2)^2 is at most 1/4, so its own variance is at most variance / 4.
    assert abs(np.square(x - 0.5).mean() - variance) < 4 * np.sqrt(variance / 4 / 2000)


# mixup


def test_mixup_by_hand(monkeypatch):
    """A quarter of 0 and three quarters of the third of four, 8: images of 6."""
    drawn(monkeypatch, {"mixup partner": 0.5, "mixup": 0.25})
    mix = mixing.mixup(flat([0, 4, 8, 16]), 4, alpha=1.0)
    out = mix(of_zeros(3), SEEDS[:3])
    np.testing.assert_array_equal(out["image"], np.full((3, 8, 8, 1), 6, np.float32))
    np.testing.assert_array_equal(out["label"], np.float32([[0.25, 0, 0.75, 0]] * 3))
    assert out["label"].dtype == out["image"].dtype == np.float32
    assert out["weight"].tolist() == [0, 1, 2]


def test_mixup_of_levels_rounds_them(monkeypatch):
    drawn(monkeypatch, {"mixup": 0.5, "mixup partner": 0.5})
    mix = mixing.mixup(flat([0, 255], dtype=np.uint8), 2, alpha=1.0)
    out = mix({"image": np.full((1, 8, 8, 1), 10, np.uint8), "label": np.zeros(1, int)}, SEEDS[:1])
    assert out["image"].dtype == np.uint8
    assert set(out["image"].ravel()) == {132}  # 132.5, to the even


def test_labels_have_the_share_of_the_images():
    """Of zeros of class 0 mixed with ones of class 1, the image is what the label says of class 1."""
    source = Arrays({"image": np.ones((5, 8, 8, 1), np.float32), "label": np.ones(5, np.int32)})
    for name, mix in {"mixup": mixing.mixup, "cutmix": mixing.cutmix}.items():
        out = mix(source, 2, alpha=1.0)(of_zeros(2000), SEEDS)
        np.testing.assert_allclose(
            out["image"].mean((1, 2, 3)), out["label"][:, 1], rtol=1e-6, err_msg=name
        )
        np.testing.assert_allclose(out["label"].sum(1), 1, rtol=1e-6)


# CutMix


@pytest.mark.parametrize(
    "x, y, left, right, top, bottom",
    [(0.5, 0.5, 2, 6, 2, 6), (0.0, 0.5, 0, 2, 2, 6), (0.99, 0.25, 5, 8, 0, 4)],
)
def test_cutmix_by_hand(x, y, left, right, top, bottom, monkeypatch):
    """With a share of 3/4 sides are halves, 4 of 8 pixels around the center, cut at the edges."""
    drawn(monkeypatch, {"cutmix": 0.75, "cutmix x": x, "cutmix y": y, "cutmix partner": 0.9})
    out = mixing.cutmix(flat([3, 7]), 2)(of_zeros(2), SEEDS[:2])
    expected = np.zeros((2, 8, 8, 1), np.float32)
    expected[:, top:bottom, left:right] = 7
    np.testing.assert_array_equal(out["image"], expected)
    share = (bottom - top) * (right - left) / 64
    np.testing.assert_array_equal(out["label"], np.float32([[1 - share, share]] * 2))


def test_rectangles_have_the_area_that_was_drawn():
    """Centers are anywhere and what is outside is cut off: with sides of r, r (1 - r / 4) is left on
    the average, and areas are the squares of that. Over r^2 uniform that is
    integral of r^2 (1 - r / 4)^2 2 r dr = 1/2 - 1/5 + 1/48 = 0.3208."""
    source = Arrays({"image": np.ones((1, 64, 64, 1), np.float32), "label": np.ones(1, np.int32)})
    share = mixing.cutmix(source, 2)(of_zeros(2000, 64), SEEDS)["label"][:, 1]
    # Sides are cut to whole pixels, half a pixel of 64 on the average: at most 0.02 of the area. The
    # deviation of 2000 areas' mean is at most 0.3 / sqrt(2000) = 0.007.
    assert 0.3208 - 0.02 - 4 * 0.007 < share.mean() < 0.3208 + 4 * 0.007


# Partners


def test_partners_are_of_the_whole_source():
    levels = np.arange(7)
    out = mixing.cutmix(flat(levels), 8)({**of_zeros(2000), "label": np.full(2000, 7)}, SEEDS)
    partner = out["label"][:, :7].argmax(1)[out["label"][:, 7] < 1]
    counts = np.bincount(partner, minlength=7)
    n = len(partner)
    # n draws of 7, of deviation sqrt(n / 7 * 6 / 7). Four of them.
    assert n > 1900 and np.abs(counts - n / 7).max() < 4 * np.sqrt(n / 7 * 6 / 7)


def test_both_are_transformed_each_by_seeds_of_its_own():
    seen = []

    def note(examples, seeds):
        seen.append(seeds.tolist())
        return {**examples, "image": examples["image"] + 1}

    drawn_from = flat([10, 10])
    out = mixing.mixup(drawn_from, 2, note)({**of_zeros(5), "label": np.zeros(5, int)}, SEEDS[:5])
    first, second = seen
    assert first == SEEDS[:5].tolist() and not set(first) & set(second) and len(set(second)) == 5
    assert out["image"].min() >= 1 and out["image"].max() <= 11
    assert (drawn_from.arrays["image"] == 10).all()


@pytest.mark.parametrize("mix", [mixing.mixup, mixing.cutmix])
def test_the_rest_of_the_rows_is_not_mixed(mix):
    out = mix(flat([1, 1]), 3, alpha=8.0, probability=0.25)(
        {**of_zeros(2000), "label": np.full(2000, 2)}, SEEDS
    )
    mixed = out["label"][:, 2] < 1
    np.testing.assert_array_equal(out["image"].any((1, 2, 3)), mixed)
    # A quarter of 2000, with a deviation of 19. Four of them.
    assert abs(mixed.sum() - 500) < 77


def test_mixtures_are_mixed_again():
    """The first's label is a distribution then."""
    again = mixing.mixup(flat([1, 1]), 3, mixing.cutmix(flat([5, 5]), 3), alpha=8.0)
    label = again({**of_zeros(100), "label": np.full(100, 2)}, SEEDS[:100])["label"]
    np.testing.assert_allclose(label.sum(1), 1, rtol=1e-6)
    assert ((label > 0).sum(1) == 3).any()


def test_one_of_two_mixtures():
    """Cut images have zeros and ones alone, blended ones neither."""
    source = Arrays({"image": np.ones((3, 8, 8, 1), np.float32), "label": np.ones(3, np.int32)})
    both = transforms.one_of(
        "mixture", mixing.mixup(source, 2, alpha=8.0), mixing.cutmix(source, 2), weights=(1, 3)
    )
    out = both(of_zeros(2000), SEEDS)
    cut = np.isin(out["image"], (0, 1)).all((1, 2, 3))
    assert abs(cut.sum() - 1500) < 77  # as above
    np.testing.assert_allclose(out["image"].mean((1, 2, 3)), out["label"][:, 1], rtol=1e-6)


@pytest.mark.parametrize("mix", [mixing.mixup, mixing.cutmix])
def test_files_are_mixed_once_they_are_decoded(mix):
    """Class i of the fake photos has color i mod 8: red where it is odd."""
    train, _ = imagenet.load(fake=True)
    transform = mix(train, imagenet.CLASSES, images.random_resized_crop(8), alpha=1.0)
    batch = Pipeline(train, 16, transform=transform).batch(0)
    assert set(batch) == {"image", "label"}
    assert batch["image"].shape == (16, 8, 8, 3) and batch["label"].shape == (16, 1000)
    red = batch["image"][..., 0].mean((1, 2)) / 255
    odd = batch["label"][:, 1::2].sum(1)
    np.testing.assert_allclose(red, odd, atol=0.5 / 255)  # blended levels are rounded


# What does not fit


@pytest.mark.parametrize("mix", [mixing.mixup, mixing.cutmix])
@pytest.mark.parametrize(
    "words, options",
    [
        ("alpha 0 of .*: expected above 0; leave", {"alpha": 0}),
        ("probability 2 of .*: expected 0 to 1", {"probability": 2}),
        ("source of .* is empty", {"source": flat([])}),
        (r"labels are 0 to 1 where there are 1 classes", {"classes": 1}),
        (r"images float32 \[2, 8, 8, 1\] and float32 \[2, 4, 4, 1\]", {"source": flat([1, 2], 4)}),
        (
            "expects image and label, found image, label, weight|found image",
            {"source": Arrays({"image": np.zeros((2, 8, 8, 1), np.float32)})},
        ),
        (
            r"labels are int64 \[2, 2\]: .* integers \[b\] or distributions \[b, 2\]",
            {"label": np.eye(2, dtype=np.int64)},
        ),
    ],
)
def test_what_cannot_be_mixed(mix, words, options):
    given = {"source": flat([1, 2]), "classes": 2, **options}
    label = given.pop("label", np.arange(2))
    with pytest.raises(UserError, match=words) as error:
        mix(**given)({**of_zeros(2), "label": label}, SEEDS[:2])
    assert "\n" not in str(error.value)


def test_a_label_that_is_no_class_is_found_before_training():
    source = flat(range(9))
    with pytest.raises(UserError, match="labels are 0 to 8 where there are 8 classes"):
        extremes(Pipeline(source, 2, transform=mixing.mixup(source, 8)))


@pytest.mark.parametrize(
    "options, words",
    [
        ({"weights": (1,)}, r"weights \[1\] of 2 transforms"),
        ({"weights": (1, -1)}, r"weights \[1, -1\]"),
        ({"weights": (0, 0)}, "not all of them 0"),
        ({}, r"draw would join rows of .*float32 \[6, 6, 1\].* and .*uint8 \[6, 6, 1\]"),
    ],
)
def test_transforms_that_are_not_of_one_type(options, words):
    with pytest.raises(UserError, match=words):
        either = transforms.one_of("draw", transforms.unit, lambda examples, _: examples, **options)
        either({"image": np.zeros((50, 6, 6, 1), np.uint8)}, SEEDS[:50])


# Training


class Linear(nn.Module):
    @nn.compact
    def __call__(self, image, *, train: bool):
        return nn.Dense(3)(image.reshape(len(image), -1))


def test_a_model_learns_from_mixtures(tmp_path):
    """Three classes by the bright third of the image; evaluated on whole ones."""
    label = np.arange(60, dtype=np.int32) % 3
    image = np.repeat(np.eye(3, dtype=np.float32)[label], 2, 1)[:, None, :, None]
    source = Arrays({"image": np.tile(image, (1, 6, 1, 1)), "label": label})
    mixed = transforms.one_of(
        "mixture", mixing.mixup(source, 3, alpha=1.0), mixing.cutmix(source, 3)
    )
    phase = Phase(
        learn(classification(Linear(), smoothing=0.1), optax.adam(0.05)),
        Pipeline(source, 30, transform=mixed),
        40,
        evals={"test": EvalSet(source)},
    )
    profile = Profile(mesh=Mesh(data=1), compilation_cache=jax.config.jax_compilation_cache_dir)
    result = run(Experiment(phase), profile, tmp_path / "run", quiet=True)
    assert result.metrics["test/accuracy"] == 1.0
    # From log 3 = 1.10; a model of mixtures is not sure of whole images.
    assert result.metrics["test/loss"] < 0.6
