"""The course's CNN: the layers of its model.summary()."""

from architectures import sizes

from dljax.models.convnets import cnn


def test_layers_of_the_course():
    assert sizes(cnn, "course") == {"conv1_1": 320, "conv2_1": 18_496, "output": 16_010}
