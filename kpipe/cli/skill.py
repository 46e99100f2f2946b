"""``kpipe skill``: how a coding agent uses kpipe, as a file in the form that agents read.

References
----------
https://agentskills.io/specification: the form of SKILL.md. huggingface_hub's ``hf skills add`` writes to the same two
folders: most agents read ``.agents/skills``, Claude Code reads ``.claude/skills``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from kpipe.cli.command import Command

__all__ = ["COMMAND", "skill_text", "write_skill"]

_FOLDERS = (".agents/skills/kpipe", ".claude/skills/kpipe")


def _add_options(parser: argparse.ArgumentParser) -> None:
    """Add no option."""


def _execute(options: argparse.Namespace) -> int:
    """Print the skill."""
    print(skill_text(), end="")
    return 0


def skill_text() -> str:
    """The content of SKILL.md.

    Returns
    -------
    str
    """
    return Path(__file__).with_name("SKILL.md").read_text(encoding="utf-8")


def write_skill(folder: Path) -> tuple[Path, ...]:
    """Write the skill into a folder, where coding agents that work there find it; that of an earlier kpipe is replaced.

    Parameters
    ----------
    folder : Path
        A workspace.

    Returns
    -------
    tuple of Path
        The files.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    from kpipe.errors import OutputError

    files = tuple(folder / name / "SKILL.md" for name in _FOLDERS)
    for file in files:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(skill_text(), encoding="utf-8")
        except OSError as error:
            raise OutputError(
                f"{file} cannot be written: {error.strerror}. Choose another folder.", code="cannot-write"
            ) from error
    return files


COMMAND = Command(
    description=(
        "Print a short skill (SKILL.md) for coding agents: when to use kpipe, the loop of runs, and what to avoid. "
        "kpipe init --skill writes it into a workspace."
    ),
    examples=(
        ("kpipe skill", "read it"),
        ("kpipe init --skill", "write it into this folder, where agents find it"),
    ),
    add_options=_add_options,
    execute=_execute,
    is_listing=True,
)
