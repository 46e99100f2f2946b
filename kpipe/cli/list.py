"""``kpipe list``."""

from __future__ import annotations

import argparse

from kpipe.cli.command import Command
from kpipe.cli.messages import print_competition_notes
from kpipe.cli.options import add_json_option

__all__ = ["COMMAND"]


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_json_option(parser)


def _execute(options: argparse.Namespace) -> int:
    """Print the slugs of the competitions, without importing their modules."""
    from kpipe import competitions

    slugs = competitions.slugs()
    print_competition_notes(slugs)
    if options.json:
        from kpipe.cli.json_output import print_json

        print_json([{"slug": slug, "path": str(competitions.folder(slug))} for slug in slugs])
    else:
        print("\n".join(slugs))
    return 0


COMMAND = Command(
    description="List the competitions that have a module. kpipe works for any other competition too.",
    examples=(
        ("kpipe list", "print their names"),
        ("kpipe list --json", "print their names and folders"),
    ),
    add_options=_add_options,
    execute=_execute,
    is_listing=True,
)
