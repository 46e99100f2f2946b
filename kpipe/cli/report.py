"""``kpipe report``."""

from __future__ import annotations

import argparse
from pathlib import Path

from kpipe.cli.command import Command
from kpipe.cli.messages import print_message
from kpipe.cli.options import RUN_HELP, add_json_option, add_out_option, duration
from kpipe.errors import UsageError

__all__ = ["COMMAND"]

_BUDGET = 20.0  # seconds for refitting the models


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("run", metavar="RUN", nargs="?", help=f"{RUN_HELP}; default: a page of all runs")
    add("--data", metavar="PATH", help="a folder or zip of Kaggle's files; default: the files that the run read")
    to = "write the page to this file; default: report.html in the run's folder, or index.html in the runs folder"
    add("--to", metavar="FILE", type=Path, help=to)
    budget = "time for refitting models to measure feature importance; default: 20s"
    add("--budget", metavar="TIME", type=duration, default=_BUDGET, help=budget)
    add("--no-importance", dest="budget", action="store_const", const=0.0, help="do not measure feature importance")
    add_out_option(parser)
    add_json_option(parser)


def _execute(options: argparse.Namespace) -> int:
    """Write the report of a run, or the page of all runs, and print its path."""
    run_id, path, skipped = _write_index(options) if options.run is None else _write_report(options)
    if options.json:
        from kpipe.cli.json_output import print_json

        print_json({"run_id": run_id, "path": str(path), "skipped": skipped})
        return 0
    for reason in skipped:
        print_message(f"Skipped: {reason}")
    print(path)
    return 0


_Written = tuple[str | None, Path, list[str]]  # the run's id, the page, and why other runs are not on it


def _write_index(options: argparse.Namespace) -> _Written:
    from kpipe.report import write_index

    if options.data is not None:
        raise UsageError(
            "--data is for the report of one run: kpipe report RUN --data PATH.", code="conflicting-options"
        )
    return None, *write_index(options.out, options.to)


def _write_report(options: argparse.Namespace) -> _Written:
    from kpipe.report import write
    from kpipe.runs.find import find_run

    run = find_run(options.run, options.out)
    return str(run.record["run_id"]), write(run, options.to, data=options.data, budget=options.budget), []


COMMAND = Command(
    description=(
        "Write a report of a run as an HTML page, with scores, hardest rows, columns, feature importance and checks; "
        "without RUN, write a page of all runs to filter, sort and compare."
    ),
    examples=(
        ("kpipe report 20261121T092754Z-f40eed", "write report.html into the run's folder"),
        ("kpipe report", "write submissions/index.html, a page of all runs"),
    ),
    add_options=_add_options,
    execute=_execute,
)
