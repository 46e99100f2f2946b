"""Load the fitted models that a run has kept. They are pickles, which run code: only those that this user wrote.

``models/signatures.json`` holds a signature of each file, made with the user's secret that also signs the store of
fits. A run that somebody else made has other signatures or none.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import re
from pathlib import Path
from typing import Any

import joblib

from kpipe.errors import UsageError
from kpipe.runs.files import write_file
from kpipe.runs.fits import read_secret
from kpipe.training.kept_models import SUFFIX

__all__ = ["MODELS", "load_estimators", "sign_models"]

MODELS = "models"  # the folder in that of a run
_SIGNATURES = "signatures.json"
_KEY = re.compile(r"(?P<model>.+)-seed(?P<seed>\d+)-fold(?P<fold>\d+)")


def sign_models(folder: Path) -> None:
    """Sign the models that a run has kept, if it has kept any.

    Parameters
    ----------
    folder : Path
        Of the run.

    Raises
    ------
    OutputError
        If the signatures cannot be written.
    """
    files, secret = sorted((folder / MODELS).glob(f"*{SUFFIX}")), read_secret()
    if files and secret is not None:
        signatures = {file.name: _sign(secret, file.name, file.read_bytes()) for file in files}
        write_file(folder / MODELS / _SIGNATURES, json.dumps(signatures, indent=2).encode())


def load_estimators(folder: Path, model: str) -> dict[tuple[int, int], Any]:
    """The fitted estimators of a model that a run has kept.

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
    content, secret = file.read_bytes(), read_secret()
    try:
        signatures = json.loads((folder / MODELS / _SIGNATURES).read_text(encoding="utf-8"))
        signature = str(signatures[file.name])
    except (OSError, ValueError, KeyError, TypeError):
        signature = ""
    if secret is None or not hmac.compare_digest(signature.encode(), _sign(secret, file.name, content).encode()):
        raise UsageError(
            f"{file} was not written by you on this machine, or has changed since. Loading it would run code that it "
            "contains. If you trust whoever wrote it, load it with joblib.load; the files of the libraries beside it "
            "(.txt, .cbm, .ubj, .safetensors) run no code."
        )
    return joblib.load(io.BytesIO(content))


def _sign(secret: bytes, name: str, content: bytes) -> str:
    return hmac.new(secret, name.encode() + b"\0" + content, hashlib.sha256).hexdigest()
