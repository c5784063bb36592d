"""A run's classifier as dljax inspect looks at it: in pixels of 0..1, with its layers by path."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dljax.errors import UserError, nearest

if TYPE_CHECKING:
    import numpy as np

    from dljax.analysis.pixels import OfPixels
    from dljax.data.pipeline import EvalSet
    from dljax.learner import Learner
    from dljax.types import Key, Variables


_MANY = 40  # names that an error does not list


def _near(word: str, known: Sequence[str]) -> str:
    """The tail of an error message: all known names, or of very many the three nearest."""
    if len(known) <= _MANY:
        return nearest(word, known)
    near = difflib.get_close_matches(word, known, n=3, cutoff=0.0)
    return f"the nearest of {len(known)}: {', '.join(near)}"


@dataclass(frozen=True)
class Subject:
    """A classifier to look at.

    Attributes:
        path: the run's folder.
        network: its ``predict`` and its set, both of images in 0..1.
        variables: that it is used with.
        names: of its classes; () where they are numbers.
        classes: their number.
        shape: (h, w, c) of an image.
        layers: path -> shape of the output without the batch, in the order of the calls' ends; of
            layers within reach that return arrays.
        files: images that were named, which stand for the set; () for the set's own.
        key: of draws.
    """

    path: Path
    network: "OfPixels"
    variables: "Variables"
    names: Sequence[str]
    classes: int
    shape: tuple[int, int, int]
    layers: Mapping[str, tuple[int, ...]]
    key: "Key"
    files: Sequence[Path] = ()

    def layer(self, named: str | None, *ndims: int) -> str:
        """The layer of a path, or else the last one of such a shape that has several places, if any has.

        Tokens of a square are maps, and are the default where a network has no other maps behind them.

        Args:
            named: its path; None for the default.
            ndims: numbers of axes that serve, without the batch: 3 for maps, 2 for tokens, 1 for vectors.

        Raises:
            UserError: there is no such layer, or its output is of another kind.
        """
        from dljax.analysis.activations import places

        maps = {p: places(s) for p, s in self.layers.items() if 3 in ndims and places(s)}
        fit = {p: s for p, s in self.layers.items() if len(s) in ndims or p in maps}
        if named is None:
            several = [p for p, sides in maps.items() if sides != (1, 1)]
            blocks = [p for p in several if len(self.layers[p]) == 2 and "/" not in p]
            if len(blocks) > 1 and several[-1] == blocks[-1]:
                # The last one's tokens but the first lead nowhere, where a ViT reads that one alone.
                return blocks[-2]
            # The output itself is left to --class.
            rest = [p for p, s in fit.items() if s != (self.classes,)]
            found = several or rest
            if not found:
                raise UserError(
                    f"{self.path}: no layer of it returns what this takes: name another"
                )
            return found[-1]
        if named not in self.layers:
            raise UserError(f"no layer {named!r}; {_near(named, list(self.layers))}")
        if named not in fit:
            shape = "x".join(map(str, self.layers[named])) or "a number"
            kinds = {3: "maps", 2: "tokens", 1: "vectors"}
            wanted = " or ".join(kinds[n] for n in ndims)
            raise UserError(
                f"layer {named!r} returns {shape}, expected {wanted}; {_near(named, list(fit))}"
            )
        return named

    def class_of(self, word: str) -> int:
        """The number of a class, given its name or number.

        Raises:
            UserError: there is none.
        """
        if word in self.names:
            return list(self.names).index(word)
        if word.isdecimal() and int(word) < self.classes:
            return int(word)
        known = list(self.names) or [str(i) for i in range(self.classes)]
        raise UserError(f"no class {word!r}; {_near(word, known)}")

    def name(self, label: int) -> str:
        """The name of a class, or its number."""
        return self.names[label] if self.names else str(label)

    def of_files(self, files: Sequence[Path], data: "EvalSet") -> "Subject":
        """The same classifier before these image files.

        Args:
            data: the run's own set, whose way they take.

        Raises:
            UserError: a file that is no image (raised when it is read).
        """
        from dljax.data.pipeline import EvalSet

        source = _Files(tuple(files), data, self.network.shown)
        return replace(
            self, files=tuple(files), network=self.network._replace(data=EvalSet(source))
        )


@dataclass(frozen=True)
class _Files:
    """Image files as a source, read and transformed as they are gathered."""

    files: tuple[Path, ...]
    data: "EvalSet"
    shown: Any

    def __len__(self) -> int:
        return len(self.files)

    def gather(self, indices: "np.ndarray") -> dict[str, "np.ndarray"]:
        from dljax.cli.image_files import examples_of

        rows = examples_of([self.files[i] for i in indices], self.data, "inspect")
        return {"image": self.shown(rows["image"])}


def subject_of(
    path: Path, learner: "Learner", data: "EvalSet", variables: "Variables", key: "Key"
) -> Subject:
    """The classifier of a run.

    Raises:
        UserError: the run's model is no classifier of images.
    """
    import jax
    import numpy as np

    from dljax.analysis.activations import activations
    from dljax.analysis.pixels import of_pixels

    other = UserError(f"{path} is a run of no classifier of images: dljax sample shows it")
    if learner.predict is None or data.whole:
        raise other
    first = next(data.batches(min(2, len(data.source))))
    if "image" not in first or np.ndim(first["image"]) != 4:
        raise other
    numbers = {name: x for name, x in first.items() if x.dtype.kind not in "OUS"}
    logits = jax.eval_shape(learner.predict, variables, numbers)
    if not isinstance(logits, jax.ShapeDtypeStruct) or logits.ndim != 2 or logits.shape[1] < 2:
        raise other
    network = of_pixels(learner, data)
    order: list[str] = []  # which a dict that jax returns has lost

    def outputs(variables, image):
        found = activations(network.predict, variables, {"image": image})
        order.extend(found)
        return found

    found = jax.eval_shape(outputs, variables, first["image"])
    layers = {
        layer: tuple(found[layer].shape[1:])
        for layer in dict.fromkeys(order)
        if isinstance(found[layer], jax.ShapeDtypeStruct) and found[layer].ndim > 1
    }
    return Subject(
        path,
        network,
        variables,
        tuple(getattr(data.source, "names", ())),
        logits.shape[1],
        tuple(first["image"].shape[1:]),
        layers,
        key,
    )
