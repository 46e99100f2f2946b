"""The parameters of a run's estimators, as scikit-learn's ``get_params`` gives them: ``parameters.json``."""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator

from kpipe.core.values import ModelPredictions
from kpipe.problem.competition import Factory
from kpipe.problem.problem import Problem
from kpipe.runs.store import RunFolder
from kpipe.training.estimators import build_estimator, make_context
from kpipe.training.stacking import STACKERS, build_stacker

__all__ = [
    "PARAMETERS",
    "ModelParameters",
    "changed_parameters",
    "parameters_of",
    "read_parameters",
    "write_parameters",
]

PARAMETERS = "parameters.json"
ModelParameters = dict[str, dict[str, Any]]  # model → parameter → value, JSON types

_LOG = logging.getLogger("kpipe")

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")  # in the default repr of an object: it differs from process to process
_LONGEST = 500  # characters of a value
_MAX_PARTS = 100  # of a list that is not made of numbers and texts alone
_LARGEST = 16 << 20  # bytes of the file


def parameters_of(
    models: Mapping[str, Factory],
    trained: tuple[ModelPredictions, ...],
    problem: Problem,
    *,
    seed: int,
    threads: int,
    device: str,
) -> ModelParameters:
    """The parameters of each model that was trained.

    Parameters
    ----------
    models : mapping of str to Factory
        The models of the run.
    trained : tuple of ModelPredictions
        Those that finished.
    problem : Problem
    seed : int
        The first seed.
    threads : int
        CPU threads of a fit.
    device : str
        "cpu", "cuda" or "mps".

    Returns
    -------
    ModelParameters
        Of the estimator with its features and steps; an estimator among the values is named by its class, and its own
        parameters follow.
    """
    context = make_context(problem, seed=seed, threads=threads, device=device)
    found = {}
    for name in (model.name for model in trained if model.name in models):
        build = build_stacker if name in STACKERS else partial(build_estimator, name)
        try:
            estimator = build(models[name], problem, context)
            values = {"class": estimator, **_get_params(estimator)}
            found[name] = {key: _json(value) for key, value in sorted(values.items())}
        except Exception as error:  # of a user's own factory or repr: the models are trained, and the run goes on
            _LOG.warning("the parameters of %s are not stored: %s", name, error)
    return found


def _get_params(estimator: BaseEstimator) -> Mapping[str, Any]:
    try:
        return estimator.get_params(deep=True)
    except Exception:  # an estimator of the user's own need not have scikit-learn's methods to be fitted
        return {}


def _json(value: object, depth: int = 3) -> object:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, list | tuple) and all(
        item is None or isinstance(item, bool | int | float | str) for item in value
    ):
        return [_json(item) for item in value]
    if hasattr(value, "get_params") and not isinstance(value, type):
        return type(value).__name__
    if isinstance(value, set | frozenset):
        return sorted(repr(item) for item in value)  # their own order changes from process to process
    # Steps, and names of columns with their transformers: scikit-learn's repr of one takes 0.02 s.
    if isinstance(value, list | tuple) and depth and len(value) <= _MAX_PARTS:
        return [_json(item, depth - 1) for item in value]
    return _ADDRESS.sub("", repr(value))[:_LONGEST]


def write_parameters(folder: RunFolder, parameters: ModelParameters) -> None:
    """Write the parameters into the folder of a run.

    Parameters
    ----------
    folder : RunFolder
    parameters : ModelParameters

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    folder.write(PARAMETERS, (json.dumps(parameters, indent=2, allow_nan=False) + "\n").encode())


def read_parameters(folder: Path) -> ModelParameters:
    """The parameters stored with a run.

    Parameters
    ----------
    folder : Path
        Of the run; anybody may have written the file in it.

    Returns
    -------
    ModelParameters
        Empty if there are none, as in the runs of earlier versions and in blends.
    """
    path = folder / PARAMETERS
    try:
        if path.stat().st_size > _LARGEST:
            return {}
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {str(name): values for name, values in content.items() if isinstance(values, dict)}


def changed_parameters(before: ModelParameters, after: ModelParameters) -> list[dict[str, Any]]:
    """The parameters that differ in the models that two runs have in common.

    Parameters
    ----------
    before, after : ModelParameters

    Returns
    -------
    list of dict
        Model, parameter, and the values "a" and "b"; None stands for a parameter that a model lacks, too.

    Examples
    --------
    >>> changed_parameters({"linear": {"C": 1.0, "tol": 0.1}}, {"linear": {"C": 0.1, "tol": 0.1}, "forest": {}})
    [{'model': 'linear', 'parameter': 'C', 'a': 1.0, 'b': 0.1}]
    """
    return [
        {"model": model, "parameter": name, "a": before[model].get(name), "b": after[model].get(name)}
        for model in before
        if model in after
        for name in sorted({*before[model], *after[model]})
        if before[model].get(name) != after[model].get(name)
    ]
