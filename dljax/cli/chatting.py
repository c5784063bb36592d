"""The command dljax chat: a conversation with the language model of a run."""

import sys
from pathlib import Path

from dljax.cli.parsing import Parser, take_target
from dljax.cli.runs import (
    add_now,
    add_which,
    open_run,
    opened_elsewhere,
    read_record,
)
from dljax.cli.texts import add_options, given, texts
from dljax.errors import UserError

SUMMARY = "talk with the language model of a run, line by line"

_DESCRIPTION = """Write a text in turn with the language model of a run: each line of the input is put at its
end, and the model goes on with it. The whole text so far is the model's context, as far as it fits.
The end of the input (Ctrl-D) ends it; the answers are all that is printed where the input is no terminal."""

_EXAMPLES = r"""
dljax chat runs/gpt-1a2b3c4d --temperature 0.7 --top-p 0.9
dljax chat runs/gpt-1a2b3c4d --until "." --length 100
echo "The for statement" | dljax chat runs/gpt-1a2b3c4d
"""


def main(argv: list[str]) -> int:
    """Run ``dljax chat`` and return its exit status."""
    parser = Parser("chat", _DESCRIPTION, _EXAMPLES)
    add_options(parser, "temperature", "top_k", "top_p", "length")
    parser.add_argument(
        "--until",
        default=r"\n\n",
        metavar="TEXT",
        help=r"where an answer ends (default: an empty line, \n\n); '' for none",
    )
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn (default: 1)")
    parser.add_argument("--on", metavar="PROFILE", help="where it runs")
    add_which(parser)
    add_now(parser)
    target = take_target(parser, argv, "run")
    options, path = parser.parse_args(target.rest), Path(target.word)
    record, changes = read_record(path), {"length": 300, **given(options)}
    status = opened_elsewhere("chat", argv, path, record, options.now)
    if status is not None:
        return status
    opened = open_run(path, record, options)
    import jax

    from dljax.analysis.chat import Conversation

    look = next(iter(texts(path, opened.phase.looks, changes).values()))
    params = opened.executor.learner.chosen(opened.state).params["model"]
    until = options.until.replace(r"\n", "\n")
    talk = Conversation(look, params, jax.random.key(options.seed), until)
    terminal = sys.stdin.isatty()
    while True:
        if terminal:
            print("> ", end="", flush=True)
        line = sys.stdin.readline()
        if not line:
            if terminal:
                print()
            return 0
        try:
            answer = talk.say(line.rstrip("\n"))
        except UserError as error:
            print(f"dljax: {error}", file=sys.stderr, flush=True)
            continue
        for piece in answer:
            print(piece, end="", flush=True)
        print(flush=True)
