"""The command dljax weights diff: the first layer where two networks part."""

import argparse
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dljax.cli import partings
from dljax.cli.opening import open_experiment, start
from dljax.cli.parsing import Parser, parse_with_knobs
from dljax.cli.runs import (
    add_now,
    experiment_of_run,
    open_checkpoint,
    opened_elsewhere,
    read_record,
)
from dljax.errors import UserError
from dljax.runtime.profile import Profile, load_profile

if TYPE_CHECKING:
    from dljax.analysis.differences import Difference, Step
    from dljax.experiment import Experiment, Phase

_DESCRIPTION = """Compare two networks: their weights by name, then, on the same input, every layer's output in the
order of execution; and print the first layer that differs, and whether what it is given does so too.

A and B are each a run, or a file of weights, whose network --experiment FILE builds (or else the run
beside it). Two files without an experiment are compared by their own names, weights alone. In place of B,
--reference FILE.npz has outputs of layers that another framework recorded. In torch:

    seen = {"input": x.numpy()}  # x is what the network is given
    for n, layer in net.eval().named_modules():
        layer.register_forward_hook(lambda _, given, out, n=n: n in seen or seen.update({n: out.numpy().copy(), n + ":given": given[0].numpy().copy()}))
    with torch.no_grad(): net(x)
    numpy.savez("seen.npz", **seen)

(out[0] where a layer's output is a tuple.) Its names are matched with ours by the map in dljax/weights, or are
ours. Both networks are given its "input"; else an image of --image, else, for images, noise of --draw, or the
first rows of the experiment's data. The exit status is 1 where they part, 0 where they do not."""

_EXAMPLES = """
dljax weights diff runs/resnet-1a2b3c4d resnet18.pth
dljax weights diff a.npz b.safetensors --experiment experiments/convnets/lenet.py --fake
dljax weights diff resnet20.th --reference seen.npz --experiment experiments/convnets/resnet_cifar.py --fake
"""
# Of float32 sums through some fifty layers 3e-5 of the largest value is rounding (tests/test_parity.py);
# the wrong epsilon of one BatchNorm is 5e-4.
_TOLERANCE = 1e-4
_ROWS = 2  # of the batch: enough to see rows mixed up
_IMAGE, _TOKENS = "image", "tokens"
_SHOWN = 10  # arrays


class _Network(NamedTuple):
    """A side of the comparison: variables by player, and the phase that uses them."""

    phase: "Phase"
    variables: Any


def _options(argv: list[str]) -> tuple[argparse.Namespace, "Experiment | None", Parser]:
    parser = Parser("weights diff", _DESCRIPTION, _EXAMPLES)
    parser.add_argument("a", type=Path, metavar="A", help="a run, or a file of weights")
    parser.add_argument("b", type=Path, metavar="B", nargs="?", help="another")
    parser.add_argument(
        "--experiment",
        metavar="FILE",
        help="builds the network of a file of weights; its knobs follow",
    )
    parser.add_argument(
        "--reference", type=Path, metavar="FILE.npz", help="recorded outputs, for B"
    )
    parser.add_argument(
        "--layout",
        choices=("channels-first", "channels-last"),
        default="channels-first",
        help="of the reference's images (default: channels-first, as in torch)",
    )
    parser.add_argument("--image", type=Path, metavar="IMAGE", help="the input")
    parser.add_argument(
        "--draw", type=int, default=0, metavar="SEED", help="of the noise (default: 0)"
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        default=_TOLERANCE,
        help="share of a layer's largest value that is rounding (default: 1e-4)",
    )
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("--on", metavar="PROFILE", help="where it runs")
    add_now(parser)
    file, rest = _taken(argv)
    if file is None:
        return parser.parse_args(argv), None, parser
    if not file.endswith(".py"):
        raise UserError(f"--experiment {file}: expected an experiment file, FILE.py")
    options, path, knobs, words = parse_with_knobs(parser, [file, *rest])
    return options, open_experiment(path, knobs.resolve(words, options.claim)), parser


def _taken(argv: list[str]) -> tuple[str | None, list[str]]:
    """The word of --experiment, and the other words."""
    for i, word in enumerate(argv):
        if word == "--experiment" and i + 1 < len(argv):
            return argv[i + 1], argv[:i] + argv[i + 2 :]
        if word.startswith("--experiment="):
            return word.partition("=")[2], argv[:i] + argv[i + 1 :]
    return None, argv


def _is_run(path: Path) -> bool:
    return os.path.isfile(path / "record.json")


def _of_run(path: Path, record: Mapping[str, Any], profile: Profile) -> _Network:
    opened = open_checkpoint(experiment_of_run(path, record, {}), path, profile)
    return _Network(opened.phase, opened.executor.learner.chosen(opened.state))


