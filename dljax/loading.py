"""An experiment file's text made an Experiment, which remembers where it came from."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from dljax.beside import Modules, read_source, run_text
from dljax.errors import UserError
from dljax.experiment import Experiment

if TYPE_CHECKING:
    from dljax.knobs import Knobs


class Origin(NamedTuple):
    """What an experiment means, as text: a run's folder is known by it.

    Attributes:
        name: of the file, without its suffix.
        text: the file's.
        knobs: every one with its value.
        modules: those beside it; None for an experiment of no file.
    """

    name: str = "experiment"
    text: str = ""
    knobs: Mapping[str, Any] = MappingProxyType({})
    modules: Modules | None = None

    @property
    def folder(self) -> str:
        """That the file lies in; "" for none."""
        return str(self.modules.folder) if self.modules else ""

    @property
    def beside(self) -> Mapping[str, str]:
        """Path in the folder -> text, of the modules there that the file imports."""
        return self.modules.texts if self.modules else {}

    @classmethod
    def of_file(cls, path: Path, knobs: Mapping[str, Any]) -> "Origin":
        """That of a file with these knobs; nothing is run."""
        text = read_source(path)
        return cls(path.stem, text, knobs, Modules.of(text, path.resolve().parent))


def load(path: str | Path) -> Callable[..., Experiment]:
    """The experiment function of a file: call it with knobs to get an Experiment.

    The file's own folder is importable while it runs, so a model file may lie beside it.

    Example:
        >>> import dljax  # doctest: +SKIP
        >>> experiment = dljax.load("experiments/convnets/lenet_digits.py")(epochs=2)
        >>> dljax.run(experiment, dljax.profile("cpu"))

    Raises:
        UserError: the file is missing or defines no function ``experiment``.
    """
    from dljax.knobs import read_knobs

    path = Path(path).absolute()
    knobs = read_knobs(path)
    return _builder(path, knobs, Modules.of(knobs.text, path.resolve().parent), path)


def load_copy(copy: str | Path, file: Path) -> Callable[..., Experiment]:
    """The same of a run's copy: ``experiment.py``, and ``beside``, a folder of the modules beside it.

    Args:
        file: what it is a copy of, which need not be there any more; whatever else the code opens or
            imports is looked for beside it.
    """
    from dljax.knobs import read_knobs

    copy = Path(copy).absolute()
    beside = copy.parent / "beside"
    found = {at.relative_to(beside).as_posix(): read_source(at) for at in beside.rglob("*.py")}
    modules = Modules.known(found, file.parent, beside)
    return _builder(file, read_knobs(copy), modules, copy)


def _builder(
    file: Path, knobs: "Knobs", modules: Modules, shown: Path
) -> Callable[..., Experiment]:
    with modules:
        module = run_text(f"dljax_experiment_{file.stem}", file, knobs.text, shown)

    def build(*, claim: str | None = None, **given: Any) -> Experiment:
        resolved = knobs.resolve(given, claim)
        with modules:
            built = module.experiment(**resolved)
        if not isinstance(built, Experiment):
            raise UserError(
                f"{shown}: experiment() returned {type(built).__name__}, expected an Experiment"
            )
        row = knobs.claimed(resolved, claim) or knobs.claim(claim)
        origin = Origin(file.stem, knobs.text, resolved, modules)
        return built.of(origin, row, knobs.apart(resolved, row))

    return build
