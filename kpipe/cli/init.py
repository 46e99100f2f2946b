"""``kpipe init``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from kpipe.cli.command import Command
from kpipe.cli.options import add_json_option

__all__ = ["COMMAND"]


def _add_options(parser: argparse.ArgumentParser) -> None:
    where = "the folder, created if it does not exist; default: the current folder"
    parser.add_argument("folder", metavar="DIR", type=Path, nargs="?", default=Path(), help=where)
    skill = "also write a skill for coding agents into .agents/skills/ and .claude/skills/ (kpipe skill prints it)"
    parser.add_argument("--skill", action="store_true", help=skill)
    add_json_option(parser)


def _execute(options: argparse.Namespace) -> int:
    """Create the workspace."""
    from kpipe.cli.skill import write_skill
    from kpipe.core import workspace

    written = workspace.create(options.folder)
    folder = options.folder.expanduser().resolve()
    skill = write_skill(folder) if options.skill else ()
    if options.json:
        from kpipe.cli.json_output import print_json

        files = {"written": list(map(str, written)), "skill": list(map(str, skill))}
        print_json({"folder": str(folder), "created": bool(written), **files})
    else:
        _print_workspace(folder, skill, created=bool(written))
    return 0


def _print_workspace(folder: Path, skill: Sequence[Path], *, created: bool) -> None:
    from kpipe.cli.console.layout import get_console, print_text
    from kpipe.errors import printable

    state = "is now a workspace" if created else "is already a workspace"
    looks = f"{folder} {state}: kpipe looks for competitions in {folder / 'competitions'} first."
    print_text(get_console(), printable(looks))
    for file in skill:
        print_text(get_console(), printable(f"Skill for coding agents: {file}"))
    if not skill:
        print("For coding agents: kpipe init --skill writes a skill into this folder.")
    print("Next: kpipe new SLUG --data SLUG.zip")


COMMAND = Command(
    description=(
        "Create a workspace for your own competition modules and settings. Inside it, modules in its competitions/ "
        "folder take precedence over kpipe's, and its kpipe.toml sets options of kpipe run for each competition."
    ),
    examples=(
        ("kpipe init", "in the current folder"),
        ("kpipe init --skill", "with a skill that tells coding agents how to use kpipe"),
        ("kpipe init ~/kaggle", "in another folder, created if it does not exist"),
    ),
    add_options=_add_options,
    execute=_execute,
)
