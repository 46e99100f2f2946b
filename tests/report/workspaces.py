"""A workspace of many runs, each a copy of one run with another record."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kpipe.runs.run import Run

__all__ = ["run_id", "workspace"]


def run_id(number: int) -> str:
    return f"20261101T{number // 60:02d}{number % 60:02d}00Z-{number:06x}"


def workspace(
    out: Path, run: Run, records: Sequence[Mapping[str, Any]], ledger: Sequence[Mapping[str, Any]] = ()
) -> Path:
    """The folder of runs whose records differ from that of a run as given; a ledger names runs by their numbers."""
    for number, changes in enumerate(records):
        slug = changes.get("slug", "titanic")
        folder = out / slug / run_id(number)
        folder.mkdir(parents=True)
        created = f"2026-11-01T{number // 60:02d}:{number % 60:02d}:00+00:00"
        data = {**run.record["data"], "origin": "directory"}
        record = {**run.record, "run_id": run_id(number), "created": created, "data": data, **changes}
        (folder / "run.json").write_text(json.dumps(record))
        shutil.copy(run.path / "oof.parquet", folder)
    entries = [
        {"ref": n, "slug": "titanic", "date": "2026-11-02", "message": "", "file": "submission.csv", **entry}
        | {"run_id": run_id(entry["run_id"]), "status": "complete"}
        for n, entry in enumerate(ledger)
    ]
    if entries:
        (out / "titanic" / "ledger.json").write_text(json.dumps(entries))
    return out
