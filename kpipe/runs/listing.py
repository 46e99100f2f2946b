"""Lists of finished runs: as JSON types, and as a table."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kpipe.errors import KpipeError
from kpipe.runs.find import find_runs
from kpipe.runs.ledger import SUBMITTED, Entry, read_ledger
from kpipe.runs.run import Run

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["runs", "summarize"]

_COLUMNS = (
    "run_id", "name", "note", "slug", "created", "metric", "score", "standard_error", "models", "seconds", "checks",
    "submitted", "public_score", "path",
)  # fmt: skip


def runs(slug: str | None = None, *, out: str | Path = "submissions") -> pd.DataFrame:
    """A table of the finished runs, the oldest first.

    Parameters
    ----------
    slug : str, optional
        A competition. By default the runs of all competitions.
    out : str or Path, default="submissions"
        The folder that runs are written to.

    Returns
    -------
    DataFrame
        One row for each run. Columns: run_id, name, note, slug, created, metric, score, standard_error, models (their
        names), seconds, checks ("pass", or what did not pass), submitted, public_score and path. A run that cannot be
        read is left out with a warning.

    Raises
    ------
    UsageError
        If the slug cannot be a competition's.

    See Also
    --------
    kpipe.load_run : One of the runs.

    Examples
    --------
    >>> import kpipe
    >>> kpipe.runs("titanic").sort_values("score")[["run_id", "score"]]  # doctest: +SKIP
    """
    import pandas as pd  # not at the top: `kpipe runs` needs no table

    found, unreadable = find_runs(Path(out), slug or "*")
    rows, without_ledger = summarize(found, Path(out))
    for reason in (*unreadable, *without_ledger):
        warnings.warn(f"A run was skipped: {reason}", stacklevel=2)
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    numbers = dict.fromkeys(("score", "standard_error", "seconds", "public_score"), "float64")
    table = table.astype(numbers).assign(
        created=pd.to_datetime(table["created"], utc=True, errors="coerce"),
        models=[", ".join(names) for names in table["models"]],
        checks=[", ".join(statuses) or "pass" for statuses in table["checks"]],
    )
    return table.astype({"submitted": bool})


def summarize(runs: Sequence[Run], out: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Summaries of runs for a list.

    Parameters
    ----------
    runs : sequence of Run
        Finished runs.
    out : Path
        The folder that runs are written to, whose ledgers say what was submitted.

    Returns
    -------
    summaries : list of dict
        JSON types. ``checks`` holds the statuses other than "pass", and ``not_passed`` the names of the checks that
        have them; ``public_score`` is that of the latest submission that has one, else None.
    errors : list of str
        For each run that is left out because the ledger of its competition is broken, its folder and the reason.
    """
    ledgers: dict[str, list[Entry] | KpipeError] = {}
    summaries, errors = [], []
    for run in runs:
        slug = run.record["slug"]
        if slug not in ledgers:
            try:
                ledgers[slug] = read_ledger(out, slug)
            except KpipeError as error:
                ledgers[slug] = error
        entries = ledgers[slug]
        if isinstance(entries, KpipeError):
            errors.append(f"{run.path}: {entries}")
        else:
            summaries.append(_summary(run, [entry for entry in entries if entry.run_id == run.record["run_id"]]))
    return summaries, errors


def _summary(run: Run, submissions: Sequence[Entry]) -> dict[str, Any]:
    """What a list shows of a run with these submissions, newest first."""
    record = run.record
    not_passed: dict[str, dict[str, None]] = defaultdict(dict)  # names as keys: each once, in their order
    for check in record["checks"]:
        if check["status"] != "pass":
            not_passed[check["status"]][check["name"]] = None
    return {
        "run_id": record["run_id"],
        "name": record.get("name"),
        "note": record.get("note"),
        "slug": record["slug"],
        "created": record.get("created"),
        "metric": record["metric"]["name"],
        "greater_is_better": bool(record["metric"].get("greater_is_better", True)),
        "score": record["score"],
        "standard_error": record["standard_error"],
        "models": [model["name"] for model in record["models"]],
        "seconds": record.get("seconds"),
        "checks": sorted(not_passed),
        "not_passed": {status: list(names) for status, names in sorted(not_passed.items())},
        "submitted": bool(submissions) or (run.path / SUBMITTED).exists(),
        "public_score": next((one.public_score for one in submissions if one.public_score is not None), None),
        "path": str(run.path),
    }
