"""Save fitted models: the whole pipeline with joblib, and the model itself in its library's format."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from kpipe.training.learning_curves import final_estimator

__all__ = ["SUFFIX", "is_kept", "save_model"]

SUFFIX = ".joblib"
_LOG = logging.getLogger("kpipe")


def is_kept(folder: str, key: str) -> bool:
    """Return whether the model of a fit is saved in a folder.

    Parameters
    ----------
    folder : str
    key : str
        The name of the fit.
    """
    return os.path.isfile(os.path.join(folder, f"{key}{SUFFIX}"))


def save_model(estimator: Any, folder: str, key: str) -> None:
    """Save a fitted estimator as ``<key>.joblib``, and LightGBM, CatBoost, XGBoost and networks in their own formats.

    Parameters
    ----------
    estimator : fitted estimator
    folder : str
        Created if it does not exist.
    key : str
        The name of the fit.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    _save_native(final_estimator(estimator), Path(folder), key)
    _write_atomically(Path(folder) / f"{key}{SUFFIX}", lambda path: joblib.dump(estimator, path, compress=3))


def _save_native(model: Any, folder: Path, key: str) -> None:
    """Save the model itself in the format of its library, if it has one."""
    fitted = getattr(model, "estimator_", model)
    library = type(fitted).__module__.partition(".")[0]
    try:
        if library == "lightgbm":
            _write_atomically(folder / f"{key}.lightgbm.txt", lambda path: fitted.booster_.save_model(path))
        elif library == "catboost":
            _write_atomically(folder / f"{key}.cbm", lambda path: fitted.save_model(path, format="cbm"))
        elif library == "xgboost":
            _write_atomically(folder / f"{key}.ubj", lambda path: fitted.get_booster().save_model(path))
        elif weights := _weights(model):
            from safetensors.numpy import save_file

            _write_atomically(folder / f"{key}.safetensors", lambda path: save_file(weights, path))
    except Exception as error:  # the joblib file contains the model too
        _LOG.warning("%s was not saved in the format of its library: %s", key, error)


def _weights(model: Any) -> dict[str, np.ndarray]:
    """The state of a network by name; empty for another model."""
    state = getattr(model, "weights_", None)
    if not isinstance(state, dict):
        return {}
    arrays = {str(name): np.ascontiguousarray(value) for name, value in state.items() if hasattr(value, "__array__")}
    return arrays if len(arrays) == len(state) else {}


def _write_atomically(path: Path, write: Callable[[str], Any]) -> None:
    """Write a file atomically."""
    temporary = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        write(str(temporary))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
