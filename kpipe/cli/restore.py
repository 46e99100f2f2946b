"""``kpipe restore``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from kpipe.cli.command import Command
from kpipe.cli.options import RUN_HELP, add_json_option, add_out_option

__all__ = ["COMMAND"]


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("what", metavar="RUN", help=RUN_HELP)
    where = "the folder in which to write competitions/SLUG/; default: the workspace"
    add("--to", metavar="DIR", type=Path, help=where)
    add("--force", action="store_true", help="replace files that differ")
    add_out_option(parser)
    add_json_option(parser)


def _execute(options: argparse.Namespace) -> int:
    """Write the code of a run back, and print what was written."""
    from kpipe.runs.find import find_run
    from kpipe.runs.kept_code import is_own_code, restore_code

    run, target = find_run(options.what, options.out), options.to or _workspace()
    written = restore_code(run, target, force=options.force)
    if written and not is_own_code(run):
        print("You did not write this code on this machine. Read it first: kpipe run executes it.", file=sys.stderr)
    if options.json:
        from kpipe.cli.json_output import print_json

        print_json({"run_id": run.record["run_id"], "folder": str(target), "written": [str(path) for path in written]})
        return 0
    from kpipe.cli.console.layout import get_console, print_text
    from kpipe.errors import printable

    run_id, slug = run.record["run_id"], run.record["slug"]
    lines = [f"Restored {path}" for path in written] or [f"The code of {run_id} is already in place."]
    if options.to is None:
        lines += [f"To train with it: kpipe run {slug}"]
    for line in lines:
        print_text(get_console(), printable(line))
    return 0


def _workspace() -> Path:
    """The workspace of the current folder. Raises UsageError if there is none that this user trusts."""
    from kpipe.core import workspace
    from kpipe.errors import UsageError

    found = workspace.find_trusted()
    if found is None:
        raise UsageError(
            "The current folder is not in a workspace: create one with kpipe init, or pass another folder with --to "
            "DIR.",
            code="no-workspace",
        )
    return found


COMMAND = Command(
    description=(
        "Restore the competition module that a run used, and your own modules that it imports, to the workspace. Files "
        "that differ are replaced only with --force."
    ),
    examples=(
        ("kpipe restore best", "go back to the module of the best run"),
        ("kpipe restore 20261121T092754Z-f40eed --to old", "write it to another folder"),
    ),
    add_options=_add_options,
    execute=_execute,
)
