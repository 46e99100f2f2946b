"""``kpipe list``."""

from __future__ import annotations

import argparse

from kpipe.cli.messages import print_competition_notes
from kpipe.cli.options import add_json_option

__all__ = ["DESCRIPTION", "EXAMPLES", "add_options", "execute"]

DESCRIPTION = "List the competitions that have a module. kpipe works for any other competition too, without a module."
EXAMPLES = (
    ("kpipe list", "print their names"),
    ("kpipe list --json", "print their names and folders"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``kpipe list``.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        The parser of the command.
    """
    add_json_option(parser)


def execute(options: argparse.Namespace) -> int:
    """Print the slugs of the competitions, without importing their modules.

    Parameters
    ----------
    options : argparse.Namespace
        The parsed command line.

    Returns
    -------
    int
        The exit status: 0.
    """
    from kpipe import competitions

    slugs = competitions.slugs()
    print_competition_notes(slugs)
    if options.json:
        import json

        print(json.dumps([{"slug": slug, "path": str(competitions.folder(slug))} for slug in slugs], indent=2))
    else:
        print("\n".join(slugs))
    return 0