def _of_file(path: Path, experiment: "Experiment") -> _Network:
    import jax
    import jax.numpy as jnp

    from dljax import weights
    from dljax.cli.modules import entries_of, of_phase, shapes_of
    from dljax.tasks.supervised import MODEL
    from dljax.types import Variables

    phase = experiment.phases[-1]
    module = of_phase(phase)
    fresh = jax.eval_shape(phase.learner.init, jax.random.key(0), shapes_of(phase))
    like = {"params": fresh.params[MODEL], **(fresh.extra.get(MODEL) or {})}
    arrays = weights.read(path)
    wanted = _by_path(like)
    try:
        if wanted.keys() != arrays.keys():  # else they are by our own paths
            found = weights.to_variables(entries_of(module), arrays, like)
            arrays = _by_path(found)
        for name, shape in ((name, x.shape) for name, x in wanted.items()):
            if name not in arrays or arrays[name].shape != shape:
                has = f"shape {arrays[name].shape}" if name in arrays else "nothing"
                raise UserError(f"it has {has} for {name}, expected {shape}: take another variant")
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    placed = jax.tree.map_with_path(lambda keys, _: jnp.asarray(arrays[_path(keys)]), like)
    params = placed.pop("params")
    return _Network(phase, Variables({MODEL: params}, {MODEL: placed}))


def _path(keys: Any) -> str:
    import jax

    return jax.tree_util.keystr(keys, simple=True, separator="/")


