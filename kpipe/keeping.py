"""The runs that are there: listed, sorted, and removed by rule."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpipe.errors import KpipeError, OutputError
from kpipe.leaderboard import ledger, run_named
from kpipe.runs import Run, unfinished

__all__ = ["Removable", "finished", "removable", "remove", "summary"]


def finished(out: Path, slug: str = "*") -> tuple[list[Run], list[str]]:
    """The finished runs under a folder, the oldest first, and what was found wrong with those that cannot be read."""
    runs, broken = [], []
    for path in sorted(out.glob(f"{slug}/*/run.json")):
        try:
            runs.append(run_named(str(path.parent), out))
        except KpipeError as error:
            broken.append(str(error))
    return sorted(runs, key=lambda run: (str(run.record.get("created")), run.record["run_id"])), broken


def summary(run: Run, out: Path) -> dict[str, Any]:
    """What a list shows of a run, JSON types."""
    record = run.record
    sent = [entry for entry in ledger(out, record["slug"]) if entry.run_id == record["run_id"]]
    public = [entry.public_score for entry in sent if entry.public_score is not None]
    return {
        "run_id": record["run_id"],
        "slug": record["slug"],
        "created": record.get("created"),
        "metric": record["metric"]["name"],
        "greater_is_better": bool(record["metric"].get("greater_is_better", True)),
        "score": record["score"],
        "standard_error": record["standard_error"],
        "models": [model["name"] for model in record["models"]],
        "seconds": record.get("seconds"),
        "checks": sorted({check["status"] for check in record["checks"]} - {"pass"}),
        "submitted": bool(sent),
        "public_score": public[-1] if public else None,
        "path": str(run.path),
    }


@dataclass(frozen=True, kw_only=True)
class Removable:
    """A folder that may go, why, and the bytes that it frees."""

    path: Path
    why: str
    size: int


def removable(out: Path, slug: str = "*", *, keep: int | None = None) -> list[Removable]:
    """Unfinished runs that nobody works on; with ``keep``, finished runs too, but for so many of the best.

    Never a run that was submitted, nor the latest of its competition.
    """
    found = [
        Removable(path=one.path, why=f"unfinished, {one.parts} fits kept", size=_size(one.path))
        for one in unfinished(out, slug)
        if not one.at_work
    ]
    if keep is None:
        return found
    by_slug: dict[str, list[Run]] = {}
    for run in finished(out, slug)[0]:
        by_slug.setdefault(run.record["slug"], []).append(run)
    for name, runs in by_slug.items():
        safe = {entry.run_id for entry in ledger(out, name)} | {runs[-1].record["run_id"]}
        best = {run.record["run_id"] for run in sorted(runs, key=_rank)[:keep]}
        gone = [run for run in runs if run.record["run_id"] not in safe | best]
        why = f"not among the best {keep}, not submitted, not the latest"
        found += [Removable(path=run.path, why=why, size=_size(run.path)) for run in gone]
    return found


def _rank(run: Run) -> float:
    """Smaller is better; without a score, last."""
    score = run.record["score"]
    if score is None:
        return float("inf")
    return -score if run.record["metric"].get("greater_is_better", True) else score


def remove(folders: Sequence[Removable]) -> None:
    """Remove them. Raises OutputError where one cannot be removed."""
    for one in folders:
        try:
            shutil.rmtree(one.path)
        except OSError as error:
            raise OutputError(f"{one.path} cannot be removed: {error.strerror or error}.") from error


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
