"""Which runs compare by their scores, and which of them is the best. Light to import."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from kpipe.runs.run import Run, recorded_files

__all__ = ["best_run", "rank", "scored_by"]


def scored_by(record: Mapping[str, Any]) -> str:
    """A text that is equal for runs whose scores compare: of the same competition, metric, target, files and vault.

    Parameters
    ----------
    record : mapping
        The content of ``run.json``; keys may be missing.

    Returns
    -------
    str
    """
    vault = record.get("vault")
    locked = vault.get("sha256") if isinstance(vault, Mapping) else None
    return json.dumps([*map(record.get, ("slug", "metric", "target")), recorded_files(record), locked], sort_keys=True)


def rank(run: Run) -> float:
    """A number by which runs are sorted, the best first.

    Parameters
    ----------
    run : Run

    Returns
    -------
    float
        Infinite for a run without a score.
    """
    score = run.record["score"]
    if score is None:
        return float("inf")
    return -score if run.record["metric"].get("greater_is_better", True) else score


def best_run(runs: Sequence[Run]) -> Run:
    """The best of the runs that compare with the last one, without those that failed a check.

    Parameters
    ----------
    runs : sequence of Run
        Of one competition, oldest first; one at least.

    Returns
    -------
    Run
        The last one of equal scores; where every run failed a check, the best of all.
    """
    alike = [run for run in runs if scored_by(run.record) == scored_by(runs[-1].record)]
    passed = [run for run in alike if all(check["status"] != "fail" for check in run.record["checks"])]
    return min(reversed(passed or alike), key=rank)