def _by_path(tree: Any) -> dict[str, Any]:
    import jax

    return {_path(keys): leaf for keys, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def _arrays(network: _Network) -> dict[str, Any]:
    """A network's variables by path, as its map of names has them: "params/conv1/kernel"."""
    from dljax.tasks.supervised import MODEL

    params, extra = network.variables
    return _by_path({"params": params[MODEL], **(extra.get(MODEL) or {})})


def _input(phase: "Phase", options: argparse.Namespace, seen: Mapping[str, Any]) -> dict[str, Any]:
    """Rows of the phase's data with, for what the network sees, the input that was asked for."""
    import numpy as np

    rows = {k: np.asarray(x)[:_ROWS] for k, x in phase.data.batch(0, slice(0, _ROWS)).items()}
    batch = {k: x for k, x in rows.items() if x.dtype == bool or np.issubdtype(x.dtype, np.number)}
    key = next((k for k in (_IMAGE, _TOKENS) if k in batch), None)
    if "input" in seen:
        given = seen["input"]
        if key is None:
            raise UserError(
                f"{options.reference}: this network takes {', '.join(batch)}, and its input can be "
                "neither an image nor tokens: leave out the reference's input"
            )
        if key == _IMAGE and given.ndim == 4 and options.layout == "channels-first":
            given = given.transpose(0, 2, 3, 1)
        if given.ndim != batch[key].ndim or (
            key == _IMAGE and given.shape[3:] != batch[key].shape[3:]
        ):
            raise UserError(
                f"{options.reference}: its input has shape {given.shape}, with channels last; expected "
                f"one like {batch[key].shape}: --layout says where its channels are"
            )
        rows = {k: np.resize(x, (len(given), *x.shape[1:])) for k, x in batch.items()}
        return {**rows, key: given.astype(batch[key].dtype)}
    if options.image is not None:
        if key != _IMAGE or not phase.evals:
            raise UserError("--image: this network takes no images")
        return {**{k: x[:1] for k, x in batch.items()}, _IMAGE: _pictured(phase, options.image)}
    if key == _IMAGE and np.issubdtype(batch[_IMAGE].dtype, np.floating):
        noise = np.random.default_rng(options.draw).normal(size=batch[_IMAGE].shape)
        return {**batch, _IMAGE: noise.astype(batch[_IMAGE].dtype)}
    return batch


def _pictured(phase: "Phase", file: Path) -> Any:
    """An image file on the way that the evaluation's images take."""
    import numpy as np

    from dljax.data.sources import images_on_disk

    if not file.is_file():
        raise UserError(f"{file} is no file: name an image")
    data = next(iter(phase.evals.values()))
    like, label = data.source.gather(np.zeros(1, np.int64)), np.zeros(1, np.int32)
    if "encoded" in like:
        rows = images_on_disk.ImageFiles([file], label).gather(np.arange(1))
    else:
        shape = like[_IMAGE].shape[1:]
        rows = {_IMAGE: images_on_disk.resized([file], shape), "label": label}
    return data.transform(rows, np.zeros(1, np.uint64))[_IMAGE]


def _steps(network: _Network, batch: Mapping[str, Any]) -> dict[str, "Step"] | None:
    from dljax.analysis.differences import steps

    predict = network.phase.learner.predict
    return None if predict is None else steps(predict, network.variables, dict(batch))


def main(argv: list[str]) -> int:
    """Run ``dljax weights diff`` and return its exit status: 1 where the two part."""
    options, experiment, parser = _options(argv)
    sides = [side for side in (options.a, options.b) if side is not None]
    if (options.reference is None) == (options.b is None):
        parser.error("name A and B, or A and --reference FILE.npz")
    if not 0 <= options.tolerance < float("inf"):
        raise UserError(f"--tolerance {options.tolerance}: expected a number from 0 on")
    for side in sides:
        if not side.exists():
            raise UserError(f"{side} does not exist: name a run's folder, or a file of weights")
    records = {side: read_record(side) for side in sides if _is_run(side)}
    codes = [record["code"] for record in records.values()]
    if not options.now and any(code != codes[0] for code in codes):
        raise UserError("A and B are runs of different code: --now builds both with today's")
    for run, record in records.items():
        status = opened_elsewhere("weights", ["diff", *argv], run, record, options.now)
        if status is not None:
            return status
    if experiment is None and not records:
        if options.reference is not None:
            parser.error("name the network of A: --experiment FILE")
        return _raw(options)
    start(profile := load_profile(options.on))
    if experiment is None:
        experiment = experiment_of_run(*next(iter(records.items())), {})
    networks = [
        _of_run(side, records[side], profile) if side in records else _of_file(side, experiment)
        for side in sides
    ]
    return _compared(networks, options)


def _raw(options: argparse.Namespace) -> int:
    """Compare two files by their own names."""
    from dljax import weights
    from dljax.analysis.differences import of_arrays

    found = of_arrays(weights.read(options.a), weights.read(options.b))
    return _told(found, None, options, "--experiment FILE compares the layers too")


def _compared(networks: list[_Network], options: argparse.Namespace) -> int:
    from dljax import weights
    from dljax.analysis import differences
    from dljax.cli.modules import entries_of, of_phase
    from dljax.weights.mapping import some

    seen = weights.read(options.reference) if options.reference is not None else {}
    first = networks[0]
    of_weights = differences.of_arrays(*map(_arrays, networks)) if len(networks) > 1 else None
    batch = _input(first.phase, options, seen)
    a = _steps(first, batch)
    if a is None:
        if of_weights is None:
            raise UserError(
                "the experiment's network predicts nothing: its layers cannot be compared"
            )
        return _told(of_weights, None, options, "its task predicts nothing: no layers are compared")
    if of_weights is not None:
        b = _steps(networks[1], batch)
        if b is None:
            raise UserError("B predicts nothing, and A does: their layers cannot be compared")
        return _told(of_weights, differences.of_layers(a, b), options)
    try:
        names = differences.layer_names(entries_of(of_phase(first.phase)))
    except UserError:  # without a map its names must be ours
        names = {}
    known = differences.recorded(seen, names, a, options.layout == "channels-first")
    if not known:
        raise UserError(
            f"{options.reference} has no layer of this network: it has {some(seen)}, expected "
            f"{some(names.values() or a)}"
        )
    return _told(None, differences.of_layers(a, known), options, names=names)


def _told(
    of_weights: "list[Difference] | None",
    of_layers: "list[Difference] | None",
    options: argparse.Namespace,
    besides: str = "",
    names: Mapping[str, str] | None = None,
) -> int:
    """Print what was found, and return the exit status."""
    from dljax.analysis.differences import first

    where = first(of_layers or (), options.tolerance)
    apart = [one for one in of_weights or () if one.parts(0.0)]
    # Weights that differ by rounding have not parted; between layers the outputs decide.
    parted = where is not None or (
        of_layers is None and first(apart, options.tolerance) is not None
    )
    if options.json:
        found = {
            "weights": None if of_weights is None else [one._asdict() for one in of_weights],
            "layers": None if of_layers is None else [one._asdict() for one in of_layers],
            "first": where.name if where else None,
        }
        print(json.dumps(found, indent=1))
        return int(parted)
    if of_weights is not None:
        print(f"weights: {len(of_weights) - len(apart)} of {len(of_weights)} arrays are equal")
        for one in sorted(apart, key=lambda one: -partings.size(one))[:_SHOWN]:
            print(f"  {one.name}  {partings.shapes(one)}  {partings.figure(one.out)}")
        if len(apart) > _SHOWN:
            print(f"  ... {len(apart) - _SHOWN} more, that differ less")
    if of_layers is not None:
        print(partings.table(of_layers, options.tolerance, names or {}))
        print(partings.verdict(of_layers, apart, where, options.tolerance))
    if besides:
        print(besides)
    return int(parted)
