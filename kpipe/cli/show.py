"""``kpipe show``."""

from __future__ import annotations

import argparse

from kpipe.cli.command import Command
from kpipe.cli.messages import print_competition_notes
from kpipe.cli.options import DATA_OPTIONS, add_json_option, add_request_options, add_slug, request_from

__all__ = ["COMMAND"]


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_slug(parser)
    add_request_options(parser, DATA_OPTIONS)
    add_json_option(parser)


def _execute(options: argparse.Namespace) -> int:
    """Print the fields of a competition."""
    from kpipe import pipeline
    from kpipe.cli.console.competition import describe, print_competition
    from kpipe.cli.console.progress import show_progress

    print_competition_notes([options.slug], options.data)
    request = request_from(options)
    with show_progress(quiet=False) as progress:
        problem = pipeline.prepare(request, on_download=progress.on_download, on_step=progress.on_step)
    if options.json:
        from kpipe.cli.json_output import print_json

        print_json(describe(problem, request))
    else:
        print_competition(problem, request)
    return 0


COMMAND = Command(
    description="Show what a run would do, and why: each field of the competition, its value and where it comes from.",
    examples=(
        ("kpipe show titanic", "on the embedded sample"),
        ("kpipe show playground-series-s3e26 --data playground-series-s3e26.zip", "what kpipe infers from the files"),
        ("kpipe show titanic --split Pclass --drop Cabin", "the effect of other options"),
    ),
    add_options=_add_options,
    execute=_execute,
    is_listing=True,
)
