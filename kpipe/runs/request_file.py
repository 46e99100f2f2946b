"""What ``call.json`` holds while a run works: the request, its inputs, and how its fits share the machine."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from kpipe.core.request import RunRequest
from kpipe.core.values import Folds
from kpipe.errors import UsageError
from kpipe.problem.problem import Problem
from kpipe.runs.provenance import RerunSpec, differences, inputs_of, machine
from kpipe.runs.store import RunFolder, key_of
from kpipe.runs.unfinished import UnfinishedRun, find_unfinished
from kpipe.training.cross_validation import count_fits
from kpipe.training.pool import n_parallel, threads_for

__all__ = ["describe_changes", "describe_request"]

_RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]+(-\d+)?")
_SHOWN = 3  # unfinished runs that are mentioned when a new one starts


def describe_request(
    problem: Problem, folds: Folds, request: RunRequest, *, models: Sequence[str], device: str, rerun: RerunSpec
) -> dict[str, Any]:
    """What ``call.json`` holds, as JSON types. Its ``key`` names everything that the results depend on.

    Parameters
    ----------
    problem : Problem
    folds : Folds
    request : RunRequest
    models : sequence of str
        Names of the models that are trained.
    device : str
        The device that is used.
    rerun : RerunSpec
        What a resumed or reproduced run takes over.

    Returns
    -------
    dict

    Raises
    ------
    UsageError
        If a resumed run's inputs have changed since it was started.
    """
    inputs = inputs_of(problem, models, seed=request.seeds, folds=len(folds.train), device=device)
    if rerun.inputs is not None and (changed := differences(rerun.inputs, inputs)):
        raise UsageError(
            f"Cannot resume this run: its inputs have changed since it was started. {'; '.join(changed)}. Start a new "
            f"run with kpipe run {problem.slug}; the old folder can be deleted."
        )
    parallel = n_parallel(count_fits(models, request.seeds, folds), jobs=request.jobs, device=device)
    content = {"schema": 1, "slug": problem.slug, "key": key_of({**inputs, "reproduces": rerun.of})}
    content |= {"reproduces": rerun.of, "jobs": parallel, "threads": rerun.threads or threads_for(parallel)}
    return json.loads(json.dumps({**content, "options": request.to_json(), "inputs": inputs}))


def describe_changes(folder: RunFolder, rerun: RerunSpec) -> tuple[str, ...]:
    """Sentences on what has changed since a reproduced run, or on unfinished runs that nobody works on.

    Parameters
    ----------
    folder : RunFolder
        Of the run that starts.
    rerun : RerunSpec

    Returns
    -------
    tuple of str
    """
    if rerun.then is not None:
        here = {**folder.call["inputs"], "machine": machine()}
        changed = differences(rerun.then, here)
        return (f"Changed since {rerun.of} was made: {'; '.join(changed)}.",) if changed else ()
    home = folder.path.parent
    found = [
        other for other in find_unfinished(home.parent, home.name) if other.path != folder.path and not other.at_work
    ]
    return tuple(_describe_unfinished(other, folder.call["inputs"]) for other in found[-_SHOWN:])


def _describe_unfinished(other: UnfinishedRun, inputs: Mapping[str, Any]) -> str:
    before = other.call.get("inputs")
    changed = differences(before, inputs) if isinstance(before, dict) else ["code: of another version of kpipe"]
    place = f"There is an unfinished run in {other.path} ({'; '.join(changed) or 'with the same inputs'})."
    if any(change.startswith(("code", "versions")) for change in changed):
        return f"{place} It can no longer be resumed: its folder can be deleted."
    reproduced = str(other.call.get("reproduces"))
    command = f"kpipe reproduce {reproduced}" if _RUN_ID.fullmatch(reproduced) else f"kpipe run --resume {other.key}"
    return f"{place} Resume it with {command}, or delete its folder."
