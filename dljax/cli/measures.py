"""The instruments of dljax inspect that measure a classifier on sets: (subject, options) -> pictures, numbers."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dljax.cli.asked import Options, Shown, table
from dljax.cli.subject import Subject
from dljax.errors import UserError

if TYPE_CHECKING:
    import numpy as np

_SHOWN_CLASSES = 30  # of a confusion matrix that can be read
_SHOWN_ROWS = 20  # of a table
_GROUPS = 100  # different values of a column that makes groups


def _labelled(subject: Subject, limit: int | None) -> "tuple[Mapping[str, np.ndarray], np.ndarray]":
    """Examples and logits of the set.

    Raises:
        UserError: its labels are no classes.
    """
    import numpy as np

    from dljax.analysis.predictions import predict

    examples, logits = predict(subject.network, subject.variables, subject.network.data, limit)
    label = examples.get("label")
    if label is None or label.ndim != 1 or not np.issubdtype(label.dtype, np.integer):
        raise UserError(f"{subject.path}: its set has no label of a class for each image")
    return examples, np.asarray(logits, np.float32)


def attacks(subject: Subject, options: Options) -> Shown:
    """Accuracy under attacks of growing radius, and attacked images."""
    import numpy as np

    from dljax.analysis import charts
    from dljax.analysis.adversarial_examples import Examples, robust_accuracy
    from dljax.tasks.attacks import fgsm, pgd

    _labelled(subject, 1)
    most = options.epsilon or (0.3 if subject.shape[-1] == 1 else 8 / 255)
    epsilons = [float(x) for x in np.linspace(0, most, 7)]
    limit = min(options.limit or 500, len(subject.network.data.source))
    network, variables, steps = subject.network, subject.variables, options.steps or 10
    moving = pgd(steps=steps)
    lines = {
        name: robust_accuracy(
            network, variables, network.data, attack, epsilons, subject.key, limit
        ).tolist()
        for name, attack in (("FGSM", fgsm()), (f"PGD, {steps} steps", moving))
    }
    shown = {"": charts.curves(epsilons, lines, xlabel="epsilon", ylabel="accuracy")}
    look = Examples(network, network.data, moving, epsilons[2], subject.names)
    moved = look(variables, subject.key)
    if not isinstance(moved, str):
        shown["images"] = moved
    rows = [[f"{e:.4f}", *(f"{y[i]:.4f}" for y in lines.values())] for i, e in enumerate(epsilons)]
    text = f"accuracy of {limit} images under attack, pixels in 0..1\n"
    return Shown(shown, text + table(["epsilon", *lines], rows))


def calibration(subject: Subject, options: Options) -> Shown:
    """Whether confidence is right: reliability diagram, expected calibration error, temperature."""
    import jax.numpy as jnp

    from dljax.analysis import charts, uncertainty

    examples, logits = _labelled(subject, options.limit)
    label = examples["label"]
    found = uncertainty.reliability(logits, label)
    right = (logits.argmax(-1) == label).mean()
    rows = [
        ["examples", str(len(label))],
        ["accuracy", f"{right:.4f}"],
        ["mean confidence", f"{uncertainty.confidence(logits).mean():.4f}"],
        ["expected calibration error", f"{found.error:.4f}"],
    ]
    if len(label) > 1:
        wrong = (logits.argmax(-1) != label)[::2]
        best = float(uncertainty.temperature(jnp.asarray(logits[::2]), jnp.asarray(label[::2])))
        halves = [uncertainty.reliability(logits[1::2] / t, label[1::2]).error for t in (1, best)]
        rows.append(["temperature, of every other example", f"{best:.3f}"])
        rows.append(["error of the others before it", f"{halves[0]:.4f}"])
        rows.append(["error of the others after it", f"{halves[1]:.4f}"])
        if not wrong.any():  # the likelihood grows without bound as T falls
            rows.append(["no mistake among the former", "the temperature says nothing"])
    title = f"ECE {100 * found.error:.2f} %, accuracy {100 * right:.2f} %"
    text = "".join(f"{name:36} {value}\n" for name, value in rows)
    return Shown({"": charts.reliability(*found, title=title)}, text)


def confusion(subject: Subject, options: Options) -> Shown:
    """Errors by class, by brightness of the image, and by every column of the set that makes groups."""
    import numpy as np

    from dljax.analysis import charts, errors_by_class

    found, logits = _labelled(subject, options.limit)
    label, guess = found["label"], logits.argmax(-1)
    right = guess == label
    counts = errors_by_class.confusion(label, guess, subject.classes)
    names = subject.names or [str(i) for i in range(subject.classes)]
    wrong = counts - np.diag(np.diagonal(counts))
    some = np.arange(subject.classes)
    if subject.classes > _SHOWN_CLASSES:
        most = np.argsort(-(wrong.sum(0) + wrong.sum(1)), kind="stable")
        some = np.sort(most[:_SHOWN_CLASSES])
    picture = charts.confusion(
        counts[np.ix_(some, some)],
        [names[int(i)] for i in some],
        title=f"{100 * right.mean():.2f} % of {len(label)} right",
    )
    text = f"accuracy {right.mean():.4f} of {len(label)} examples, F1 (macro) "
    text += f"{errors_by_class.f1_macro(counts):.4f}\n"
    text += errors_by_class.class_table(label, guess, counts, names, _SHOWN_ROWS)
    groups = {"brightness": errors_by_class.by_brightness(found["image"])}
    for name, column in found.items():
        grouping = column.ndim == 1 and column.dtype.kind in "iubUS" and len(column) == len(label)
        if name not in ("label", "mask") and grouping and len(np.unique(column)) <= _GROUPS:
            groups[name] = column
    for name, group in groups.items():
        text += "\n" + errors_by_class.group_table(right, group, name, _SHOWN_ROWS)
    return Shown({"": picture}, text)


def extrapolation(subject: Subject, options: Options) -> Shown:
    """How far confidence tells the set from others: AUROC, and confidences of each."""
    import numpy as np

    from dljax.analysis import charts, outside
    from dljax.analysis.predictions import predict
    from dljax.analysis.uncertainty import auroc, confidence
    from dljax.data.pipeline import Arrays, EvalSet

    limit = options.limit or 1000
    network, variables = subject.network, subject.variables
    inside, logits = predict(network, variables, network.data, limit)
    sure = {"its own set": confidence(logits)}
    rows = [["its own set", len(logits), f"{sure['its own set'].mean():.4f}", ""]]
    for name in options.against or outside.MADE:
        image = outside.images(name, inside["image"], limit, options.seed)
        data = EvalSet(Arrays({"image": image}))
        sure[name] = confidence(predict(network, variables, data).outputs)
        apart = auroc(sure["its own set"], sure[name])
        rows.append([name, len(image), f"{sure[name].mean():.4f}", f"{apart:.4f}"])
    lines = {name: np.asarray(x, np.float64) for name, x in sure.items()}
    shown = charts.histograms(lines, xlabel="confidence", bounds=(0.0, 1.0))
    return Shown({"": shown}, table(["set", "images", "mean confidence", "AUROC"], rows))
