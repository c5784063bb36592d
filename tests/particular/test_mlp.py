"""The course's MLP: the layers of its model.summary()."""

from architectures import sizes

from dljax.models.dense import mlp


def test_layers_of_the_course():
    assert sizes(mlp, "128") == {"hidden1": 100_480, "output": 1_290}
