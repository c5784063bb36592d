"""The command dljax weights: pretrained weights by name, and two networks' weights compared."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from dljax.cli import diffing
from dljax.cli.parsing import Parser
from dljax.errors import UserError, nearest

SUMMARY = "fetch pretrained weights by name, or find the layer where two networks part"

_HELP = """usage: dljax weights get|list|diff ...

Pretrained weights of other libraries, and networks compared with each other.

    get   fetch a file of weights by its name, and print where it is
    list  the names, and the models they are of
    diff  the first layer where two networks part

examples:
    dljax weights list
    dljax weights get mobilenet_v2
    dljax weights diff A.npz B.npz --experiment experiments/convnets/lenet.py
    dljax weights diff --help
"""

_GET = """Fetch a file of pretrained weights and print its path. NAME is one of `dljax weights list`, a file on
the Hugging Face Hub (hf:OWNER/REPOSITORY/FILE, a revision behind an @), or an https address.

The file is put into the user's cache and checked against the digest that its publisher gives: the whole
SHA-256, its first eight digits where torchvision and timm have no more, or Keras' MD5. On the hub that is
the SHA-256 of its answer. Of another address --sha256 gives it; without that the file's SHA-256 is shown.
A transfer that was cut off goes on where it ended."""

_GET_EXAMPLES = """
dljax weights get mobilenet_v2
dljax weights get hf:timm/resnet18.a1_in1k/model.safetensors --out resnet18.safetensors
dljax import experiments/convnets/mobilenet_v2.py $(dljax weights get -q mobilenet_v2) --claim imagenet --fake
"""

_LIST = """The names of `dljax weights get`, the models they are of (`dljax list` has those), and their publishers'
notes; here marks a file that has been fetched."""

_LIST_EXAMPLES = """
dljax weights list
dljax weights list --json
"""


class _Bar:
    """A bar on stderr while a file is fetched, where that is a terminal."""

    def __init__(self, name: str, quiet: bool):
        self.name = name
        self.shown = not quiet and sys.stderr.isatty()
        self.bar: Any = None
        self.task: Any = None

    def __call__(self, at: int, total: int | None) -> None:
        if not self.shown:
            return
        if self.bar is None:
            self.bar = self._begun()
        if self.task is None:
            self.task = self.bar.add_task(self.name, total=total, completed=at)
        self.bar.update(self.task, completed=at, total=total)

    def _begun(self) -> Any:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
        more = (TransferSpeedColumn(), TimeRemainingColumn())
        bar = Progress(*columns, *more, console=Console(stderr=True))
        bar.start()
        return bar

    def close(self) -> None:
        """End the bar."""
        if self.bar is not None:
            self.bar.stop()


def _get(argv: list[str]) -> int:
    parser = Parser("weights get", _GET, _GET_EXAMPLES)
    parser.add_argument(
        "name", metavar="NAME", help="a name of `dljax weights list`, hf:..., https://..."
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write this file, not one in the cache"
    )
    parser.add_argument(
        "--sha256", default="", metavar="DIGITS", help="that it must have, 8 or more"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="print the path alone")
    options = parser.parse_args(argv)
    from dljax.runtime import hub
    from dljax.runtime.download import digits_of

    bar = _Bar(options.name, options.quiet)
    if not bar.shown:  # huggingface_hub's own
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    try:
        path = hub.get(options.name, options.out, options.sha256, bar)
    finally:
        bar.close()
    if options.name.startswith("http") and not options.sha256 and not options.quiet:
        print(
            f"nobody's digest was compared with it: it has sha256 {digits_of(path)}",
            file=sys.stderr,
        )
    print(path)
    return 0


def _list(argv: list[str]) -> int:
    parser = Parser("weights list", _LIST, _LIST_EXAMPLES)
    parser.add_argument("--json", action="store_true", help="as JSON, with addresses and digests")
    options = parser.parse_args(argv)
    from dljax.runtime import hub

    table = [(row, row.path) for row in hub.rows().values()]
    if options.json:
        listed = [
            {
                "name": row.name,
                "model": row.model,
                "url": row.url,
                row.digest.kind: row.digest.digits,
                "note": row.note,
                "path": str(path) if path.is_file() else None,
            }
            for row, path in table
        ]
        print(json.dumps(listed, indent=1, ensure_ascii=False))
        return 0
    cells = [("name", "model", "", "")]
    cells += [(row.name, row.model, "here" * path.is_file(), row.note) for row, path in table]
    widths = [max(len(cell[i]) for cell in cells) for i in range(3)]
    for cell in cells:
        left = "  ".join(f"{c:{w}}" for c, w in zip(cell, widths, strict=False))
        print(f"{left}  {cell[3]}".rstrip())
    return 0


_COMMANDS = {"get": _get, "list": _list, "diff": diffing.main}


def main(argv: list[str]) -> int:
    """Run ``dljax weights`` and return its exit status."""
    if not argv or argv[0] in ("-h", "--help"):
        print(_HELP, end="")
        return 0
    if argv[0] not in _COMMANDS:
        raise UserError(f"no command weights {argv[0]!r}: {nearest(argv[0], _COMMANDS)}")
    return _COMMANDS[argv[0]](argv[1:])
