"""Notes for the user about a problem, shown before training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from kpipe.problem.vocabulary import labels_alike

if TYPE_CHECKING:
    from kpipe.problem.problem import Problem

__all__ = ["notes_on"]

_STUB, _MAX_STUB_ROWS = 50, 10  # rows of train per row of a test set that may be a stub, and its rows at most
_MAX_NAMED = 5  # columns or labels in a note


def notes_on(problem: Problem) -> Iterator[str]:
    """Yield notes about a vault, unfilled columns, missing targets, repeated ids, stubs and the spelling of labels.

    Parameters
    ----------
    problem : Problem

    Yields
    ------
    str
        A sentence or two.
    """
    if problem.vault is not None:
        yield (
            f"A vault is in force: {len(problem.vault):,} rows of train.csv are locked away. Nothing is trained or "
            "validated on them until kpipe vault open RUN, or --all-rows."
        )
    yield from _on_unfilled_columns(problem)
    yield from _on_missing_targets(problem)
    yield from _on_repeated_ids(problem)
    yield from _on_a_stub(problem)
    yield from _on_labels(problem)


def _on_unfilled_columns(problem: Problem) -> Iterator[str]:
    known = {problem.id, *problem.targets, *problem.columns}
    kept = [name for name in problem.tables.sample if name in problem.tables.train and name not in known]
    if kept and set(problem.targets) & set(problem.submission_columns):
        yield f"The submission keeps {_first(kept)} from the sample submission, because --target names other columns."


def _on_missing_targets(problem: Problem) -> Iterator[str]:
    if problem.y.dtype.kind == "f" and (missing := np.isnan(problem.y)).any():
        counts = (~missing).sum(axis=0)
        known = [f"{name} {count:,}" for name, count in zip(problem.targets, counts, strict=False)]
        yield (
            f"Each target is trained and scored on the rows of train.csv in which it is known, of {len(problem.y):,}: "
            f"{_first(known)}."
        )


def _on_repeated_ids(problem: Problem) -> Iterator[str]:
    ids = problem.tables.test.get(problem.id)
    if ids is not None and ids.duplicated().any():
        yield (
            f"test.csv has {len(ids):,} rows for {ids.nunique():,} ids, and a submission needs one for each: kpipe "
            f"trains no model until clean combines the rows of each id (for a module with clean: kpipe new "
            f"{problem.slug})."
        )


def _on_a_stub(problem: Problem) -> Iterator[str]:
    rows, count = len(problem.tables.train), len(problem.tables.test)
    if _STUB * count < min(rows, _MAX_STUB_ROWS * _STUB):
        yield (
            f"test.csv has {count} row{'s' * (count > 1)} beside {rows:,} of train.csv. If it is a stub of a hidden "
            "test set, submit a kernel (kpipe kernel) instead of this submission."
        )


def _on_labels(problem: Problem) -> Iterator[str]:
    if problem.labels is None:
        return
    if alike := labels_alike(problem.labels):
        shown = " and ".join(map(repr, alike[0]))
        yield (
            f"The target {problem.targets[0]!r} has labels that may mean the same: {shown}. They are treated as "
            "different classes; if they mean the same, merge them in train.csv or in clean."
        )
    if problem.metric.needs != "label" or len(problem.submission_columns) != 1:
        return
    old, new = problem.labels, problem.labels_in(problem.submission_columns[0])
    changed = [(label, written) for label, written in zip(old, new, strict=True) if str(label) != str(written)]
    if changed and isinstance(old[0], str):
        words = _first([f"{label!r} as {written!s}" for label, written in changed])
        yield f"The submission writes train's labels in the form of the sample submission: {words}."


def _first(words: Sequence[object]) -> str:
    return ", ".join(map(str, words[:_MAX_NAMED])) + ", ..." * (len(words) > _MAX_NAMED)
