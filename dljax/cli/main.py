"""The command dljax: it runs a subcommand, and turns a UserError into one line."""

import io
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import NamedTuple

from dljax import __version__
from dljax.cli import (
    chatting,
    describe,
    doctor,
    embedding,
    evaluate,
    exporting,
    importing,
    inspecting,
    launch,
    listing,
    plan,
    predicting,
    pretrained,
    sample,
    sweep,
    train,
)
from dljax.cli.parsing import HelpShown
from dljax.errors import UserError, nearest
from dljax.runtime.files import FULL, disk_full
from dljax.runtime.launch import among_several, leave


class Command(NamedTuple):
    """A subcommand: its function (arguments -> exit status), and a line for the help."""

    run: Callable[[list[str]], int]
    summary: str


COMMANDS = {
    "train": Command(train.main, train.SUMMARY),
    "list": Command(listing.main, listing.SUMMARY),
    "describe": Command(describe.main, describe.SUMMARY),
    "plan": Command(plan.main, plan.SUMMARY),
    "eval": Command(evaluate.main, evaluate.SUMMARY),
    "predict": Command(predicting.main, predicting.SUMMARY),
    "inspect": Command(inspecting.main, inspecting.SUMMARY),
    "embed": Command(embedding.main, embedding.SUMMARY),
    "sample": Command(sample.main, sample.SUMMARY),
    "chat": Command(chatting.main, chatting.SUMMARY),
    "sweep": Command(sweep.main, sweep.SUMMARY),
    "import": Command(importing.main, importing.SUMMARY),
    "export": Command(exporting.main, exporting.SUMMARY),
    "weights": Command(pretrained.main, pretrained.SUMMARY),
    "doctor": Command(doctor.main, doctor.SUMMARY),
    "launch": Command(launch.main, launch.SUMMARY),
}

_HELP = """usage: dljax COMMAND ...

Train, measure and look at the architectures of a deep-learning course.

commands:
{commands}

Each has its own help: dljax train --help. A first run, 20 seconds on one core:

    dljax train experiments/convnets/lenet.py
"""


def _help() -> str:
    width = max(map(len, COMMANDS))
    return _HELP.format(
        commands="\n".join(f"    {name:{width}}  {c.summary}" for name, c in COMMANDS.items())
    )


def _streams() -> None:
    """Make printing safe: into closed streams, and of letters that the locale does not have."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        elif isinstance(getattr(sys, name), io.TextIOWrapper):
            getattr(sys, name).reconfigure(errors="backslashreplace")


def _to_nowhere() -> None:
    """Send stdout nowhere, so that Python's last flush succeeds."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(words: str) -> None:
    try:
        sys.stdout.flush()
    except OSError:
        _to_nowhere()
    print(f"dljax: {words}", file=sys.stderr, flush=True)


def _answer(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(_help(), end="")
        return 0
    if argv[0] in ("-V", "--version"):
        print(f"dljax {__version__}")
        return 0
    if argv[0] not in COMMANDS:
        raise UserError(f"no command {argv[0]!r}: {nearest(argv[0], COMMANDS)}")
    try:
        os.getcwd()
    except OSError:
        raise UserError("the working directory is gone: go to a folder that is there") from None
    return COMMANDS[argv[0]].run(argv[1:])


def main(argv: list[str] | None = None) -> int:
    """Run a command line and return its exit status: 2 for an error that the user can mend."""
    argv = sys.argv[1:] if argv is None else argv
    _streams()
    try:
        status = _answer(argv)
        sys.stdout.flush()
        return status
    except HelpShown:
        return 0
    except UserError as error:
        _say(str(error))
        if os.environ.get("DLJAX_TRACEBACK"):
            raise
        status = getattr(error, "status", 2)
        if status < 128:  # after a signal all processes end by themselves, in order
            leave(status)
        return status
    except KeyboardInterrupt:
        print("dljax: stopped", file=sys.stderr)
        return 128 + signal.SIGINT
    except BrokenPipeError:  # `dljax list | head`
        _to_nowhere()
        return 128 + signal.SIGPIPE
    except SystemExit as ended:
        _say(f"the experiment's code called sys.exit({ended.code!r}): the run ends here")
        leave(2)
        return 2
    except Exception as error:
        words = _mendable(error)
        if not words:
            if among_several():
                traceback.print_exc()
                leave(1)
            raise
        _say(words)
        if os.environ.get("DLJAX_TRACEBACK"):
            raise
        leave(2)
        return 2


def _mendable(error: Exception) -> str:
    """The line for an error of the machine, not of the code: disk or memory; "" for another."""
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    if isinstance(error, OSError) and error.errno in FULL:
        return disk_full()
    if isinstance(error, MemoryError) or first.startswith("RESOURCE_EXHAUSTED: Out of memory"):
        return f"out of memory ({first[:160]}): a smaller --batch, or microbatch in the profile, takes less"
    return ""


if __name__ == "__main__":
    sys.exit(main())
