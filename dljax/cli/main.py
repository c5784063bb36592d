"""The command ``dljax``: picks the subcommand, and turns a UserError into one line."""

import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import NamedTuple

from dljax import __version__
from dljax.cli import describe, doctor, evaluate, launch, listing, plan, sample, sweep, train
from dljax.errors import UserError, nearest
from dljax.runtime.launch import among_several, leave


class Command(NamedTuple):
    run: Callable[[list[str]], int]
    summary: str


COMMANDS = {
    "train": Command(train.main, train.SUMMARY),
    "list": Command(listing.main, listing.SUMMARY),
    "describe": Command(describe.main, describe.SUMMARY),
    "plan": Command(plan.main, plan.SUMMARY),
    "eval": Command(evaluate.main, evaluate.SUMMARY),
    "sample": Command(sample.main, sample.SUMMARY),
    "sweep": Command(sweep.main, sweep.SUMMARY),
    "doctor": Command(doctor.main, doctor.SUMMARY),
    "launch": Command(launch.main, launch.SUMMARY),
}

_HELP = """usage: dljax COMMAND ...

Train, measure and look at the architectures of a deep-learning course.

commands:
{commands}

Each has its own help: dljax train --help. A first run, 20 seconds on one core:

    dljax train experiments/convnets/lenet_digits.py
"""


def _help() -> str:
    width = max(map(len, COMMANDS))
    return _HELP.format(
        commands="\n".join(f"    {name:{width}}  {c.summary}" for name, c in COMMANDS.items())
    )


def main(argv: list[str] | None = None) -> int:
    """Run the command line; the exit status: 2 for what the user can mend, in one line."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        if not argv or argv[0] in ("-h", "--help", "help"):
            print(_help(), end="")
            return 0
        if argv[0] in ("-V", "--version"):
            print(f"dljax {__version__}")
            return 0
        if argv[0] not in COMMANDS:
            raise UserError(f"no command {argv[0]!r}: {nearest(argv[0], COMMANDS)}")
        return COMMANDS[argv[0]].run(argv[1:])
    except UserError as error:
        sys.stdout.flush()
        print(f"dljax: {error}", file=sys.stderr, flush=True)
        if os.environ.get("DLJAX_TRACEBACK"):
            raise
        status = getattr(error, "status", 2)
        if status < 128:  # else all processes end together, in good order
            leave(status)
        return status
    except KeyboardInterrupt:
        print("dljax: stopped", file=sys.stderr)
        return 128 + signal.SIGINT
    except BrokenPipeError:  # `dljax list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        print(
            "dljax: the disk is full: free some space and run the same command again, it goes on "
            "from the last whole checkpoint",
            file=sys.stderr,
            flush=True,
        )
        leave(2)
        return 2
    except Exception:
        if among_several():
            traceback.print_exc()
            leave(1)
        raise
    except SystemExit as done:  # argparse, after --help
        return int(done.code or 0)


if __name__ == "__main__":
    sys.exit(main())
