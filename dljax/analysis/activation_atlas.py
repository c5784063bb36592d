"""An activation atlas: what a layer tells apart, laid out on a plane.

Carter et al. 2019, Activation Atlas, doi:10.23915/distill.00015: one activation of each of many images is
laid out in two dimensions, the plane is cut into cells, the activations of a cell are averaged, and each
mean is drawn by feature visualization.

The plane is scikit-learn's t-SNE of the first 50 principal components, as van der Maaten & Hinton 2008
prepare it (JMLR 9, 2579, section 4.2). The paper takes UMAP and says that t-SNE serves as well; umap-learn
brings numba and LLVM, a hundred megabytes for one picture, and scikit-learn is required already.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dljax.analysis import feature_visualization, heat, pictures
from dljax.analysis.activations import Function, activations
from dljax.analysis.predictions import Predicts
from dljax.data.pipeline import EvalSet
from dljax.errors import UserError
from dljax.types import Array, Key, Variables

_BATCH = 128
_COMPONENTS = 50
_LEAST = 8  # points that a plane is made of


def _maps(layer: str, out) -> Array:
    """A layer's output as maps [b, h, w, c]; tokens [b, t, d] as one row, vectors [b, d] as one place."""
    if not isinstance(out, jax.Array) or not 2 <= out.ndim <= 4:
        raise UserError(f"layer {layer!r} returns no activations [b, ..., c]: name one that does")
    if out.ndim == 4:
        return out
    return out[:, None, None] if out.ndim == 2 else out[:, None]


def gathered(
    function: Function, variables: Variables, data: EvalSet, layer: str, key: Key, limit: int
) -> tuple[np.ndarray, np.ndarray]:
    """One activation of each example, at a place drawn at random, and the examples' labels.

    Args:
        function: (variables, batch) -> output, calling Linen modules; not jitted itself.
        layer: path of one that returns maps, tokens or vectors.
        limit: number of examples, from the first on.

    Returns:
        (float32 [n, c], int [n]; -1 where the set has no labels).

    Raises:
        UserError: the layer is not called, or returns no activations.
    """

    @jax.jit
    def drawn(variables, batch, key):
        out = activations(function, variables, batch, layers=[layer])[layer]
        maps = _maps(layer, out)
        flat = maps.reshape(maps.shape[0], -1, maps.shape[-1])
        at = jax.random.randint(key, (len(flat), 1, 1), 0, flat.shape[1])
        return jnp.take_along_axis(flat, at, axis=1)[:, 0].astype(jnp.float32)

    vectors, labels, seen = [], [], 0
    for i, batch in enumerate(data.batches(min(_BATCH, limit))):
        given = {name: x for name, x in batch.items() if x.dtype.kind not in "OUS"}
        real = np.asarray(batch["mask"]) > 0
        vectors.append(np.asarray(drawn(variables, given, jax.random.fold_in(key, i)))[real])
        label = batch.get("label")
        labels.append(np.full(len(real), -1)[real] if label is None else np.asarray(label)[real])
        seen += int(real.sum())
        if seen >= limit:
            break
    return np.concatenate(vectors)[:limit], np.concatenate(labels)[:limit]


def plane(vectors, seed: int = 0) -> np.ndarray:
    """Points float64 [n, 2] of vectors [n, c], near where those are near: t-SNE (see the module).

    Raises:
        UserError: fewer than 8 vectors, or one that is not finite.
    """
    vectors = np.asarray(vectors, np.float64)
    n = len(vectors)
    if n < _LEAST:
        raise UserError(f"an atlas of {n} examples: expected {_LEAST} or more")
    if not np.isfinite(vectors).all():
        raise UserError("activations are not finite: there is nothing to lay out")
    from sklearn.manifold import TSNE  # takes a second to import

    centered = vectors - vectors.mean(0)
    left, size, _ = np.linalg.svd(centered, full_matrices=False)
    most = min(_COMPONENTS, max(2, int((size > 1e-9 * max(size[0], 1e-30)).sum())))
    reduced = (left * size)[:, :most]
    if reduced.shape[1] < 2:
        reduced = np.pad(reduced, ((0, 0), (0, 1)))
    start = reduced[:, :2] / max(float(reduced[:, 0].std()), 1e-30) * 1e-4  # t-SNE's usual size
    fit = TSNE(2, perplexity=min(30.0, (n - 1) / 3), init=start, random_state=seed)
    return np.asarray(fit.fit_transform(reduced), np.float64)


