"""Sampled neighbors: their number, their expectation, and what they depend on."""

import numpy as np
import pytest

from dljax.data import Pipeline
from dljax.data.sources.graph import WholeGraph
from dljax.data.sources.neighbors import drawn, sampled
from dljax.errors import UserError

# Node 0 has neighbors 1 to 5, node 1 has 0 and 2, node 2 has 0; the others none.
SENDERS = np.array([1, 2, 3, 4, 5, 0, 2, 0])
RECEIVERS = np.array([0, 0, 0, 0, 0, 1, 1, 2])


def test_each_node_keeps_as_many_as_it_has_up_to_a_number():
    for seed in range(20):
        at = drawn(RECEIVERS, 2, np.random.default_rng(seed))
        assert np.bincount(RECEIVERS[at], minlength=6).tolist() == [2, 2, 1, 0, 0, 0]
        assert len(set(at.tolist())) == len(at), "drawn without replacement"
    everything = drawn(RECEIVERS, 5, np.random.default_rng(0))
    assert sorted(everything.tolist()) == list(range(8))


def test_the_sampled_mean_is_unbiased_without_rescaling():
    """The mean of 1, 4, 9, 16, 25 is 11; a sample of 2 has variance 374/5 x (5 - 2)/(5 - 1)/2 = 28.05."""
    value, times = np.arange(6.0) ** 2, 4000
    means = []
    for seed in range(times):
        at = drawn(RECEIVERS, 2, np.random.default_rng(seed))
        means.append(value[SENDERS[at][RECEIVERS[at] == 0]].mean())
    # Four standard errors of the mean; and of the variance, which is some 2 % of itself.
    assert abs(np.mean(means) - 11) < 4 * np.sqrt(28.05 / times)
    assert abs(np.var(means) / 28.05 - 1) < 0.1


def test_what_is_drawn_is_a_function_of_seed_and_step():
    """Each layer has its own neighbors, and all else of the batch stays."""
    node, label, mask = np.zeros((6, 2), np.float32), np.zeros(6, np.int32), np.ones(6, np.float32)
    whole = WholeGraph(node, SENDERS, RECEIVERS, label, mask)

    def edges(seed: int, step: int) -> list:
        batch = Pipeline(whole, 1, seed, sampled(2, 2)).batch(step)
        assert batch.keys() == {"node", "senders", "receivers", "label", "mask"}
        assert batch["senders"].shape == batch["receivers"].shape == (2, 5)
        return batch["senders"].tolist()

    assert edges(0, 7) == edges(0, 7)
    seen = {str(edges(seed, step)) for seed in (0, 1) for step in range(8)}
    assert len(seen) > 8
    assert any(edges(0, step)[0] != edges(0, step)[1] for step in range(4))


def test_no_neighbors_to_draw_is_one_line():
    with pytest.raises(UserError, match="0 neighbors to draw"):
        sampled(0, 2)
