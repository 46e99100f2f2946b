"""``init``, ``new`` and ``completion``: before the first run."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from kpipe.cli.help import say
from kpipe.cli.options import FIELDS, data_options

if TYPE_CHECKING:
    from kpipe.problem.template import New

__all__ = ["completion", "completion_options", "init", "init_options", "new", "new_options", "whose"]

_SHELLS = ("bash", "zsh", "fish")


def init_options(command: argparse.ArgumentParser) -> None:
    """The options of ``init``."""
    command.add_argument(
        "folder",
        metavar="DIR",
        type=Path,
        nargs="?",
        default=Path(),
        help="made if absent; default: the current folder",
    )


def init(options: argparse.Namespace) -> int:
    """Make a folder a workspace: its competitions go before kpipe's own, there and in all folders below it."""
    from kpipe.core import workspace

    made = workspace.make(options.folder)
    folder = options.folder.expanduser().resolve()
    print(f"{folder} is {'now a' if made else 'your'} workspace: kpipe looks into {folder / 'competitions'} first.")
    print("Next: kpipe new SLUG --data SLUG.zip")
    return 0


def new_options(command: argparse.ArgumentParser) -> None:
    """The options of ``new``."""
    data_options(command)
    command.add_argument(
        "--out", metavar="DIR", help="write DIR/SLUG/competition.py; default: the workspace's competitions/"
    )


def new(options: argparse.Namespace) -> int:
    """Write a module for a competition, from what its files tell: it runs at once, and is never overwritten."""
    from kpipe.cli.console import display
    from kpipe.problem import template as starting

    with display.progress(quiet=False) as progress:
        given = {name: getattr(options, name) for name in ("data", "out", *FIELDS)}
        made = starting.new(options.slug, downloading=progress.downloading, **given)
    print(made.path)
    _tell_next(made, options)
    return 0


def _tell_next(made: New, options: argparse.Namespace) -> None:
    from kpipe import competitions

    for name, why in made.guesses.items():
        say(f"A guess that is left to be stated: {name} ({why}).")
    if made.tables.source.origin == "sample":
        say("It was inferred from sample data, not Kaggle's: pass --data FOLDER_OR_ZIP for the real files.")
    home, data = made.path.parents[1], f" --data {shlex.quote(options.data)}" if options.data else ""
    where = "" if str(home) in competitions.__path__ else f"KPIPE_COMPETITIONS={shlex.quote(str(home))} "
    say(f"Next: {where}kpipe check {options.slug}{data}")


def whose(options: argparse.Namespace) -> Iterator[str]:
    """Which competitions are not kpipe's own although it has one of that name; and what is not taken. For stderr."""
    if getattr(options, "quiet", False):
        return
    from kpipe import competitions

    yield from competitions.unused()
    slugs = competitions.slugs() if options.command == "list" else [options.slug or ""]
    for slug in slugs:
        folders = competitions.folders(slug)
        if len(folders) > 1:
            yield f"{slug} is taken from {folders[0]}, which goes before {', '.join(map(str, folders[1:]))}."


def completion_options(command: argparse.ArgumentParser) -> None:
    """The options of ``completion``."""
    command.add_argument("shell", choices=_SHELLS, help="the shell that is to complete kpipe's commands")


def completion(options: argparse.Namespace) -> int:
    """Print what makes a shell complete commands, options, competitions, models and runs: eval it, or source it."""
    from argcomplete.shell_integration import shellcode

    print(shellcode(["kpipe"], shell=options.shell), end="")
    return 0
