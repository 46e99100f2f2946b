"""A run or files given where a competition belongs: say so, and name the command that was probably meant."""

from __future__ import annotations

import argparse
import os
import re
import shlex
from pathlib import Path

from kpipe.errors import UsageError

__all__ = ["refuse_wrong_slug"]

_RUN = re.compile(r"(?:.*[/\\])?(\d{8}T\d{6}Z-[0-9a-f]+)[/\\]?")
_FILES = re.compile(r"(?i).*(?:[/\\].*|\.(?:zip|csv|tsv|json|parquet|xlsx|gz))")
_ROLES = {"train", "test", "data", "sample-submission"}


def refuse_wrong_slug(options: argparse.Namespace) -> None:
    """Raise an error if a run or a file was given where the command takes a competition.

    Parameters
    ----------
    options : argparse.Namespace
        The parsed command line.

    Raises
    ------
    UsageError
        Its message names the command that was probably meant; of a run, with its competition, if the run is found.
    """
    given = getattr(options, "slug", None)
    if not isinstance(given, str):
        return
    if (found := _RUN.fullmatch(given)) is not None:
        raise _error_of_run(given, found[1], options)
    if hasattr(options, "data") and _FILES.fullmatch(given):
        raise _error_of_files(given, options.command)


def _error_of_run(given: str, run_id: str, options: argparse.Namespace) -> UsageError:
    slug, command = _slug_of_run(run_id, given, options), options.command
    of_slug, run = f"kpipe {command} {slug or 'SLUG'}", shlex.quote(given.rstrip("/\\"))
    of_run = f"kpipe {'reproduce' if command == 'run' else 'report'} {run}"
    does = "repeats the run" if command == "run" else "shows the run's scores and checks"
    error = UsageError(
        f"{given} is a run{f' of {slug}' if slug else ''}, and kpipe {command} takes a competition: {of_slug}. "
        f"`{of_run}` {does}.",
        code="invalid-slug",
    )
    error.next = (*([of_slug] if slug else []), of_run)
    return error


def _error_of_files(given: str, command: str) -> UsageError:
    """The error for a competition's files: pass them with ``--data``, behind the competition's name."""
    from kpipe import competitions

    name = re.split(r"[/\\]", given.rstrip("/\\"))[-1].split(".")[0]
    slug = name if competitions.is_slug(name) and name.lower() not in _ROLES else "SLUG"
    call = f"kpipe {command} {slug} --data {shlex.quote(given)}"
    missing = "" if os.path.exists(os.path.expanduser(given)) else " There is no such file here: check its path."
    error = UsageError(
        f"{given!r} cannot be a competition. Name the competition, and pass its files with --data: {call}.{missing}",
        code="invalid-slug",
    )
    error.next = () if missing or slug == "SLUG" else (call,)
    return error


def _slug_of_run(run_id: str, given: str, options: argparse.Namespace) -> str | None:
    """The competition of a run, by the folder that it is in; None if there is no such run."""
    out = getattr(options, "out", None) or Path("submissions")
    folders = [Path(given), *Path(out).glob(f"*/{run_id}")]
    return next((folder.resolve().parent.name for folder in folders if (folder / "run.json").is_file()), None)
