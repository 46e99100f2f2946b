"""The runs that are there: listed, sorted, and removed by rule."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpipe.errors import KpipeError, OutputError
from kpipe.runs.find import find_run
from kpipe.runs.ledger import SENT, home_of, read_ledger
from kpipe.runs.locks import try_lock
from kpipe.runs.run import Run
from kpipe.runs.unfinished import find_unfinished

__all__ = ["Removable", "finished", "removable", "remove", "summary"]


def finished(out: Path, slug: str = "*") -> tuple[list[Run], list[str]]:
    """The finished runs under a folder, the oldest first, and what was found wrong with those that cannot be read."""
    _refuse_paths(out, slug)
    runs, broken = [], []
    for path in sorted(out.glob(f"{slug}/*/run.json")):
        try:
            runs.append(find_run(str(path.parent), out))
        except KpipeError as error:
            broken.append(str(error))
    return sorted(runs, key=lambda run: (str(run.record.get("created")), run.record["run_id"])), broken


def _refuse_paths(out: Path, slug: str) -> None:
    """Raise UsageError for what is neither a slug nor "*": no name leads out of ``out``."""
    if slug != "*":
        home_of(out, slug)


def summary(run: Run, out: Path) -> dict[str, Any]:
    """What a list shows of a run, JSON types."""
    record = run.record
    sent = [entry for entry in read_ledger(out, record["slug"]) if entry.run_id == record["run_id"]]
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
        "submitted": bool(sent) or (run.path / SENT).exists(),
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

    Scores of other metrics or targets do not compare: of each, so many are kept. Never a run that was submitted, nor
    the latest of its competition. Raises UsageError for a slug that is none.
    """
    _refuse_paths(out, slug)
    found = [
        Removable(path=one.path, why=f"unfinished, {one.parts} fits kept", size=_size(one.path))
        for one in find_unfinished(out, slug)
        if not one.at_work
    ]
    if keep is None:
        return found
    by_slug: dict[str, list[Run]] = defaultdict(list)
    for run in finished(out, slug)[0]:
        by_slug[run.record["slug"]].append(run)
    for name, runs in by_slug.items():
        safe = {entry.run_id for entry in read_ledger(out, name)} | {runs[-1].record["run_id"]}
        alike: dict[str, list[Run]] = defaultdict(list)
        for run in runs:
            alike[_judged_by(run)].append(run)
        safe |= {run.record["run_id"] for each in alike.values() for run in sorted(each, key=_rank)[:keep]}
        gone = [run for run in runs if run.record["run_id"] not in safe and not (run.path / SENT).exists()]
        why = f"not among the best {keep}, not submitted, not the latest"
        found += [Removable(path=run.path, why=why, size=_size(run.path)) for run in gone]
    return found


def _judged_by(run: Run) -> str:
    return json.dumps([run.record["metric"], run.record.get("target")], sort_keys=True)


def _rank(run: Run) -> float:
    """Smaller is better; without a score, last."""
    score = run.record["score"]
    if score is None:
        return float("inf")
    return -score if run.record["metric"].get("greater_is_better", True) else score


def remove(folders: Sequence[Removable]) -> list[Path]:
    """Remove them but for those that a run has gone on with since they were listed, which are returned.

    Raises OutputError where one cannot be removed.
    """
    left = []
    for one in folders:
        try:
            if not one.path.name.startswith(".partial-"):
                shutil.rmtree(one.path)
                continue
            with try_lock(one.path) as free:
                if free and one.path.exists():  # not so where the run has ended since
                    shutil.rmtree(one.path)
                elif not free:
                    left.append(one.path)
        except OSError as error:
            raise OutputError(f"{one.path} cannot be removed: {error.strerror or error}.") from error
    return left


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