def cells(points, side: int) -> np.ndarray:
    """The cell of each point, int64 [n], counted along the rows of ``side`` x ``side`` equal ones.

    The grid spans the points, the first coordinate to the right and the second downward.

    Args:
        points: [n, 2].
    """
    points = np.asarray(points, np.float64)
    low, high = points.min(0), points.max(0)
    part = (points - low) / np.maximum(high - low, 1e-12)
    column, row = np.minimum((part * side).astype(np.int64), side - 1).T
    return row * side + column


class Atlas(NamedTuple):
    """An atlas before it is drawn.

    Attributes:
        points: float64 [n, 2], the plane.
        cell: int64 [n], the cell of each.
        label: int [n], of the examples; -1 where there is none.
        filled: int64 [m], cells with enough examples, in order.
        size: int64 [m], examples in each of them.
        mean: float32 [m, c], the mean activation in each.
        side: cells along each side.
    """

    points: np.ndarray
    cell: np.ndarray
    label: np.ndarray
    filled: np.ndarray
    size: np.ndarray
    mean: np.ndarray
    side: int

    @property
    def purity(self) -> float:
        """The part of the examples in drawn cells that are of their cell's most frequent class."""
        drawn = [self.label[self.cell == c] for c in self.filled]
        right = sum(int((label == common(label)).sum()) for label in drawn)
        return right / sum(map(len, drawn))


def atlas(vectors, label, *, side: int, least: int = 1, seed: int = 0) -> Atlas:
    """The cells of activations [n, c], and the mean activation of each that has ``least`` or more.

    Args:
        label: [n] integers.
        side: cells along each side.

    Raises:
        UserError: too few examples, or no cell with ``least`` of them.
    """
    vectors = np.asarray(vectors, np.float32)
    points = plane(vectors, seed)
    cell = cells(points, side)
    filled, size = np.unique(cell, return_counts=True)
    filled, size = filled[size >= least], size[size >= least]
    if not filled.size:
        raise UserError(f"no cell of {side} x {side} has {least} examples: take fewer cells")
    mean = np.stack([vectors[cell == c].mean(0) for c in filled])
    return Atlas(points, cell, np.asarray(label), filled, size, mean, side)


@dataclass(frozen=True)
class ActivationAtlas:
    """A look: the atlas of a layer, an image for each cell, with its most frequent class and examples.

    Attributes:
        data: ``image`` [n, h, w, c] in 0..1, perhaps ``label``.
        layer: path of one that returns maps, tokens or vectors.
        names: of the classes; their numbers by default.
        side: cells along each side; by default about 12 examples to a cell, and 8 x 8 at most.
        least: examples that a cell must have to be drawn.
        steps: of the optimization.
        limit: number of examples, from the first on.
    """

    task: Predicts
    data: EvalSet
    layer: str
    names: Sequence[str] = ()
    side: int = 0
    least: int = 2
    steps: int = 128
    limit: int = 2000

    def found(self, variables: Variables, key: Key) -> Atlas:
        """The atlas before it is drawn.

        Raises:
            UserError: the task has no ``predict``, the layer has no activations, or too few examples.
        """
        if self.task.predict is None:
            raise UserError("this task predicts nothing: it has no activations to lay out")
        given = variables, self.data, self.layer, key, self.limit
        vectors, label = gathered(self.task.predict, *given)
        side = self.side or min(8, max(2, math.isqrt(len(vectors) // 12)))
        return atlas(vectors, label, side=side, least=self.least)

    def picture(self, variables: Variables, key: Key, found: Atlas) -> np.ndarray:
        """The picture of what was ``found``."""
        assert self.task.predict is not None
        function, wanted = self.task.predict, jnp.asarray(found.mean)

        def goal(image: Array) -> Array:
            given = {"image": image}
            out = activations(function, variables, given, layers=[self.layer])[self.layer]
            return feature_visualization.direction(_maps(self.layer, out), wanted)

        shape = next(self.data.batches(1))["image"].shape[1:]
        optima = feature_visualization.optimized_inputs(
            goal, key, shape, batch=len(wanted), steps=self.steps
        )
        icons = np.ones((found.side**2, *shape[:2], 3), np.float32)
        icons[found.filled] = heat.colored(optima)
        words = [""] * len(icons)
        for cell, size in zip(found.filled, found.size, strict=True):
            most = common(found.label[found.cell == cell])
            name = "" if most < 0 else self.names[most] if self.names else str(most)
            words[cell] = f"{name} ({size})"
        return pictures.labelled(icons, words, found.side, enlarge=max(1, 84 // shape[0]))

    def __call__(self, variables: Variables, key: Key) -> np.ndarray:
        return self.picture(variables, key, self.found(variables, key))


def common(label) -> int:
    """The most frequent of labels [n], the smallest of several; -1 counts as one."""
    found, count = np.unique(np.asarray(label), return_counts=True)
    return int(found[count.argmax()])
