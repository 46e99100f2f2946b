"""Groups of comparable runs: of one competition, with the same metric, target, files and vault.

Light to import: shell completion uses it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kpipe.runs.recorded import recorded_data, recorded_files, recorded_targets, recorded_vault
from kpipe.runs.run import Run

__all__ = ["RunGroup", "best_run", "group_runs", "may_be_chosen", "rank", "scored_by"]


def scored_by(record: Mapping[str, Any]) -> str:
    """A text that is equal for comparable runs: of the same competition, metric, target, files and vault.

    Parameters
    ----------
    record : mapping
        The content of ``run.json``; keys may be missing.

    Returns
    -------
    str
    """
    parts = [*map(record.get, ("slug", "metric", "target")), recorded_files(record), recorded_vault(record)]
    return json.dumps(parts, sort_keys=True)


@dataclass(frozen=True, kw_only=True)
class RunGroup:
    """Runs with comparable scores.

    Attributes
    ----------
    slug, metric : str
    greater_is_better : bool
    apart : str
        What sets the group apart from others of the same competition and metric: its files, target or vault; "" where
        there are none.
    runs : sequence of Run
        In the order in which they were given.
    """

    slug: str
    metric: str
    greater_is_better: bool
    apart: str
    runs: Sequence[Run]


def group_runs(runs: Iterable[Run]) -> list[RunGroup]:
    """Group comparable runs, in the order of their first runs.

    Parameters
    ----------
    runs : iterable of Run

    Returns
    -------
    list of RunGroup
    """
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(scored_by(run.record), []).append(run)
    groups = list(found.values())
    return [_group(runs, [other for other in groups if _table(other) == _table(runs)]) for runs in groups]


def _table(runs: Sequence[Run]) -> tuple[str, str]:
    """The competition and the metric."""
    record = runs[-1].record
    return record["slug"], record["metric"]["name"]


def _group(runs: Sequence[Run], alike: Sequence[Sequence[Run]]) -> RunGroup:
    """The group of some runs; ``alike``: the groups, this one too, of its competition and metric."""
    record = runs[-1].record
    own, others = _traits(record), [_traits(other[-1].record) for other in alike]
    differ = [any(other[n] != own[n] for other in others) for n in range(len(own))]
    shown = differ if any(differ) else [len(alike) > 1, False, False]
    return RunGroup(
        slug=record["slug"],
        metric=record["metric"]["name"],
        greater_is_better=bool(record["metric"].get("greater_is_better", True)),
        apart=", ".join(trait for trait, is_shown in zip(own, shown, strict=True) if is_shown),
        runs=runs,
    )


def _traits(record: Mapping[str, Any]) -> tuple[str, str, str]:
    """What may set a group of runs apart, in words: the files, the target and the vault."""
    files = "sample data" if _is_sample(record) else str(recorded_data(record).get("path") or "other files")
    vault = "without the vault's rows" if recorded_vault(record) else "with all rows of train"
    return files, f"target {', '.join(recorded_targets(record))}", vault


def _is_sample(record: Mapping[str, Any]) -> bool:
    return bool(recorded_data(record).get("origin") == "sample")


def _has_failed_check(run: Run) -> bool:
    return any(check["status"] == "fail" for check in run.record["checks"])


def may_be_chosen(run: Run) -> bool:
    """Whether a run is a candidate for submission: not trained on the sample, and no check failed.

    Parameters
    ----------
    run : Run

    Returns
    -------
    bool
    """
    return not _has_failed_check(run) and not _is_sample(run.record)


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
    """The best of the runs that are comparable to the last one, without those that failed a check.

    Parameters
    ----------
    runs : sequence of Run
        Of one competition, oldest first; one at least.

    Returns
    -------
    Run
        The latest of equally good ones; if every run failed a check, the best of all.
    """
    comparable = [run for run in runs if scored_by(run.record) == scored_by(runs[-1].record)]
    passed = [run for run in comparable if not _has_failed_check(run)]
    return min(reversed(passed or comparable), key=rank)
