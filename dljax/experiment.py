"""An experiment: phases of training in a row, each with its data, evaluations, looks and start."""

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from dljax.data.fingerprint import fingerprint
from dljax.data.pipeline import EvalSet, Pipeline
from dljax.errors import UserError
from dljax.learner import Learner, Start, State
from dljax.types import Key, PyTree, Variables

if TYPE_CHECKING:
    from dljax.claims import Claim
    from dljax.code import Origin

# (variables in use, key) -> a picture, a text, or name -> number. A picture is float in 0..1 or uint8,
# [h, w] or [h, w, 3]; numbers are logged, may be expected and rank checkpoints.
Look = Callable[[Variables, Key], Any]
# Names that stand in metrics, expectations and files' names.
_NAME = re.compile(r"[\w.+-]{1,64}")
_LETTERS = "letters, digits and . + - _, 64 at most"


def go_on(before: State | None, fresh: State) -> State:
    """Start a phase: players that were trained before go on, new ones begin.

    The step goes on, the optimizers begin anew, and a moving average goes on from the last phase's,
    or else from its parameters.

    Raises:
        UserError: a player of the same name has other parameters.
    """
    if before is None:
        return fresh

    def known(old: Mapping[str, PyTree], new: Mapping[str, PyTree]) -> dict[str, PyTree]:
        return {name: old[name] if name in before.params else tree for name, tree in new.items()}

    for name in set(before.params) & set(fresh.params):
        _same(name, before.params[name], fresh.params[name])
    params = known(before.params, fresh.params)
    ema = None
    if fresh.ema is not None:
        # Two leaves of a state must not be one buffer: the step is given both to overwrite.
        ema = jax.tree.map(jnp.copy, known(before.ema or before.params, fresh.ema))
    extra = known(before.extra, fresh.extra)
    return fresh._replace(step=before.step, params=params, extra=extra, ema=ema)


@dataclass(frozen=True)
class Anew:
    """A start as ``go_on`` in which some variables are fresh: a new head on a trained trunk.

    They may have other shapes than before. They stay fresh as well where a run begins from another
    run or from a file of weights (``dljax train --init``).

    Attributes:
        paths: path of a variable below its player ("params/output/kernel", "batch_stats/bn1/mean")
            -> True where it is fresh.

    Raises:
        UserError: (the start) another variable is missing, unknown or of another shape.
    """

    paths: Callable[[str], bool]

    def __call__(self, before: State | None, fresh: State) -> State:
        if before is None:
            return fresh
        both = before.params.keys() & fresh.params.keys()
        for name in both:
            _same(name, before.params[name], fresh.params[name], self.paths)

        def mixed(old: PyTree, new: PyTree, within: str = "") -> PyTree:
            known = {within + _at(keys): x for keys, x in _leaves(old)}

            def one(keys: Any, leaf: Any) -> Any:
                path = within + _at(keys)
                return leaf if self.paths(path) else known.get(path, leaf)

            return jax.tree_util.tree_map_with_path(one, new)

        params, extra, ema = dict(before.params), dict(before.extra), dict(before.ema or {})
        for name in both:
            params[name] = mixed(params[name], fresh.params[name], "params/")
            if name in ema:
                ema[name] = mixed(ema[name], fresh.params[name], "params/")
            if name in extra and name in fresh.extra:
                extra[name] = mixed(extra[name], fresh.extra[name])
        return go_on(before._replace(params=params, extra=extra, ema=ema or None), fresh)


def _at(keys: Any) -> str:
    return jax.tree_util.keystr(keys, simple=True, separator="/")


def _leaves(tree: PyTree) -> list[tuple[Any, Any]]:
    return jax.tree_util.tree_leaves_with_path(tree)


def _same(
    player: str, old: PyTree, new: PyTree, but: Callable[[str], bool] = lambda path: False
) -> None:
    shapes = [{_at(keys): x.shape for keys, x in _leaves(tree)} for tree in (old, new)]
    for path in sorted({*shapes[0], *shapes[1]}):
        then, now = (shape.get(path, "absent") for shape in shapes)
        if then != now and not but(f"params/{path}"):
            raise UserError(
                f"player {player!r} cannot go on: {path} was {then} in the last phase and is {now} "
                "in this one; name the players apart, or say what begins fresh: start=Anew(paths)"
            )


