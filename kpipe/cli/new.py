"""``kpipe new``."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kpipe.cli.command import Command
from kpipe.cli.messages import print_competition_notes, print_message
from kpipe.cli.options import DATA_OPTIONS, add_request_options, add_slug, request_from

if TYPE_CHECKING:
    from kpipe.problem.problem import Problem

__all__ = ["COMMAND"]


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_slug(parser)
    add_request_options(parser, DATA_OPTIONS)
    where = "write DIR/SLUG/competition.py; default: in the workspace's competitions/"
    parser.add_argument("--out", metavar="DIR", dest="folder", help=where)


def _execute(options: argparse.Namespace) -> int:
    """Write the module and print its path."""
    from kpipe import competitions, pipeline
    from kpipe.cli.console.progress import show_progress
    from kpipe.problem.competition import Competition
    from kpipe.problem.remembered_data import remember_data
    from kpipe.problem.template import module_path, write_module

    print_competition_notes([])
    path = module_path(options.slug, options.folder)
    bare, known = Competition(slug=options.slug), competitions.folder(options.slug)
    with show_progress(quiet=False) as progress:
        problem = pipeline.prepare(
            request_from(options), bare, on_download=progress.on_download, on_step=progress.on_step
        )
    guesses = write_module(problem, path)
    print(path)
    if known is not None:
        print_message(
            f"Note: {known / 'competition.py'} is a module of {options.slug} with features and models of its own, "
            "which the new one hides. To start from it, copy its folder over the new one."
        )
    if options.data and (remembered := remember_data(options.slug, options.data)):
        print_message(remembered)
    _print_next_steps(problem, path, guesses, options)
    return 0


def _print_next_steps(problem: Problem, path: Path, guesses: Mapping[str, str], options: argparse.Namespace) -> None:
    from kpipe import competitions
    from kpipe.problem.remembered_data import is_remembered

    for name, reason in guesses.items():
        print_message(f"Guessed, please confirm: {name} ({reason}).")
    if problem.tables.source.origin == "sample":
        print_message("Inferred from sample data, not from Kaggle's files: pass --data FOLDER_OR_ZIP for these.")
    remembered = options.data is None or is_remembered(options.slug, options.data)
    home, data = path.parents[1], "" if remembered else f" --data {shlex.quote(options.data)}"
    where = "" if str(home) in competitions.__path__ else f"KPIPE_COMPETITIONS={shlex.quote(str(home))} "
    print_message(f"Next: {where}kpipe check {options.slug}{data}")


COMMAND = Command(
    description=(
        "Write a competition module inferred from the competition's files. The module works as it is; an existing "
        "one is never overwritten."
    ),
    examples=(
        ("kpipe new playground-series-s3e26 --data playground-series-s3e26.zip", "infer everything from the files"),
        ("kpipe new playground-series-s3e26 --metric log_loss", "state what you know"),
    ),
    add_options=_add_options,
    execute=_execute,
)
