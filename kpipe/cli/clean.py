"""``kpipe clean``."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from kpipe.cli.command import Command
from kpipe.cli.options import add_json_option, add_out_option, integer
from kpipe.errors import printable

if TYPE_CHECKING:
    from kpipe.runs.prune import Removable

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
    add_json_option(parser)


def _execute(options: argparse.Namespace) -> int:
    """List the runs that can be deleted and, with ``--yes``, delete them."""
    from kpipe.cli.console.runs import print_removable
    from kpipe.cli.json_output import print_json
    from kpipe.runs import prune

    removable = prune.find_removable(options.out, options.slug or "*", keep=options.keep)
    if not options.json:
        print_removable(removable, removing=options.yes)
    left = prune.remove(removable) if options.yes else [folder.path for folder in removable]
    if options.json:
        print_json([_to_json(folder, deleted=folder.path not in left) for folder in removable])
    elif options.yes:
        for path in left:
            print(f"Kept {printable(str(path))}: it was resumed in the meantime.", file=sys.stderr)
    return 0


def _to_json(folder: Removable, *, deleted: bool) -> dict[str, Any]:
    return {"path": str(folder.path), "why": folder.why, "bytes": folder.size, "deleted": deleted}


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
