"""``kpipe blend``."""

from __future__ import annotations

import argparse
import sys

from kpipe.cli.command import Command
from kpipe.cli.options import REQUEST_OPTIONS, add_out_option, add_output_options

__all__ = ["COMMAND"]


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("runs", metavar="RUN", nargs="+", help="two or more runs: folders, ids or parts of them, or names")
    add(
        "--data",
        metavar="PATH",
        help="a folder or zip of Kaggle's files; default: those of the first run",
    )
    for name in ("name", "note"):
        flag, settings = REQUEST_OPTIONS[name]
        add(flag, **settings)
    add_out_option(parser)
    add_output_options(parser)


def _execute(options: argparse.Namespace) -> int:
    """Combine the runs and print the new one."""
    from kpipe import pipeline
    from kpipe.cli.console.run import print_run

    command = ["kpipe", *sys.argv[1:]]
    labels = {"name": options.name, "note": options.note}
    run = pipeline.blend_runs(options.runs, out=options.out, data=options.data, command=command, **labels)
    return print_run(run, json=options.json, quiet=options.quiet)


COMMAND = Command(
    description=(
        "Combine the models of several runs into a new run, with weights fitted on their out-of-fold predictions. The "
        "runs must have the same folds."
    ),
    examples=(("kpipe blend 20261121T092754Z-f40eed 20261121T101502Z-1c9ab2", "combine two runs into a third"),),
    add_options=_add_options,
    execute=_execute,
)
