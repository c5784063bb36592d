"""GIN: what it tells apart, and padding that nothing depends on."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from architectures import tiny

from dljax.data.sources.graph import Graph, Packs, undirected
from dljax.models.graphs import gin
from dljax.tasks.graphs import graphs, packs

KINDS = 3


def linked(pairs, nodes: int, kinds=None) -> Graph:
    """A graph whose nodes are of these kinds, by default all alike."""
    node = np.eye(KINDS, dtype=np.float32)[np.zeros(nodes, int) if kinds is None else kinds]
    return Graph(node, *undirected(np.array(pairs, np.int64), nodes), 0)


def ring(nodes: int, first: int = 0) -> list:
    return [(first + i, first + (i + 1) % nodes) for i in range(nodes)]


@pytest.fixture(scope="module")
def of_graphs():
    """graphs -> an answer [graphs, classes] for each, from one pack of 24 nodes and 36 edges."""
    model, params, extra, _ = tiny(gin, 0.3)
    apply = jax.jit(lambda inputs: model.apply({"params": params, **extra}, *inputs, train=False))

    def answers(*several: Graph) -> np.ndarray:
        pack = Packs([*several, *several[:1] * (3 - len(several))], 3, nodes=24, edges=36)
        found = apply(packs(pack.gather(np.arange(3))))
        return np.asarray(found)[0, : len(several)]

    return answers


def test_as_the_weisfeiler_lehman_test_it_takes_a_hexagon_for_two_triangles(of_graphs):
    hexagon, triangles = linked(ring(6), 6), linked(ring(3) + ring(3, 3), 6)
    both = of_graphs(hexagon, triangles)
    np.testing.assert_allclose(both[0], both[1], atol=1e-5)  # sums in another order


@pytest.mark.parametrize(
    "one, other",
    {
        # Stars whose centers see two, or three, of the same: means and maxima are equal.
        "stars": (linked([(0, 1), (0, 2)], 3), linked([(0, 1), (0, 2), (0, 3)], 4)),
        "sizes": (linked(ring(3), 3), linked(ring(3) + ring(3, 3), 6)),
        "kinds": (linked(ring(3), 3, [0, 0, 1]), linked(ring(3), 3, [0, 1, 1])),
    }.values(),
    ids=["stars", "sizes", "kinds"],
)
def test_sums_tell_apart(of_graphs, one, other):
    first, second = of_graphs(one, other)
    assert np.abs(first - second).max() > 1e-2


def test_a_graphs_answer_is_its_own(of_graphs):
    """Whatever its nodes' numbers, its place in the pack and the graphs beside it; one atom as well."""
    path = linked([(0, 1), (1, 2), (1, 3)], 4, [0, 1, 2, 0])
    renamed = linked([(3, 0), (0, 2), (0, 1)], 4, [1, 0, 2, 0])
    atom = Graph(np.eye(KINDS, dtype=np.float32)[:1], *np.zeros((2, 0), int), 0)
    alone, lonely = of_graphs(path)[0], of_graphs(atom)[0]
    first, second, third = of_graphs(atom, renamed, linked(ring(5), 5))
    np.testing.assert_allclose(second, alone, atol=1e-5)  # sums in another order
    np.testing.assert_allclose(first, lonely, atol=1e-5)
    assert np.isfinite(third).all()


def test_padding_is_in_no_norm_and_no_loss():
    """The loss, its gradient and the moving averages of packs twice as large are the same."""
    rng = np.random.default_rng(0)
    several = [linked(ring(n), n, rng.integers(0, KINDS, n)) for n in (3, 4, 5, 6)]
    several = [replace(graph, label=i % 2) for i, graph in enumerate(several)]
    model, params, extra, _ = tiny(gin, 0.3)
    task = graphs(model.clone(dropout=0.0))

    def results(per: int, nodes: int, edges: int):
        pack = Packs(several, per, nodes=nodes, edges=edges)
        batch = jax.tree.map(jnp.asarray, pack.gather(np.array([0, 1, 2, 3] + [-1] * (-4 % per))))

        @jax.jit
        def both(params, batch):
            def loss(params):
                value, aux = task.losses["model"]({"model": params}, {"model": extra}, batch, key)
                return value.value, (value.count, aux.extra)

            key = jax.random.key(0)
            return jax.value_and_grad(loss, has_aux=True)(params)

        return both(params, batch)

    small, large = results(2, 12, 22), results(3, 40, 50)
    assert float(small[0][1][0]) == 4
    # Sums of a few terms of order 1 in another order; a node too many would change them by a tenth.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), small, large)
