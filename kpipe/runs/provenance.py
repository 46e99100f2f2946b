"""The inputs of a run: everything that its results depend on. A change of them is detected and named."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kpipe.core.packages import installed_versions
from kpipe.data.further_tables import file_hashes
from kpipe.problem.problem import Problem
from kpipe.runs.code_hashes import code_hashes
from kpipe.runs.recorded import recorded_files

__all__ = ["inputs_of", "machine", "recorded_inputs", "versions"]

_LIBRARIES = (
    *("kpipe", "numpy", "pandas", "pyarrow", "scikit-learn", "lightgbm", "catboost", "xgboost", "torch", "fastai"),
    *("joblib", "scipy", "holidays", "tokenizers", "transformers", "wordllama"),
)


def versions() -> dict[str, str]:
    """The versions of Python and of the libraries that results depend on.

    Returns
    -------
    dict of str to str
        Name to version, without libraries that are not installed.
    """
    return {"python": platform.python_version(), **installed_versions(_LIBRARIES)}


def machine() -> dict[str, str]:
    """The system and the processor, on which the last digits of results depend.

    Returns
    -------
    dict of str to str
        "system" and "processor".
    """
    return {"system": f"{platform.system()} {platform.machine()}", "processor": _processor()}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def inputs_of(problem: Problem, models: Sequence[str], **settings: object) -> dict[str, Any]:
    """Everything that a run's results depend on, except the machine.

    Parameters
    ----------
    problem : Problem
        The problem.
    models : sequence of str
        The names of the models that are trained.
    **settings : object
        Further settings, such as seeds, folds and device.

    Returns
    -------
    dict
        JSON types: "files" and "code" (name to SHA-256), "versions", "settings".
    """
    competition = problem.competition
    own: dict[str, object] = {
        "slug": problem.slug,
        "id": problem.id,
        "targets": list(problem.targets),
        "task": problem.task,
        "metric": problem.metric.name,
        "groups": problem.groups,
        "split": competition.split,
        "text": list(competition.text),
        "drop": list(competition.drop),
        "models": list(models),
        **settings,
        "columns": hashlib.sha256("\n".join(problem.columns).encode()).hexdigest(),
    }
    if problem.locked is not None:  # only then, so that runs without a vault keep their keys
        own["vault"] = problem.locked.sha256
    if hashes := {kind: found.sha256 for kind, found in problem.weights.items() if found is not None}:
        own["weights"] = hashes
    inputs = {
        "files": file_hashes(problem.tables),
        "code": code_hashes(problem.slug),
        "versions": versions(),
        "settings": own,
    }
    return json.loads(json.dumps(inputs, default=str))


def recorded_inputs(record: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs of a finished run, from its record.

    Parameters
    ----------
    record : mapping
        ``run.json``, which anybody may have written.

    Returns
    -------
    dict
        As ``inputs_of`` gives them; None or anything else where the record does not hold what kpipe writes.
    """
    return {"files": recorded_files(record), **{name: record.get(name) for name in ("code", "versions", "settings")}}
