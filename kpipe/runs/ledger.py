"""The ledger of submissions: which run and which file was submitted, with both scores.

The ledger is ``<out>/<slug>/ledger.json``: what Kaggle forgets (which run, which file, which score out-of-fold) beside
what Kaggle says (its number, status, scores).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import filelock

from kpipe.errors import DataError
from kpipe.runs.files import write_file
from kpipe.runs.find import competition_folder
from kpipe.runs.json_types import NUMBER, check_types, refuse_constant

__all__ = ["SENT", "Entry", "add_entries", "read_ledger"]

SENT = "submitted.json"  # in a run's folder: Kaggle's number, wherever the ledger lies; such a run is never removed


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A submission: Kaggle's number of it, the file, the run it came from, and what both sides say of it.

    score, standard_error, metric : out-of-fold, of the run; None for a file without one.
    status : "pending", "complete" or "error"; error : Kaggle's reason.
    """

    ref: int
    slug: str
    date: str
    message: str
    file: str
    sha256: str = ""
    run_id: str = ""
    metric: str = ""
    score: float | None = None
    standard_error: float | None = None
    status: str = "pending"
    error: str = ""
    public_score: float | None = None
    private_score: float | None = None


# What the fields of an entry hold; those that an older kpipe did not write have their defaults.
_ENTRY = {
    "ref": int,
    **dict.fromkeys(("slug", "date", "message", "file"), str),
    **dict.fromkeys(("sha256?", "run_id?", "metric?", "status?", "error?"), str),
    **dict.fromkeys(("score?", "standard_error?", "public_score?", "private_score?"), NUMBER),
}


def read_ledger(out: Path, slug: str) -> list[Entry]:
    """Every submission known here, newest first. Raises DataError where the file is broken."""
    path = competition_folder(out, slug) / "ledger.json"
    if not path.is_file():
        return []
    try:
        entries = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse_constant)
        check_types(entries, [_ENTRY], "it")
        return [Entry(**entry) for entry in entries]
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise DataError(f"{path} is no ledger of submissions: {error}. Move it away, and call this again.") from error


def add_entries(out: Path, slug: str, entries: Sequence[Entry]) -> None:
    """Write entries, whole or not at all; of one that is there, what only this machine knows is kept."""
    home = competition_folder(out, slug)
    home.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(home / ".ledger.lock"):
        known = {entry.ref: entry for entry in read_ledger(out, slug)}
        for entry in entries:
            known[entry.ref] = _merged(known.get(entry.ref), entry)
        newest = sorted(known.values(), key=lambda entry: (entry.date, entry.ref), reverse=True)
        content = json.dumps([asdict(entry) for entry in newest], indent=2) + "\n"
        write_file(home / "ledger.json", content.encode())


def _merged(old: Entry | None, new: Entry) -> Entry:
    if old is None or new.sha256:
        return new
    told = {name: getattr(new, name) for name in ("status", "error", "public_score", "private_score")}
    return replace(old, **told)
