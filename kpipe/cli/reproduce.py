"""``kpipe reproduce``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kpipe.cli.command import Command
from kpipe.cli.options import RUN_HELP, add_json_option, add_out_option
from kpipe.errors import printable

if TYPE_CHECKING:
    from kpipe.runs.reproduce import Reproduction

__all__ = ["COMMAND"]

_INPUTS = ("data", "code", "versions", "options", "machine")  # first words of a difference between inputs


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", metavar="RUN", help=RUN_HELP)
    parser.add_argument("--data", metavar="PATH", help="where the files are now; default: where the run read them")
    add_out_option(parser)
    add_json_option(parser)


def _execute(options: argparse.Namespace) -> int:
    """Repeat a run and print whether the submissions are equal."""
    from kpipe import pipeline
    from kpipe.cli.console.progress import show_progress

    with show_progress(quiet=False) as progress:
        result = pipeline.reproduce(options.what, out=options.out, data=options.data, **progress.callbacks)
    if options.json:
        _print_json(result)
    else:
        from kpipe.cli.console.layout import get_console, print_text

        for line in _lines(result):
            print_text(get_console(), printable(line))
    return 0 if result.same else 1


def _print_json(result: Reproduction) -> None:
    from kpipe.cli.json_output import print_json

    first, second = (run.record["submission"]["sha256"] for run in (result.first, result.second))
    sums = {"sha256": first, "again": second, "differs": list(result.differs)}
    print_json({"run_id": result.first.record["run_id"], "same": result.same, **sums})


def _lines(result: Reproduction) -> Iterator[str]:
    run_id = result.first.record["run_id"]
    if result.same:
        yield f"Reproduced: repeating {run_id} gave the same submission, byte for byte."
    else:
        yield f"Not reproduced: repeating {run_id} gave a different submission. The new run: {result.second.path}"
        if not any(difference.startswith(_INPUTS) for difference in result.differs):
            yield "Data, code, versions, options and machine are the same: a model does not depend on its seed alone."
    for difference in result.differs:
        yield f"  {difference}"


COMMAND = Command(
    description=(
        "Repeat a finished run and compare the submissions. The exit status is 0 if they are equal byte for byte; "
        "otherwise it is 1, and kpipe prints what differs."
    ),
    examples=(("kpipe reproduce 20261121T092754Z-f40eed", "repeat a run and compare"),),
    add_options=_add_options,
    execute=_execute,
)
