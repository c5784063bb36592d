"""Looks at codes: drawn in the plane, probed by a linear classifier, and their decoder's errors as alarms."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from dljax.analysis import charts
from dljax.analysis.neighbors import nearest
from dljax.analysis.pictures import filters, grid
from dljax.analysis.predictions import Predicts, predict
from dljax.analysis.uncertainty import auroc
from dljax.data.pipeline import EvalSet
from dljax.types import InitVariables, Key, Variables


@dataclass(frozen=True)
class Plane:
    """A look: codes of two numbers as points of the plane, a color for each class.

    Attributes:
        codes: predicts codes [b, 2].
        data: with a ``label`` [b].
        n: number of points.
    """

    codes: Predicts
    data: EvalSet
    n: int = 2000

    def __call__(self, variables: Variables, key: Key) -> np.ndarray:
        examples, code = predict(self.codes, variables, self.data, self.n)
        return charts.points(code, examples["label"])


@dataclass(frozen=True)
class Probe:
    """A look: a linear classifier's "accuracy" on codes, and "raw" on the images themselves.

    Logistic regression on features of unit deviation (Alain & Bengio 2016, arXiv:1610.01644): how much
    of the classes the code has made linear.

    Attributes:
        codes: predicts codes [b, ...].
        train, test: ``image`` and ``label``.
        labels: number of labeled examples, the first of ``train``.
        n: number of test examples, the first of ``test``.
        init: of the task; where it is given, the accuracy on codes of a network that was not trained is
            "untrained", and "gain" is the accuracy's distance from the better of this and "raw".
    """

    codes: Predicts
    train: EvalSet
    test: EvalSet
    labels: int = 1000
    n: int = 2000
    init: InitVariables | None = None

    def __call__(self, variables: Variables, key: Key) -> Mapping[str, float]:
        sets = (self.train, self.labels), (self.test, self.n)
        known, asked = (predict(self.codes, variables, data, n) for data, n in sets)

        def accuracy(features, others) -> float:
            return linear_accuracy(
                features, known.examples["label"], others, asked.examples["label"]
            )

        found = {
            "accuracy": accuracy(known.outputs, asked.outputs),
            "raw": accuracy(known.examples["image"], asked.examples["image"]),
        }
        if self.init is not None:
            fresh = Variables(*jax.jit(self.init)(key, next(self.train.batches(2))))
            untrained = (predict(self.codes, fresh, data, n).outputs for data, n in sets)
            found["untrained"] = accuracy(*untrained)
            found["gain"] = found["accuracy"] - max(found["raw"], found["untrained"])
        return found


@dataclass(frozen=True)
class Alike:
    """A look: rows of a test image, and the training images whose codes have the largest cosines with its own,
    in falling order.

    Attributes:
        codes: predicts codes [b, ...].
        train, test: ``image`` in 0..1.
        n: number of test images, the first ones.
        columns: training images in a row.
        limit: number of training images to search.
        enlarge: pixels per pixel, along each side.
    """

    codes: Predicts
    train: EvalSet
    test: EvalSet
    n: int = 10
    columns: int = 10
    limit: int = 10_000
    enlarge: int = 2

    def __call__(self, variables: Variables, key: Key) -> np.ndarray:
        known = predict(self.codes, variables, self.train, self.limit)
        # In batches of the same size, as probes are: one program for all.
        asked = predict(self.codes, variables, self.test, self.limit)

        def direction(code: np.ndarray) -> np.ndarray:
            flat = np.asarray(code, np.float32).reshape(len(code), -1)
            return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)

        columns = min(self.columns, len(known.outputs))
        outputs, image = asked.outputs[: self.n], asked.examples["image"][: self.n]
        which = nearest(direction(outputs), direction(known.outputs), columns).which
        rows = np.concatenate([image[:, None], known.examples["image"][which]], 1)
        return grid(rows.reshape(-1, *rows.shape[2:]), columns + 1, enlarge=self.enlarge)


def linear_accuracy(features, label, others, truth) -> float:
    """The accuracy on other features of logistic regression, penalized by half the squared weights.

    Args:
        features, others: [n, ...] and [m, ...], flattened and scaled to the deviations of the first.
        label, truth: [n] and [m] integers.
    """
    from sklearn.linear_model import LogisticRegression  # takes a second to import
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features, others = (np.asarray(x, np.float64).reshape(len(x), -1) for x in (features, others))
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return float(model.fit(features, label).score(others, truth))


@dataclass(frozen=True)
class Restored:
    """A look: rows of a set's first images, of the same corrupted, and of what a model makes of these.

    Attributes:
        model: predicts images from images.
        corrupt: (image [b, ...], key) -> image.
        data: ``image`` in 0..1.
        n: images in a row.
        enlarge: pixels per pixel, along each side.
    """

    model: Predicts
    corrupt: Callable[[jax.Array, Key], jax.Array]
    data: EvalSet
    n: int = 12
    enlarge: int = 2

    def __call__(self, variables: Variables, key: Key) -> np.ndarray:
        def spoiled(examples, seeds):
            image = self.data.transform(examples, seeds)["image"]
            return {"clean": image, "image": np.asarray(self.corrupt(jnp.asarray(image), key))}

        given = EvalSet(self.data.source, spoiled)
        examples, out = predict(self.model, variables, given, self.n)
        rows = np.concatenate([examples["clean"], examples["image"], out])
        return grid(rows, len(out), enlarge=self.enlarge)


@dataclass(frozen=True)
class Alarm:
    """A look: "auroc", the chance that an anomaly is restored worse than a normal example.

    The error is the squared one, summed over an example.

    Attributes:
        model: predicts examples from examples.
        normal, anomalies: ``image``.
    """

    model: Predicts
    normal: EvalSet
    anomalies: EvalSet

    def errors(self, variables: Variables, data: EvalSet) -> np.ndarray:
        """The squared error of each example, [n]."""
        examples, out = predict(self.model, variables, data)
        error = np.square(examples["image"] - out, dtype=np.float64)
        return error.reshape(len(error), -1).sum(-1)

    def __call__(self, variables: Variables, key: Key) -> Mapping[str, float]:
        high, low = (self.errors(variables, data) for data in (self.anomalies, self.normal))
        return {"auroc": auroc(high, low), "normal": low.mean(), "anomalies": high.mean()}


@dataclass(frozen=True)
class Activity:
    """A look: the "mean" of a code's absolute values, and the part of them that is "active", above 0.1.

    Attributes:
        codes: predicts codes [b, z].
    """

    codes: Predicts
    data: EvalSet
    n: int = 2000

    def __call__(self, variables: Variables, key: Key) -> Mapping[str, float]:
        size = np.abs(predict(self.codes, variables, self.data, self.n).outputs)
        return {"mean": float(size.mean()), "active": float((size > 0.1).mean())}


@dataclass(frozen=True)
class Fields:
    """A look: the weights of a layer's units on a gray image, as pictures, the largest first; gray is 0.

    Attributes:
        player, layer: of a dense layer on flat images.
        shape: of the images, [h, w].
        n: number of units.
    """

    player: str = "model"
    layer: str = "encoder_0"
    shape: tuple[int, int] = (28, 28)
    n: int = 49

    def __call__(self, variables: Variables, key: Key) -> np.ndarray:
        kernel = np.asarray(variables.params[self.player][self.layer]["kernel"])
        largest = np.argsort(-np.square(kernel).sum(0), kind="stable")[: self.n]
        return filters(kernel[:, largest].reshape(*self.shape, 1, -1), enlarge=2)
