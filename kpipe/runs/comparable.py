"""Runs whose scores compare: of one competition, by one metric, for one target, on the same files and vault."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kpipe.runs.ranking import scored_by
from kpipe.runs.run import Run
from kpipe.runs.vault import recorded_vault

__all__ = ["RunGroup", "group_runs", "may_be_chosen"]


@dataclass(frozen=True, kw_only=True)
class RunGroup:
    """Runs that compare.

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
    """Put runs into groups that compare, in the order of their first runs.

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
    target = record.get("target")
    files = "sample data" if _is_sample(record) else str(_data(record).get("path") or "other files")
    targets = target if isinstance(target, list) else [] if target is None else [target]
    vault = "without the vault's rows" if recorded_vault(record) else "with all rows of train"
    return files, f"target {', '.join(map(str, targets))}", vault


def _data(record: Mapping[str, Any]) -> Mapping[str, Any]:
    data = record.get("data")
    return data if isinstance(data, Mapping) else {}


def _is_sample(record: Mapping[str, Any]) -> bool:
    return bool(_data(record).get("origin") == "sample")


def may_be_chosen(run: Run) -> bool:
    """Whether somebody would submit a run: it is not of the sample, and no check failed.

    Parameters
    ----------
    run : Run

    Returns
    -------
    bool
    """
    failed = any(check["status"] == "fail" for check in run.record["checks"])
    return not failed and not _is_sample(run.record)
