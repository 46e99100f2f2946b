"""A run given where a competition belongs: say so, and name the commands that were probably meant."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

from kpipe.errors import UsageError

__all__ = ["refuse_run_as_slug"]

_RUN = re.compile(r"(?:.*[/\\])?(\d{8}T\d{6}Z-[0-9a-f]+)[/\\]?")


def refuse_run_as_slug(options: argparse.Namespace) -> None:
    """Raise an error if a run was given where the command takes a competition.

    Parameters
    ----------
    options : argparse.Namespace
        The parsed command line.

    Raises
    ------
    UsageError
        Its message names the competition of the run, if the run is found, and commands for both.
    """
    given = getattr(options, "slug", None)
    found = _RUN.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        return
    assert isinstance(given, str)  # else nothing was found
    slug, command = _slug_of_run(found[1], given, options), options.command
    of_slug, run = f"kpipe {command} {slug or 'SLUG'}", shlex.quote(given.rstrip("/\\"))
    of_run = f"kpipe {'reproduce' if command == 'run' else 'report'} {run}"
    told = "repeats the run" if command == "run" else "shows the run's scores and checks"
    error = UsageError(
        f"{given} is a run{f' of {slug}' if slug else ''}, and kpipe {command} takes a competition: {of_slug}. "
        f"`{of_run}` {told}.",
        code="invalid-slug",
    )
    error.next = (*([of_slug] if slug else []), of_run)
    raise error


def _slug_of_run(run_id: str, given: str, options: argparse.Namespace) -> str | None:
    """The competition of a run, by the folder that it is in; None if there is no such run."""
    out = getattr(options, "out", None) or Path("submissions")
    folders = [Path(given), *Path(out).glob(f"*/{run_id}")]
    return next((folder.resolve().parent.name for folder in folders if (folder / "run.json").is_file()), None)