@dataclass(frozen=True)
class Phase:
    """One stretch of training.

    Attributes:
        learner: the learner that is trained.
        data: its batches, counted from 0 in every phase.
        steps: updates, at least 1.
        evals: name -> EvalSet, measured as "name/metric".
        looks: name -> Look, drawn with every evaluation; its numbers are "name/number".
        every: steps of the phase between evaluations; 0 evaluates at the end only. There is always
            one at the end, and none within a tenth of ``every`` before it.
        start: makes the first state; by default ``go_on``.
        name: prefix of the metrics where there are several phases; by default the phase's number.

    Raises:
        UserError: an attribute of a wrong type, or a number out of range.
    """

    learner: Learner
    data: Pipeline
    steps: int
    evals: Mapping[str, EvalSet] = field(default_factory=dict)
    looks: Mapping[str, Look] = field(default_factory=dict)
    every: int = 0
    start: Start = go_on
    name: str = ""

    def __post_init__(self):
        def expect(holds: bool, name: str, what: str, found: Any) -> None:
            if not holds:
                raise UserError(f"Phase({name}=): expected {what}, found {found!r:.60}")

        def whole(number: Any) -> bool:
            return isinstance(number, int) and not isinstance(number, bool)

        learner = self.learner
        expect(isinstance(learner, Learner), "learner", "a Learner, as learn(task, tx)", learner)
        for part in ("init", "update", "evaluate", "chosen"):
            found = getattr(learner, part)
            expect(callable(found), "learner", f"a function for {part}", found)
        expect(isinstance(self.data, Pipeline), "data", "a Pipeline", self.data)
        expect(whole(self.steps) and self.steps > 0, "steps", "1 or more", self.steps)
        expect(whole(self.every) and self.every >= 0, "every", "0 or more steps", self.every)
        expect(callable(self.start), "start", "a function (before, fresh) -> State", self.start)
        for name, what, right in (
            ("evals", "EvalSets by name", lambda x: isinstance(x, EvalSet)),
            ("looks", "functions (variables, key) by name", callable),
        ):
            parts = getattr(self, name)
            expect(isinstance(parts, Mapping), name, what, parts)
            for key, part in parts.items():
                expect(isinstance(key, str) and right(part), name, what, {key: part})
                expect(bool(_NAME.fullmatch(key)), name, f"names of {_LETTERS}", key)
        named = isinstance(self.name, str) and (not self.name or _NAME.fullmatch(self.name))
        expect(bool(named), "name", _LETTERS, self.name)


class Experiment:
    """Phases in a row, each starting where the last one ended.

    Attributes:
        phases: at least one.
        seed: of the root key, 0 to 2**32 - 1; a tuple for as many models in one program
            (``many_seeds``), each with the key of a run of its seed alone.
        origin: its file and knobs where ``dljax.load`` made it, else None.
        claim: the row of the file's CLAIMS that it is held to, else None.
        apart: knobs that differ from the claim's; with any, no verdict is given.
    """

    origin: "Origin | None" = None
    claim: "Claim | None" = None
    apart: tuple[str, ...] = ()

    def __init__(self, *phases: Phase, seed: int | tuple[int, ...] = 0):
        """Put phases in a row.

        Raises:
            UserError: no phase, an argument that is none, two of one name, or no valid seed.
        """
        if not phases or not all(isinstance(phase, Phase) for phase in phases):
            raise UserError("an Experiment takes one Phase or more: Experiment(Phase(...), seed=0)")
        seeds = seed if isinstance(seed, tuple) and seed else (seed,)
        for one in seeds:
            if not isinstance(one, int) or isinstance(one, bool) or not 0 <= one < 2**32:
                raise UserError(f"seed {one!r}: expected a whole number from 0 to {2**32 - 1}")
        self.phases, self.seed = phases, seed
        prefixes = [self.prefix(i) for i in range(len(phases))]
        if len(set(prefixes)) < len(prefixes):
            raise UserError(f"two phases are called {max(prefixes, key=prefixes.count)[:-1]!r}")

    def of(
        self, origin: "Origin", claim: "Claim | None" = None, apart: tuple[str, ...] = ()
    ) -> "Experiment":
        """The same experiment, with its origin, its claim and the knobs that differ from it."""
        made = copy.copy(self)
        made.origin, made.claim, made.apart = origin, claim, apart
        return made

    @property
    def total_steps(self) -> int:
        """Steps of all phases together."""
        return sum(phase.steps for phase in self.phases)

    def fingerprints(self) -> dict[str, dict[str, Any]]:
        """Source -> fingerprint: of the training data ("data") and the eval sets of each phase."""
        out: dict[str, dict[str, Any]] = {}
        for i, phase in enumerate(self.phases):
            parts: dict[str, Any] = {"data": phase.data, **phase.evals}
            out |= {f"{self.prefix(i)}{n}": fingerprint(p.source) for n, p in parts.items()}
        return out

    def prefix(self, index: int) -> str:
        """The prefix of a phase's metrics, such as "0/"; "" where there is one phase."""
        return f"{self.phases[index].name or index}/" if len(self.phases) > 1 else ""

    def ranking(self, index: int) -> tuple[str, str] | None:
        """The metric, and ">=" or "<=", by which a phase's checkpoints are ranked; None without any.

        It is the metric of the claim's first expectation about the phase, but of the validation set
        instead of the test set, where there is one.
        """
        prefix = self.prefix(index)
        for expect in self.claim.expect if self.claim else ():
            if not expect.metric.startswith(prefix):
                continue
            name, _, what = expect.metric.removeprefix(prefix).partition("/")
            if name == "test" and "validation" in self.phases[index].evals:
                return f"{prefix}validation/{what}", expect.sign
            return expect.metric, expect.sign
        return None
