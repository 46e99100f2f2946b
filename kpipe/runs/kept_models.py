"""Load the fitted models stored with a run. Pickles can run code, so only those that this user wrote are loaded."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import joblib

from kpipe.errors import UsageError
from kpipe.runs.signatures import is_own, sign
from kpipe.training.kept_models import SUFFIX

__all__ = ["MODELS", "load_estimators", "sign_models"]

MODELS = "models"  # the folder in that of a run
_KEY = re.compile(r"(?P<model>.+)-seed(?P<seed>\d+)-fold(?P<fold>\d+)")


def sign_models(folder: Path) -> None:
    """Sign the models stored with a run, if there are any.

    Parameters
    ----------
    folder : Path
        Of the run.

    Raises
    ------
    OutputError
        If the signatures cannot be written.
    """
    sign(folder / MODELS, sorted((folder / MODELS).glob(f"*{SUFFIX}")))


def load_estimators(folder: Path, model: str) -> dict[tuple[int, int], Any]:
    """The fitted estimators of a model, as stored with a run.

    Parameters
    ----------
    folder : Path
        Of the run.
    model : str
        The name of the model.

    Returns
    -------
    dict of (int, int) to estimator
        By seed and fold.

    Raises
    ------
    UsageError
        If there are none, or this user has not written them.
    """
    found = {}
    for file in sorted((folder / MODELS).glob(f"*{SUFFIX}")):
        key = _KEY.fullmatch(file.name.removesuffix(SUFFIX))
        if key and key["model"] == model:
            found[int(key["seed"]), int(key["fold"])] = _load(folder, file)
    if not found:
        raise UsageError(
            f"{folder} holds no fitted models of {model}: run again with --keep-models (keep_models=True)."
        )
    return dict(sorted(found.items()))


def _load(folder: Path, file: Path) -> Any:
    content = file.read_bytes()
    if not is_own(folder / MODELS, file, content):
        raise UsageError(
            f"{file} was not written by you on this machine, or has changed since. Loading it would run code that it "
            "contains. If you trust whoever wrote it, load it with joblib.load; the files of the libraries next to it "
            "(.txt, .cbm, .ubj, .safetensors) run no code."
        )
    return joblib.load(io.BytesIO(content))
