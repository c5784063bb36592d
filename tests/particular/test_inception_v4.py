"""Inception v4: the paper's map sizes."""

from shapes import outputs

from dljax.models.convnets import inception_v4


def test_maps_of_figure_9():
    found = outputs(inception_v4, "4", modules=(1, 1, 1))
    expected = {
        "stem": (35, 35, 384),
        "a0": (35, 35, 384),
        "reduction_a": (17, 17, 1024),
        "b0": (17, 17, 1024),
        "reduction_b": (8, 8, 1536),
        "c0": (8, 8, 1536),
        "output": (1000,),
    }
    assert {name: found[name] for name in expected} == expected


def test_maps_of_the_small_form():
    found = outputs(inception_v4, "small")
    expected = {"stem": (11, 11, 96), "a0": (11, 11, 96), "reduction_a": (5, 5, 256)}
    expected |= {"b0": (5, 5, 256), "reduction_b": (2, 2, 384), "c0": (2, 2, 384)}
    assert {name: found[name] for name in expected} == expected
