"""The section "Configuration": data, options and versions of the run."""

from __future__ import annotations

import re
from collections.abc import Iterable

from kpipe.report.blocks import (
    Block,
    Cell,
    Column,
    Section,
    Table,
    short,
    text,
)
from kpipe.runs.loaded import LoadedRun

__all__ = ["section"]


def section(run: LoadedRun) -> Section:
    """What would be needed to make the run again."""
    record = run.record
    shown = {
        "run": run.text("run_id"),
        "made": run.text("created"),
        "command": " ".join(map(str, run.items("command"))) or "from Python",
        "data": f"{run.text('data', 'origin')}: {run.text('data', 'path')}",
        "rows": ", ".join(f"{name} {count}" for name, count in run.mapping("data", "rows").items()),
        "target": ", ".join(run.targets),
        "id": run.text("id"),
        "task": run.text("task"),
        "seeds": ", ".join(map(str, run.items("seed"))),
        "device": run.text("device"),
        "seconds": run.text("seconds"),
        "peak memory, MiB": run.text("peak_memory_mib"),
        "submission, sha256": run.text("submission", "sha256"),
    }
    known = set(shown) | {"schema", "run_id", "slug", "created", "status", "metric", "inferred", "models", "left_out"}
    known |= {"score", "standard_error", "rows", "fold_scores", "baseline", "baseline_standard_error", "baseline_name"}
    known |= {"checks", "submission", "seed", "folds", "peak_memory_mib", "versions"}
    shown |= {name: _said(value) for name, value in record.items() if name not in known and value not in (None, [], {})}
    blocks: list[Block] = [_pairs("How it was made", shown, ("what", "value"))]
    if reasons := run.mapping("inferred"):
        blocks.append(_pairs("What the files were taken to mean", reasons, ("field", "why")))
    if files := run.mapping("data", "files"):
        blocks.append(_pairs("Files, by their content", files, ("file", "sha256")))
    if found := run.mapping("versions"):
        blocks.append(_pairs("Versions", found, ("package", "version")))
    lead = "The same data, options, code and versions give the same run again."
    return Section(key="configuration", title="Configuration", lead=lead, blocks=blocks, open=False)


def _said(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_said(inner)}" for name, inner in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _pairs(caption: str, pairs: dict[str, object] | dict[str, str], names: tuple[str, str]) -> Table:
    rows: Iterable[list[Cell]] = (
        [*text([_spaced(name)]), Cell(shown=short(value, 600))] for name, value in pairs.items() if value != ""
    )
    columns = [Column(name=name, numeric=False) for name in names]
    return Table(caption=caption, columns=columns, rows=list(rows), sortable=False)


def _spaced(name: object) -> str:
    return re.sub(r"_", " ", str(name)) if isinstance(name, str) and name.islower() and "." not in name else str(name)
