"""Find a finished run by its folder or its id, and read its ``run.json`` without trusting it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from kpipe import competitions
from kpipe.errors import DataError, UsageError
from kpipe.runs.files import sha256_of
from kpipe.runs.json_types import NUMBER, check_types, refuse_constant
from kpipe.runs.run import Run

__all__ = ["find_run", "run_of_file"]

_PART = 4  # characters of an id at the least
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,99}")
_LARGEST_RECORD = 64 << 20  # bytes
# Of ``run.json``, what is used when it is read again, as ``check_types`` takes it.
_RECORD: dict[str, Any] = {
    "slug": str,
    "run_id": str,
    "score": NUMBER,
    "standard_error": NUMBER,
    "metric": {"name": str},
    "models": [{"name": str}],
    "seed": [int],
    "checks": [{"name": str, "status": str, "detail": str}],
    "submission": {"sha256": str, "sendable": bool},
    **dict.fromkeys(("id?", "split?"), (str, type(None))),
    **dict.fromkeys(("target?", "drop?", "text?"), (str, list, type(None))),
}


def find_run(name: str, out: Path) -> Run:
    """The run of a folder, or of an id under ``out``: whole, or so much of its beginning or end that one alone has it.

    Raises UsageError if there is none or several, DataError if it is broken.

    A folder may come from elsewhere: it is data. What its record does not say as a run would is refused here, so that
    no name in it leads out of a folder or into a script.
    """
    folders = [Path(name)] if os.path.isfile(os.path.join(name, "run.json")) else []
    if not folders and _RUN_ID.fullmatch(name):
        folders = _found(name, out)
    if len(folders) > 1:
        several = ", ".join(str(folder) for folder in folders[-5:])
        raise UsageError(f"{name!r} stands for {len(folders)} runs: give more of the id, or a folder, as of {several}.")
    if not folders:
        raise UsageError(f"There is no run {name!r}: give a run's folder, or its id under {out}.")
    try:
        return Run(path=folders[0], record=_record(folders[0] / "run.json"))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise DataError(f"{folders[0] / 'run.json'} is no record of a run: {error}.") from error


def _found(name: str, out: Path) -> list[Path]:
    """Folders of the runs of an id; or of those that begin or end with so much of it."""
    exact = [record.parent for record in sorted(out.glob(f"*/{name}/run.json"))]
    if exact or len(name) < _PART:
        return exact
    ids = sorted({*out.glob(f"*/{name}*/run.json"), *out.glob(f"*/*{name}/run.json")})
    return [record.parent for record in ids if not record.parent.name.startswith(".")]


def _record(path: Path) -> dict[str, Any]:
    if path.stat().st_size > _LARGEST_RECORD:
        raise ValueError(f"it has more than {_LARGEST_RECORD:,} bytes")
    record = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse_constant)
    check_types(record, _RECORD, "it")
    json.dumps(record, ensure_ascii=False).encode()  # fails for halves of characters, which no file can hold
    if not competitions.is_slug(record["slug"]):
        raise ValueError(f"its slug {record['slug']!r} cannot be a competition's")
    if not _RUN_ID.fullmatch(record["run_id"]):
        raise ValueError(f"its run_id {record['run_id']!r} cannot be a run's")
    return dict(record)


def run_of_file(file: Path) -> Run | None:
    """The run that wrote a CSV, if its record stands beside it and knows the file's bytes."""
    try:
        run = find_run(str(file.parent), file.parent)
    except (UsageError, DataError):
        return None
    return run if run.record["submission"]["sha256"] == sha256_of(file) else None
