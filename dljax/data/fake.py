"""Fake twins: the shapes of a real dataset, made from a seed, and learnable."""

import numpy as np

from dljax.data.pipeline import Arrays
from dljax.data.sources.graph import Graph, WholeGraph, undirected
from dljax.data.sources.pairs import MARKS, Pairs, Parallel
from dljax.data.sources.text import Words


def images(n: int, shape: tuple[int, int, int], classes: int, *, split: int = 0) -> Arrays:
    """``image`` uint8 [n, h, w, c], ``label`` int32 [n]: smooth class prototypes under noise.

    Splits (0 train, 1 test) share the prototypes and differ in labels and noise.
    """
    h, w, c = shape
    coarse = np.random.default_rng(7).uniform(0, 255, (classes, -(-h // 4), -(-w // 4), c))
    prototypes = coarse.repeat(4, 1).repeat(4, 2)[:, :h, :w]
    rng = np.random.default_rng([7, split])
    label = rng.integers(0, classes, n).astype(np.int32)
    noisy = prototypes[label] + rng.normal(0, 40, (n, h, w, c))
    return Arrays({"image": np.clip(noisy, 0, 255).astype(np.uint8), "label": label})


def text(n: int, vocabulary: int) -> np.ndarray:
    """int32 [n]: a Markov chain in which each token has three possible successors."""
    rng = np.random.default_rng(11)
    successors = rng.integers(0, vocabulary, (vocabulary, 3))
    chains = np.empty((100, -(-n // 100)), np.int32)
    chains[:, 0] = rng.integers(0, vocabulary, 100)
    for i in range(1, chains.shape[1]):
        chains[:, i] = successors[chains[:, i - 1], rng.integers(0, 3, 100)]
    return chains.ravel()[:n]


def graph(n: int, features: int, classes: int) -> WholeGraph:
    """A stochastic block model in which no node counts yet.

    Each node has four links, mostly within its class; each class has features that its nodes have
    ten times as often as others.
    """
    rng = np.random.default_rng(13)
    label = rng.permutation(np.arange(n) % classes).astype(np.int32)
    of_class = [np.flatnonzero(label == c) for c in range(classes)]
    sender = np.repeat(np.arange(n), 2)
    same = rng.random(len(sender)) < 0.85
    mate = np.array([rng.choice(of_class[label[s]]) for s in sender])
    receiver = np.where(same, mate, rng.integers(0, n, len(sender)))
    senders, receivers = undirected(np.stack([sender, receiver], 1), n)
    typical = rng.random((classes, features)) < 0.1
    node = rng.random((n, features)) < np.where(typical[label], 0.2, 0.02)
    node = node.astype(np.float32) / np.maximum(node.sum(1, keepdims=True), 1).astype(np.float32)
    return WholeGraph(node, senders, receivers, label, np.zeros(n, np.float32))


def rings(n: int, features: int, classes: int, *, split: int = 0) -> list[Graph]:
    """Rings of nodes whose features are mostly those of the ring's class, integers below ``classes``.

    Splits (0 train, 1 test) share the features of a class and differ in lengths and noise.
    """
    typical = np.random.default_rng(29).normal(size=(classes, features))
    rng = np.random.default_rng([29, split])
    out = []
    for i in range(n):
        length = int(rng.integers(3, 8))
        node = typical[i % classes] + rng.normal(0, 0.3, (length, features))
        at = np.arange(length)
        senders, receivers = undirected(np.stack([at, (at + 1) % length], 1), length)
        out.append(Graph(node.astype(np.float32), senders, receivers, i % classes))
    return out


def regions(n: int, size: int, *, split: int = 0) -> Arrays:
    """``image`` uint8 [n, size, size, 1], ``label`` int32 [n, size, size] in {0, 1}: bright blobs of 8
    pixels and more on a dark ground, under noise.
    """
    rng = np.random.default_rng([19, split])
    coarse = rng.random((n, -(-size // 8), -(-size // 8))) < 0.7
    label = coarse.repeat(8, 1).repeat(8, 2)[:, :size, :size].astype(np.int32)
    noisy = 60 + 120 * label + 40 * rng.standard_normal(label.shape, np.float32)
    return Arrays({"image": np.clip(noisy, 0, 255).astype(np.uint8)[..., None], "label": label})


def parallel(train: int, validation: int, source: int, target: int, longest: int) -> Parallel:
    """Pairs of sentences over so many tokens a side, the marks among them: word i becomes word i, where the
    target has it, the common words far more often than the rare ones.
    """
    rng = np.random.default_rng(23)
    left, right = (
        Words((*MARKS, *(f"{letter}{i}" for i in range(size - len(MARKS)))))
        for letter, size in (("s", source), ("t", target))
    )
    texts = []
    for length in rng.integers(2, longest, train + validation).tolist():
        numbers = np.minimum(rng.zipf(1.5, length), min(source, target) - len(MARKS)) - 1
        sides = [" ".join(f"{letter}{i}" for i in numbers) for letter in "st"]
        texts.append((sides[0], sides[1]))
    parts = texts[:train], texts[train:]
    return Parallel(*(Pairs(part, left, right, longest) for part in parts))
