"""``kpipe report``."""

from __future__ import annotations

import argparse
from pathlib import Path

from kpipe.cli.command import Command
from kpipe.cli.options import RUN_HELP, add_out_option, duration

__all__ = ["COMMAND"]

_BUDGET = 20.0  # seconds for refitting a model


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("run", metavar="RUN", help=RUN_HELP)
    add("--data", metavar="PATH", help="a folder or zip of Kaggle's files; default: the files that the run read")
    add("--to", metavar="FILE", type=Path, help="write the page to this file; default: report.html in the run's folder")
    budget = "time for refitting a model to measure feature importance; default: 20s"
    add("--budget", metavar="TIME", type=duration, default=_BUDGET, help=budget)
    add("--no-importance", dest="budget", action="store_const", const=0.0, help="do not measure feature importance")
    add_out_option(parser)


def _execute(options: argparse.Namespace) -> int:
    """Write the report and print its path."""
    from kpipe import report
    from kpipe.runs.find import find_run

    run = find_run(options.run, options.out)
    print(report.write(run, options.to, data=options.data, budget=options.budget))
    return 0


COMMAND = Command(
    description=(
        "Write a report of a run as an HTML page, with scores, hardest rows, columns, feature importance and checks."
    ),
    examples=(("kpipe report 20261121T092754Z-f40eed", "write report.html into the run's folder"),),
    add_options=_add_options,
    execute=_execute,
)
