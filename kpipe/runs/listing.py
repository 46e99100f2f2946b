"""A table of finished runs."""

from __future__ import annotations

import warnings
from pathlib import Path

import pandas as pd

from kpipe.runs.find import find_runs
from kpipe.runs.prune import summarize

__all__ = ["runs"]

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
    found, unreadable = find_runs(Path(out), slug or "*")
    rows, without_ledger = summarize(found, Path(out))
    for reason in (*unreadable, *without_ledger):
        warnings.warn(f"A run was left out: {reason}", stacklevel=2)
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    numbers = dict.fromkeys(("score", "standard_error", "seconds", "public_score"), "float64")
    table = table.astype(numbers).assign(
        created=pd.to_datetime(table["created"], utc=True, errors="coerce"),
        models=[", ".join(names) for names in table["models"]],
        checks=[", ".join(statuses) or "pass" for statuses in table["checks"]],
    )
    return table.astype({"submitted": bool})
