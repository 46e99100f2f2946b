"""The content of ``request.json``, and notes on what has changed since earlier runs were started."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from kpipe.core.request import RunRequest
from kpipe.core.values import Folds
from kpipe.errors import UsageError
from kpipe.problem.problem import Problem
from kpipe.problem.settings import settings_of
from kpipe.runs.differences import differences
from kpipe.runs.provenance import inputs_of, machine
from kpipe.runs.rerun import RerunSpec
from kpipe.runs.store import RunFolder, key_of
from kpipe.runs.unfinished import UnfinishedRun, find_unfinished
from kpipe.training.cross_validation import count_fits
from kpipe.training.pool import n_parallel, threads_for

__all__ = ["describe_changes", "describe_request"]

_RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]+(-\d+)?")
_MAX_SHOWN = 3  # unfinished runs that are mentioned when a new one starts


def describe_request(
    problem: Problem, folds: Folds, request: RunRequest, *, models: Sequence[str], device: str, rerun: RerunSpec
) -> dict[str, Any]:
    """The content of ``request.json``: the request, the run's inputs, and how its fits share the machine.

    Parameters
    ----------
    problem : Problem
        The problem.
    folds : Folds
        Its folds.
    request : RunRequest
        What the user asked for.
    models : sequence of str
        The names of the models that are trained.
    device : str
        The device that is used.
    rerun : RerunSpec
        What a resumed or reproduced run takes over.

    Returns
    -------
    dict
        JSON types. ``key`` is a hash of everything that the results depend on.

    Raises
    ------
    UsageError
        If a resumed run's inputs have changed since it was started.
    """
    inputs = inputs_of(problem, models, seed=request.seeds, folds=len(folds.train), device=device)
    if rerun.inputs is not None and (changed := differences(rerun.inputs, inputs)):
        raise UsageError(
            f"Cannot resume this run: its inputs have changed since it was started. {'; '.join(changed)}. Start a new "
            f"run with kpipe run {problem.slug}; the old folder can be deleted.",
            code="cannot-resume",
        )
    parallel = n_parallel(count_fits(models, request.seeds, folds), jobs=request.jobs)
    content = {
        "schema": 1,
        "slug": problem.slug,
        "key": key_of({**inputs, "reproduces": rerun.of}),
        "reproduces": rerun.of,
        "name": request.name,
        "note": request.note,
        "jobs": parallel,
        "threads": rerun.threads or threads_for(parallel),
        "options": request.to_json(),
        "kpipe_toml": _kpipe_toml(request),
        "inputs": inputs,
    }
    return json.loads(json.dumps(content))


def _kpipe_toml(request: RunRequest) -> dict[str, Any] | None:
    """The file of a workspace and the options that it has set; None if there are none."""
    settings = settings_of(request)
    return {"file": str(settings.file), "options": list(settings.used)} if settings and settings.used else None


def describe_changes(folder: RunFolder, rerun: RerunSpec) -> tuple[str, ...]:
    """Describe what has changed since a reproduced run was made, or since resumable runs were started.

    Parameters
    ----------
    folder : RunFolder
        The folder of the run that starts.
    rerun : RerunSpec
        What a resumed or reproduced run takes over.

    Returns
    -------
    tuple of str
        Sentences for the user.
    """
    if rerun.then is not None:
        changed = differences(rerun.then, {**folder.request["inputs"], "machine": machine()})
        return (f"Changed since {rerun.of} was made: {'; '.join(changed)}.",) if changed else ()
    home = folder.path.parent
    waiting = [run for run in find_unfinished(home.parent, home.name) if run.path != folder.path and not run.is_running]
    return tuple(_describe_unfinished(run, folder.request["inputs"]) for run in waiting[-_MAX_SHOWN:])


def _describe_unfinished(run: UnfinishedRun, inputs: Mapping[str, Any]) -> str:
    before = run.request.get("inputs")
    changed = differences(before, inputs) if isinstance(before, dict) else ["code: another version of kpipe"]
    sentence = f"There is an unfinished run in {run.path} ({'; '.join(changed) or 'with the same inputs'})."
    if any(change.startswith(("code", "versions")) for change in changed):
        return f"{sentence} It can no longer be resumed: its folder can be deleted."
    reproduced = str(run.request.get("reproduces"))
    command = f"kpipe reproduce {reproduced}" if _RUN_ID.fullmatch(reproduced) else f"kpipe run --resume {run.key}"
    return f"{sentence} Resume it with {command}, or delete its folder."
