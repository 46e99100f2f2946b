"""Find an unfinished run and read the request that it was started with; its file is not trusted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kpipe.competitions import is_slug
from kpipe.core.request import RunRequest
from kpipe.errors import DataError, UsageError
from kpipe.runs.rerun import RerunSpec
from kpipe.runs.unfinished import REQUEST, UnfinishedRun, find_unfinished

__all__ = ["request_to_resume"]


def request_to_resume(
    name: str, *, out: Path, slug: str | None = None, changes: Mapping[str, Any]
) -> tuple[RunRequest, RerunSpec]:
    """The request with which an unfinished run was started, and its inputs at that time.

    Parameters
    ----------
    name : str
        The run's folder, or the key in the folder's name.
    out : Path
        The folder that runs are written to, in which keys are looked up.
    slug : str, optional
        The competition that the run must be of.
    changes : mapping
        Options that replace those of the run: ``data``, ``jobs``, ``budget``. None leaves an option as it was.

    Returns
    -------
    request : RunRequest
    rerun : RerunSpec

    Raises
    ------
    UsageError
        If there is no such run, a process works on it, it belongs to another competition, it is a reproduction, or an
        earlier version of kpipe started it.
    DataError
        If ``request.json`` does not hold what kpipe writes.
    """
    run = _find(name, out)
    slug = _slug(run, slug)
    given = {option: value for option, value in changes.items() if value is not None}
    given["out"] = run.path.parent.parent
    request = RunRequest.from_json(slug, run.request.get("options"), place=run.path / REQUEST, **given)
    inputs = run.request.get("inputs")
    return request, RerunSpec(inputs=inputs if isinstance(inputs, dict) else {})


def _find(name: str, out: Path) -> UnfinishedRun:
    """The unfinished run of a name. Raises UsageError if there is none, or it cannot be resumed."""
    folder = Path(name)
    if "/" in name or folder.is_dir():
        folder = folder.resolve()
        found = [run for run in find_unfinished(folder.parent.parent, folder.parent.name) if run.path == folder]
    else:
        found = [run for run in find_unfinished(out) if name in (run.key, run.path.name)]
    if not found:
        known = [f"{run.key} ({run.path.parent.name}, finished fits: {run.fits})" for run in find_unfinished(out)]
        listed = f"These can be resumed: {'; '.join(known)}." if known else f"There are none under {out}."
        raise UsageError(f"There is no unfinished run {name!r}. {listed}", code="unknown-run")
    _refuse_unusable(found[0])
    return found[0]


def _refuse_unusable(run: UnfinishedRun) -> None:
    if run.is_running:
        raise UsageError(f"{run.path} is in use by a running process: wait until it has finished.", code="run-in-use")
    if run.is_of_earlier_version:
        raise UsageError(
            f"{run.path} was started by an earlier version of kpipe, whose unfinished runs cannot be resumed. Start a "
            "new run with kpipe run. You can delete the old folder.",
            code="cannot-resume",
        )
    if not run.request:
        raise UsageError(
            f"{run.path / REQUEST} is missing or broken: repeat the kpipe run command to resume the run.",
            code="broken-run",
            file=str(run.path / REQUEST),
        )
    if reproduced := run.request.get("reproduces"):
        raise UsageError(
            f"{run.path} is a reproduction: resume it with kpipe reproduce {reproduced}.", code="cannot-resume"
        )


def _slug(run: UnfinishedRun, expected: str | None) -> str:
    """The competition of an unfinished run. Raises an error if it is not the expected one."""
    slug = run.request.get("slug")
    if not isinstance(slug, str) or not is_slug(slug) or slug != run.path.parent.name:
        place = run.path / REQUEST
        raise DataError(
            f"{place}: 'slug' must be the name of the folder, {run.path.parent.name!r}; got {slug!r:.200}.",
            code="broken-run",
        )
    if expected not in (None, slug):
        raise UsageError(
            f"{run.path} is a run of {slug}, not of {expected}: omit the competition.", code="cannot-resume"
        )
    return slug
