"""Read values of a run's record (``run.json``), in which any key may be missing. This module imports quickly."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

__all__ = ["as_float", "as_number", "recorded_data", "recorded_files", "recorded_targets", "recorded_vault"]


def recorded_data(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The data that a run read: origin, path, files and numbers of rows; empty if the record lacks them."""
    data = record.get("data")
    return data if isinstance(data, Mapping) else {}


def recorded_files(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The files that a run read, name to SHA-256; empty if the record does not say.

    Scores on different files cannot be compared.
    """
    files = recorded_data(record).get("files")
    return files if isinstance(files, Mapping) else {}


def recorded_targets(record: Mapping[str, Any]) -> tuple[str, ...]:
    """The target columns of a run; none if the record does not say."""
    target = record.get("target")
    return tuple(map(str, target)) if isinstance(target, list) else () if target is None else (str(target),)


def recorded_vault(record: Mapping[str, Any]) -> str | None:
    """The fingerprint of the vault that a run was made with; None if it was made without one."""
    vault = record.get("vault")
    sha256 = vault.get("sha256") if isinstance(vault, Mapping) else None
    return sha256 if isinstance(sha256, str) else None


def as_number(value: object) -> float | None:
    """A value of a record as a finite number.

    Parameters
    ----------
    value : object
        Anything that JSON can hold.

    Returns
    -------
    float or None
        None for everything but a finite number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # an integer of a thousand digits
        return None


def as_float(value: object) -> float:
    """A value of a record for pandas and numpy: NaN for everything but a finite number."""
    number = as_number(value)
    return math.nan if number is None else number
