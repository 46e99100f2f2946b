"""``kpipe new``."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from kpipe.cli.command import Command
from kpipe.cli.messages import print_competition_notes, print_message
from kpipe.cli.options import DATA_OPTIONS, add_json_option, add_request_options, add_slug, request_from

if TYPE_CHECKING:
    from kpipe.problem.problem import Problem

__all__ = ["COMMAND"]


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_slug(parser)
    add_request_options(parser, DATA_OPTIONS)
    where = "write DIR/SLUG/competition.py; default: in the workspace's competitions/"
    parser.add_argument("--out", metavar="DIR", dest="folder", help=where)
    add_json_option(parser)


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
    remembered = remember_data(options.slug, options.data) if options.data else ""
    notes, following = tuple(_notes(problem, known)), _next_command(path, options)
    if options.json:
        from kpipe.cli.json_output import print_json

        all_notes = [*notes, *filter(None, [remembered])]
        print_json({"path": str(path), "guesses": dict(guesses), "notes": all_notes, "next": following})
        return 0
    print(path)
    for note in notes:
        print_message(f"Note: {note}")
    for name, reason in guesses.items():
        print_message(f"Guessed, please confirm: {name} ({reason}).")
    if remembered:
        print_message(remembered)
    print_message(f"Next: {following}")
    return 0


def _notes(problem: Problem, known: Path | None) -> Iterator[str]:
    if known is not None:
        yield (
            f"{known / 'competition.py'} is a module of {problem.slug} with features and models of its own, which the "
            "new one overrides. To start from it, copy its folder over the new one."
        )
    if problem.tables.source.origin == "sample":
        yield "Inferred from sample data. To use Kaggle's files, pass --data FOLDER_OR_ZIP."


def _next_command(path: Path, options: argparse.Namespace) -> str:
    from kpipe import competitions
    from kpipe.problem.remembered_data import is_remembered

    remembered = options.data is None or is_remembered(options.slug, options.data)
    home, data = path.parents[1], "" if remembered else f" --data {shlex.quote(options.data)}"
    where = "" if str(home) in competitions.__path__ else f"KPIPE_COMPETITIONS={shlex.quote(str(home))} "
    return f"{where}kpipe check {options.slug}{data}"


COMMAND = Command(
    description=(
        "Write a competition module inferred from the competition's files. The module runs as is; an existing module "
        "is never overwritten."
    ),
    examples=(
        ("kpipe new playground-series-s3e26 --data playground-series-s3e26.zip", "infer everything from the files"),
        ("kpipe new playground-series-s3e26 --metric log_loss", "specify the metric"),
    ),
    add_options=_add_options,
    execute=_execute,
)
