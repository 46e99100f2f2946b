"""``kpipe init``."""

from __future__ import annotations

import argparse
from pathlib import Path

__all__ = ["DESCRIPTION", "EXAMPLES", "add_options", "execute"]

DESCRIPTION = (
    "Create a workspace for your own competition modules. Inside it, modules in its competitions/ folder take "
    "precedence over kpipe's."
)
EXAMPLES = (
    ("kpipe init", "in the current folder"),
    ("kpipe init ~/kaggle", "in another folder, created if it does not exist"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``kpipe init``.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        The parser of the command.
    """
    where = "the folder, created if it does not exist; default: the current folder"
    parser.add_argument("folder", metavar="DIR", type=Path, nargs="?", default=Path(), help=where)


def execute(options: argparse.Namespace) -> int:
    """Create the workspace.

    Parameters
    ----------
    options : argparse.Namespace
        The parsed command line.

    Returns
    -------
    int
        The exit status: 0.
    """
    from kpipe.core import workspace

    created = workspace.make(options.folder)
    folder = options.folder.expanduser().resolve()
    state = "is now a workspace" if created else "is already a workspace"
    print(f"{folder} {state}: kpipe looks for competitions in {folder / 'competitions'} first.")
    print("Next: kpipe new SLUG --data SLUG.zip")
    return 0
