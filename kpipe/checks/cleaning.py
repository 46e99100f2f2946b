"""Whether ``clean`` treats each row by itself, and leaves the target alone.

``clean`` sees train and test before there are folds. What it learns from them (a mean, the target's share per ticket)
has seen the validation rows, and cross-validation cannot notice that. So ``clean`` is called again: on some rows, with
rows and columns reordered and targets shuffled. Each row must be cleaned as before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from kpipe.checks.interface import Finding, TableCheck
from kpipe.checks.perturbation import raw_targets, replace_values
from kpipe.checks.statistics import list_names
from kpipe.core.values import Folds
from kpipe.problem.competition import unchanged
from kpipe.problem.inference.spelling import unify_spelling
from kpipe.problem.problem import Problem

__all__ = ["TABLE_CHECKS", "clean_row_wise", "differing", "target_unchanged"]

_ROWS = 400  # of train and of test, that are cleaned a second time
# Columns that show whether clean reordered rows, and the share of equal cells in one of them if it did not.
_COMPARED, _SAME = 20, 0.999

_REMEDY = (
    "Move steps that learn from rows to `features`, which is fitted inside each fold. A count over train and test that "
    "does not use the target may stay if its column is listed in `transductive`."
)
_CAUSES = {
    "again": "changes when clean is called again on the same files: clean is random, or keeps something between calls. "
    "Seed every random step, such as np.random.default_rng(0), inside clean.",
    "target": "changes when the targets of train are shuffled: clean uses the target, even that of validation rows. "
    "Move this step to `features`, which is fitted on the training rows of each fold.",
    "columns": "changes when the columns of the file are reordered: clean selects columns by position. Select them by "
    "name.",
    "rows": f"changes when other rows are removed: clean learns from other rows. {_REMEDY}",
    "order": f"changes when rows are reordered: clean mixes rows. {_REMEDY}",
}


@dataclass(frozen=True)
class _Perturbation:
    """What is changed before ``clean`` is called again."""

    target: bool = False
    columns: bool = False
    rows: bool = False
    order: bool = False


class _Difference(NamedTuple):
    """What comes out differently: a whole sentence, or the subject of one that ends with the cause."""

    text: str
    complete: bool = False


def clean_row_wise(problem: Problem, _: Folds) -> Iterator[Finding]:
    """Check whether ``clean`` treats each row by itself; yield nothing if the competition has no ``clean``.

    Parameters
    ----------
    problem : Problem

    Yields
    ------
    Finding
    """
    if problem.competition.clean is unchanged:
        return
    problem = problem.to_predict  # the tables that clean was given
    transductive = problem.competition.transductive
    difference = _difference(problem, _Perturbation(True, True, True, True))
    if difference is None and transductive:
        difference = _difference(problem, _Perturbation(target=True))
    if difference is not None:
        yield "fail", _explain(problem, difference)
        return
    if (choice := _chosen_by_target(problem)) is not None:
        yield "fail", choice
        return
    unmatched = [name for name in ("train", "test") if not _can_match_rows(problem, name)]
    if unmatched:
        yield (
            "warn",
            f"Not checked, because clean changes the number of rows of {unmatched[0]}, and without a unique id they "
            "cannot be matched with those of the file. Keep a unique id column.",
        )
        return
    rows = sum(min(_ROWS, 2 * len(frame) // 3) for frame in (problem.files.train, problem.files.test))
    exempt = f" Not compared: {', '.join(transductive)}, listed in transductive." if transductive else ""
    yield "pass", f"clean gives the same result for {rows} rows in another order, and with shuffled targets.{exempt}"


def _chosen_by_target(problem: Problem) -> str | None:
    """What is wrong if clean returns other columns when the targets are shuffled; None if it does not."""
    competition, files = problem.competition, problem.files
    order = np.random.default_rng(1).permutation(len(files.train))
    shuffled = replace_values(files.train, raw_targets(problem), order, of=files.train)
    both = [competition.clean(tables) for tables in (files, replace(files, train=shuffled))]
    for name in ("train", "test"):
        then, now = (list(getattr(tables, name).columns) for tables in both)
        other = [str(column) for column in (*then, *now) if (column in then) != (column in now)]
        if other:
            return (
                f"clean returns other columns of {name} when the targets are shuffled ({list_names(other)}): it "
                "chooses columns by the target, even that of validation rows. Choose columns in `features`, such as "
                "with SelectKBest, which is fitted on the training rows of each fold."
            )
        if then != now:
            return (
                f"clean orders the columns of {name} by the target: they come in another order when the targets are "
                "shuffled, and what takes columns by position then takes others. Keep the order of the file."
            )
    return _dropped_by_target(problem, *(tables.train for tables in both))


def _dropped_by_target(problem: Problem, then: pd.DataFrame, now: pd.DataFrame) -> str | None:
    """What is wrong if clean drops other rows of train when the targets are shuffled; None if it does not."""
    raw = problem.files.train
    id = next((old for old in raw if old in then and old in now and raw[old].is_unique and old == problem.id), None)
    if id is None or len(then) > len(raw):
        return None
    dropped = [set(raw[id]) - set(frame[id]) for frame in (then, now)]
    if not dropped[0] or dropped[0] == dropped[1]:
        return None
    return (
        f"clean drops {len(dropped[0]):,} rows of train by their target: with shuffled targets it drops others. The "
        "score leaves out the rows that are hard to predict, but test has such rows. Keep them, and choose a loss or "
        "weights that bear outliers, inside the model."
    )


def _explain(problem: Problem, difference: _Difference) -> str:
    """The sentence for the first kind of change that has an effect by itself."""
    for kind, cause in _CAUSES.items():
        alone = _difference(problem, _Perturbation(**{kind: True} if kind != "again" else {}))
        if alone is not None:
            return alone.text if alone.complete else f"{alone.text} {cause}"
    end = "" if difference.complete else f" changes when rows and columns are reordered together. {_REMEDY}"
    return f"{difference.text}{end}"


def _can_match_rows(problem: Problem, name: str) -> bool:
    raw, now = getattr(unify_spelling(problem.competition, problem.files)[1], name), getattr(problem.tables, name)
    id = problem.id
    named = all(id in frame and frame[id].is_unique for frame in (raw, now))
    return named or len(raw) == len(now)


def _difference(problem: Problem, change: _Perturbation) -> _Difference | None:
    """What ``clean`` does differently after a change; None if nothing."""
    rng = np.random.default_rng(0)
    frames = {"train": problem.files.train, "test": problem.files.test}
    rows = {name: _rows(len(frame), change, rng) for name, frame in frames.items()}
    train = problem.files.train.iloc[rows["train"]].reset_index(drop=True)
    if change.target:
        train = replace_values(train, raw_targets(problem), rng.permutation(len(train)), of=train)
    test = problem.files.test.iloc[rows["test"]].reset_index(drop=True)
    if change.columns:
        train, test = train[train.columns[::-1]], test[test.columns[::-1]]
    altered = replace(problem.files, train=train, test=test)
    try:
        again = unify_spelling(problem.competition, problem.competition.clean(altered))[1]
    except Exception as error:  # whatever the author's code raises on rows that it has cleaned before is the finding
        reason = f"{type(error).__name__}: {error}"
        return _Difference(f"clean fails on {len(train)} rows that it has cleaned before: {reason}.", complete=True)
    # A count over all rows may change with the rows, but not with the target.
    counted = problem.competition.transductive if change.rows or change.order else ()
    skipped = {*problem.targets, *counted}
    raw = unify_spelling(problem.competition, problem.files)[1]
    for name in ("train", "test"):
        before, then, now = (getattr(one, name) for one in (raw, problem.tables, again))
        pair = _match_rows(name, (before, then, now), rows[name], problem.id, may_drop=change.target)
        found = pair if pair is None or isinstance(pair, _Difference) else _first_difference(name, *pair, skipped)
        if found is not None:
            return found
    return None


def _rows(count: int, change: _Perturbation, rng: np.random.Generator) -> np.ndarray:
    some = min(_ROWS, 2 * count // 3)  # never all: what clean learns from the rest would be the same
    kept = np.sort(rng.permutation(count)[:some]) if change.rows else np.arange(count)
    return rng.permutation(kept) if change.order else kept


def _match_rows(
    name: str,
    frames: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame],
    rows: np.ndarray,
    id: str | None,
    *,
    may_drop: bool,
) -> tuple[pd.DataFrame, pd.DataFrame] | _Difference | None:
    """The same rows of a table cleaned before and again, matched by id or by position; None if they cannot be matched.

    frames : the table in the file, cleaned before, and cleaned again. may_drop : whether rows may be missing, because
    they are dropped for their target, which was shuffled.
    """
    raw, then, now = frames
    if id is not None and all(id in frame and frame[id].is_unique for frame in frames):
        return _match_by_id(name, frames, raw[id].iloc[rows], may_drop=may_drop)
    if len(then) != len(raw) or (len(now) < len(rows) and may_drop):
        return None
    if len(now) != len(rows):
        text = f"clean returns {len(now):,} rows of {name} for {len(rows):,} rows: other rows, or a cached table."
        return _Difference(f"{text} Return the rows that clean is given.", complete=True)
    return then.iloc[rows].reset_index(drop=True), now.reset_index(drop=True)


def _match_by_id(
    name: str, frames: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame], ids: pd.Series, *, may_drop: bool
) -> tuple[pd.DataFrame, pd.DataFrame] | _Difference:
    then, now = frames[1].set_index(ids.name), frames[2].set_index(ids.name)
    others = int((~now.index.isin(ids)).sum())
    if others:
        text = f"clean returns {others:,} rows of {name} that it was not given: other rows, or a cached table."
        return _Difference(f"{text} Return the rows that clean is given.", complete=True)
    lost = int(then.index.isin(ids).sum()) - len(now.index)
    if lost > 0 and not may_drop:
        text = f"clean drops {lost:,} rows of {name} that it keeps when other rows are present. {_REMEDY}"
        return _Difference(text, complete=True)
    shared = then.index.intersection(now.index)
    return then.loc[shared].reset_index(), now.loc[shared].reset_index()


def _first_difference(name: str, then: pd.DataFrame, now: pd.DataFrame, skipped: set[str]) -> _Difference | None:
    """The first column with other values than before, or that is there only with some targets."""
    for column in then.columns:
        if column in skipped or column not in now.columns:
            continue
        wrong = np.flatnonzero(differing(then[column], now[column]))
        if len(wrong):
            before, after = _shown(then[column].iloc[wrong[0]]), _shown(now[column].iloc[wrong[0]])
            rows = f"{len(wrong):,} of {len(then):,} rows"
            return _Difference(f"{column} of {name} ({rows}; for example {before} becomes {after})")
    return None


def _shown(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else repr(value) if isinstance(value, str) else str(value)


def differing(a: pd.Series, b: pd.Series) -> np.ndarray:
    """Where two columns hold different values; missing equals missing, and numbers may differ by rounding.

    Parameters
    ----------
    a, b : Series
        (n,) each.

    Returns
    -------
    (n,) array of bool

    Examples
    --------
    >>> differing(pd.Series([1.0, None, 3.0]), pd.Series([1.0, None, 4.0])).tolist()
    [False, False, True]
    """
    if all(pd.api.types.is_numeric_dtype(column) for column in (a, b)):
        left, right = (column.to_numpy(dtype=np.float64, na_value=np.nan) for column in (a, b))
        return ~np.isclose(left, right, rtol=1e-9, atol=1e-12, equal_nan=True)
    left, right = (column.astype(object).where(column.notna(), None).to_numpy() for column in (a, b))
    return np.asarray([x != y for x, y in zip(left, right, strict=True)], dtype=bool)


def target_unchanged(problem: Problem, _: Folds) -> Iterator[Finding]:
    """Check whether ``clean`` leaves the target as it is in the file; a finding only where it does not.

    Predictions are scored and submitted on the scale and with the labels of the cleaned target.

    Parameters
    ----------
    problem : Problem

    Yields
    ------
    Finding
        One for each target that changed.
    """
    if problem.competition.clean is unchanged:
        return
    raw_train = unify_spelling(problem.competition, problem.files)[1].train
    for target in problem.targets:
        pair = _matched_targets(target, problem.id, raw_train, problem.tables.train)
        if pair is None:
            continue
        raw, now = pair
        changed = np.flatnonzero(differing(*_as_numbers(raw, now)))
        if len(changed):
            first = changed[0]
            status, effect = _effect_of_labels(raw, now) if problem.task == "classification" else _OTHER_SCALE
            yield (
                status,
                f"clean changes {target} in {len(changed):,} of {len(raw):,} rows "
                f"(row {first + 1}: {_shown(raw.iloc[first])} became {_shown(now.iloc[first])}): {effect}",
            )


_OTHER_SCALE: Finding = (
    "fail",
    "scores and submissions would be on the changed scale. Leave the target as it is; for a metric on logarithms, "
    "models are trained on logarithms without that.",
)


def _matched_targets(
    target: str, id: str | None, raw: pd.DataFrame, now: pd.DataFrame
) -> tuple[pd.Series, pd.Series] | None:
    """The target before and after, row by row: by id if there is one, else by position."""
    if target not in raw.columns or target not in now.columns:
        return None
    if id is not None and all(id in frame and frame[id].is_unique for frame in (raw, now)):
        before, after = raw.set_index(id)[target], now.set_index(id)[target]
        shared = before.index.intersection(after.index)
        return before.loc[shared].reset_index(drop=True), after.loc[shared].reset_index(drop=True)
    return (raw[target], now[target]) if len(raw) == len(now) and _same_order(raw, now, target) else None


def _same_order(raw: pd.DataFrame, now: pd.DataFrame, target: str) -> bool:
    """Whether rows are where they were: an untouched column tells; without one, no shuffling of targets is assumed."""
    kept = [column for column in raw.columns if column in now.columns and column != target]
    same = [1 - float(differing(raw[column], now[column]).mean()) for column in kept[:_COMPARED]]
    moved = raw[target].value_counts().to_dict() == now[target].value_counts().to_dict()
    return max(same) > _SAME if same else not moved


def _as_numbers(raw: pd.Series, now: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Both as numbers if both can be: True is 1, "1" is 1."""
    numbers = [pd.to_numeric(column.astype(object), errors="coerce").astype("float64") for column in (raw, now)]
    both = all(number.notna().equals(column.notna()) for number, column in zip(numbers, (raw, now), strict=True))
    return (numbers[0], numbers[1]) if both else (raw, now)


def _effect_of_labels(raw: pd.Series, now: pd.Series) -> Finding:
    """Labels that trade places invert the submission; new labels are what the submission would hold."""
    mapping: Mapping[object, set[object]] = now.groupby(raw.to_numpy()).agg(set).to_dict()
    if set(map(str, raw.unique())) & set(map(str, now.unique())):
        return "fail", "one label now stands for another, so the submission would be wrong. Leave the target as it is."
    if all(len(names) == 1 for names in mapping.values()):
        return "warn", "the submission would hold the new labels, but Kaggle expects those of the file. Leave them."
    return "fail", "labels were split or merged, but Kaggle expects those of the file. Leave the target as it is."


TABLE_CHECKS = (
    TableCheck("clean is row-wise", clean_row_wise, every_column=True),
    TableCheck("target unchanged by clean", target_unchanged, every_column=True),
)
