"""``kpipe clean``."""

from __future__ import annotations

import argparse
import sys

from kpipe.cli.command import Command
from kpipe.cli.options import add_out_option, integer
from kpipe.errors import printable

__all__ = ["COMMAND"]


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("slug", metavar="SLUG", nargs="?", help="delete only runs of this competition")
    add(
        "--keep",
        metavar="N",
        type=integer(0),
        help="also delete finished runs, except the N best on the same files by each metric",
    )
    add("--yes", action="store_true", help="delete the runs; without it they are only listed")
    add_out_option(parser)


def _execute(options: argparse.Namespace) -> int:
    """List the runs that can be deleted and, with ``--yes``, delete them."""
    from kpipe.cli.console.runs import print_removable
    from kpipe.runs import prune

    removable = prune.find_removable(options.out, options.slug or "*", keep=options.keep)
    print_removable(removable, removing=options.yes)
    if options.yes:
        for path in prune.remove(removable):
            print(f"Kept {printable(str(path))}: it was resumed in the meantime.", file=sys.stderr)
    return 0


COMMAND = Command(
    description=(
        "Delete runs to free disk space: unfinished runs and, with --keep, all but the best finished ones. Without "
        "--yes it only lists them. Submitted runs and the latest run of a competition are never deleted."
    ),
    examples=(
        ("kpipe clean", "list what would be deleted"),
        ("kpipe clean titanic --keep 5 --yes", "delete all but the five best runs of titanic"),
    ),
    add_options=_add_options,
    execute=_execute,
)
