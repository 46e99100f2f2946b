"""``kpipe report``."""

from __future__ import annotations

import argparse
from pathlib import Path

from kpipe.cli.command import Command
from kpipe.cli.messages import print_message
from kpipe.cli.options import RUN_HELP, add_out_option, duration
from kpipe.errors import UsageError

__all__ = ["COMMAND"]

_BUDGET = 20.0  # seconds for refitting a model


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("run", metavar="RUN", nargs="?", help=f"{RUN_HELP}; default: a page of all runs")
    add("--data", metavar="PATH", help="a folder or zip of Kaggle's files; default: the files that the run read")
    to = "write the page to this file; default: report.html in the run's folder, or index.html in that of all runs"
    add("--to", metavar="FILE", type=Path, help=to)
    budget = "time for refitting a model to measure feature importance; default: 20s"
    add("--budget", metavar="TIME", type=duration, default=_BUDGET, help=budget)
    add("--no-importance", dest="budget", action="store_const", const=0.0, help="do not measure feature importance")
    add_out_option(parser)


def _execute(options: argparse.Namespace) -> int:
    """Write the report of a run, or the page of all runs, and print its path."""
    from kpipe.report import write, write_index
    from kpipe.runs.find import find_run

    if options.run is None:
        if options.data is not None:
            raise UsageError(
                "--data is for the report of one run: kpipe report RUN --data PATH.", code="conflicting-options"
            )
        path, skipped = write_index(options.out, options.to)
        for reason in skipped:
            print_message(f"Skipped: {reason}")
        print(path)
        return 0
    run = find_run(options.run, options.out)
    print(write(run, options.to, data=options.data, budget=options.budget))
    return 0


COMMAND = Command(
    description=(
        "Write a report of a run as an HTML page, with scores, hardest rows, columns, feature importance and checks; "
        "without RUN, a page of all runs to filter, sort and compare."
    ),
    examples=(
        ("kpipe report 20261121T092754Z-f40eed", "write report.html into the run's folder"),
        ("kpipe report", "write submissions/index.html, a page of all runs"),
    ),
    add_options=_add_options,
    execute=_execute,
)
