"""``kpipe blend``."""

from __future__ import annotations

import argparse
import sys

from kpipe.cli.options import add_out_option, add_output_options

__all__ = ["DESCRIPTION", "EXAMPLES", "add_options", "execute"]

DESCRIPTION = (
    "Combine the models of several runs into a new run, with weights fitted on their out-of-fold predictions. The "
    "runs must have the same folds."
)
EXAMPLES = (("kpipe blend 20261121T092754Z-f40eed 20261121T101502Z-1c9ab2", "combine two runs into a third"),)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``kpipe blend``.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        The parser of the command.
    """
    add = parser.add_argument
    add("runs", metavar="RUN", nargs="+", help="two or more runs: folders, ids, or beginnings or ends of ids")
    add(
        "--data",
        metavar="PATH",
        help="a folder or zip of Kaggle's files; default: those of the first run",
    )
    add_out_option(parser)
    add_output_options(parser)


def execute(options: argparse.Namespace) -> int:
    """Combine the runs and print the new one.

    Parameters
    ----------
    options : argparse.Namespace
        The parsed command line.

    Returns
    -------
    int
        The exit status: 1 if a check failed.
    """
    from kpipe.cli.console.run import print_run
    from kpipe.runs.blend import combine

    run = combine(options.runs, out=options.out, data=options.data, command=["kpipe", *sys.argv[1:]])
    return print_run(run, json=options.json, quiet=options.quiet)
