"""Validate ``run.json``, whoever wrote it: types, ranges, and consistent names."""

from __future__ import annotations

from typing import Any

from kpipe.runs.json_types import Range, check_sizes, check_types

__all__ = ["check_record"]

_COUNT, _SEED = Range(0, 10**12, whole=True), Range(0, 2**32 - 1, whole=True)
_SCORE, _ERROR = Range(null=True), Range(0, 1e100, null=True)
_SECONDS, _SHARE = Range(0, 1e10), Range(0, 1.000001)

_TEXTS: dict[Any, Any] = {str: str}  # an object of texts
_MODEL: dict[str, Any] = {
    "name": str,
    "score?": _SCORE,
    "standard_error?": _ERROR,
    "fold_scores?": [_SCORE],
    "weight?": _SHARE,
    "seeds?": [_SEED],
    "fits?": {str: [_COUNT]},
    "seconds?": _SECONDS,
}
_DATA: dict[str, Any] = {
    "origin?": str,
    "path?": str,
    "files?": {str: str},
    "rows?": {"train": _COUNT, "test": _COUNT},
    "extra_rows?": _COUNT,
    "notes?": [str],
}
_SUBMISSION: dict[str, Any] = {
    "sha256": str,
    "sendable": bool,
    "file?": str,
    "rows?": _COUNT,
    "text?": [str],
    "encoding?": str,
}
# For ``check_types``. Keys with "?" are those that kpipe 0.1 did not write, or that no command depends on.
_RECORD: dict[str, Any] = {
    **{"slug": str, "run_id": str, "schema?": _COUNT, **dict.fromkeys(("name?", "note?", "key?"), str)},
    **dict.fromkeys(("created?", "status?", "task?", "id?", "split?", "device?", "baseline_name?"), str),
    **dict.fromkeys(("target?", "drop?", "text?"), (str, list)),
    "data?": _DATA,
    "metric": {"name": str, "greater_is_better?": bool},
    **dict.fromkeys(("inferred?", "conversions?", "columns_left_out?", "left_out?", "versions?", "code?"), _TEXTS),
    **{"guesses?": [str], "command?": [str]},
    **{"score": _SCORE, "standard_error": _ERROR, "baseline?": _SCORE, "baseline_standard_error?": _ERROR},
    **{"rows?": _COUNT, "fold_scores?": [_SCORE], "seed": [_SEED], "folds?": _COUNT},
    "models": [_MODEL],
    "plan?": [
        {"step": str, "gain?": _SCORE, "standard_error?": _ERROR, "seconds?": Range(0, 1e10, null=True), "used?": bool}
    ],
    "fits?": {"all": _COUNT, "reused": _COUNT},
    "shortened?": {str: [[_COUNT]]},
    "checks": [{"name": str, "status": str, "detail": str}],
    "submission": _SUBMISSION,
    **{"seconds?": _SECONDS, "peak_memory_mib?": Range(0, 1e9)},
    **dict.fromkeys(("options?", "settings?", "machine?"), dict),
    "kpipe_toml?": {"file": str, "options": [str]},
}


def check_record(record: Any) -> None:
    """Raise an error unless a value is the record of a run, of any version of kpipe.

    Parameters
    ----------
    record : object
        What ``json.loads`` returned for ``run.json``.

    Raises
    ------
    TypeError
        If a value has another type than kpipe writes, or is out of range; the message names its key.
    ValueError
        If values contradict each other, or cannot be used for other reasons.
    """
    check_sizes(record)
    check_types(record, _RECORD, "it")
    for name in ("target", "drop", "text"):
        if isinstance(record.get(name), list):
            check_types(record[name], [str], f"{name!r}")
    if not record.get("target", "unknown"):
        raise ValueError("'target' must name a column")
    if strange := sorted({check["status"] for check in record["checks"]} - {"pass", "skipped", "warn", "fail"}):
        raise ValueError(f"'status' of a check must be pass, skipped, warn or fail; got {strange[0]!r:.80}")
    if not record["models"]:
        raise ValueError("'models' must name a model")
    names = [model["name"] for model in record["models"]]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"'models' names {min(twice)!r:.80} twice")
