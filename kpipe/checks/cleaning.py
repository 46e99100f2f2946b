"""Whether ``clean`` processes each row independently.

``clean`` sees train and test before there are folds. What it learns from them (a mean, the target's share per ticket)
has seen the validation rows, and cross-validation cannot notice that. So ``clean`` is called again: on some rows, with
rows and columns reordered and targets shuffled. Each row must be cleaned as before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from kpipe.checks.interface import Finding, TableCheck
from kpipe.checks.perturbation import raw_targets, replace_values
from kpipe.checks.statistics import list_names
from kpipe.core.values import Folds, Tables
from kpipe.problem.competition import unchanged
from kpipe.problem.inference.spelling import unify_spelling
from kpipe.problem.problem import Problem

__all__ = ["TABLE_CHECKS", "clean_row_wise", "differing", "format_value"]

_ROWS = 400  # of train and of test, that are cleaned a second time

_REMEDY = (
    "Move steps that learn from rows to `features`, which is fitted inside each fold. A count over train and test that "
    "does not use the target may stay if its column is listed in `transductive`."
)
_CAUSES = {
    "again": "changes when clean is called again on the same files: clean is random, or keeps state between calls. "
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
    renamed: bool = False  # whether texts may come out renamed, one to one, as a key of all columns in their order does


class _Difference(NamedTuple):
    """What comes out differently: a whole sentence, or the subject of one that ends with the cause."""

    text: str
    complete: bool = False


def clean_row_wise(problem: Problem, _: Folds) -> Iterator[Finding]:
    """Check whether ``clean`` processes each row independently; yield nothing if the competition has no ``clean``.

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
    if difference is not None and not difference.complete:
        changes = _Perturbation(target=True, rows=True, order=True), _Perturbation(columns=True, renamed=True)
        difference = next((found for change in changes if (found := _difference(problem, change))), None)
    if difference is None:
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
            "cannot be matched with the rows of the file. Keep a unique id column.",
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
                f"clean returns different columns of {name} when the targets are shuffled ({list_names(other)}): it "
                "chooses columns by the target, even that of validation rows. Choose columns in `features`, such as "
                "with SelectKBest, which is fitted on the training rows of each fold."
            )
        if then != now:
            return (
                f"clean orders the columns of {name} by the target: their order changes when the targets are shuffled, "
                "and code that selects columns by position then selects others. Keep the order of the file."
            )
    return _dropped_by_target(problem, shuffled, *(tables.train for tables in both))


def _dropped_by_target(problem: Problem, shuffled: pd.DataFrame, then: pd.DataFrame, now: pd.DataFrame) -> str | None:
    """What is wrong if clean drops other rows of train when the targets are shuffled; None if it does not.

    then, now : the cleaned rows of train as it is in the file, and with shuffled targets.
    """
    raw = problem.files.train
    id = next((old for old in raw if old in then and old in now and raw[old].is_unique and old == problem.id), None)
    if id is None or len(then) > len(raw):
        return None
    dropped = [_dropped(given, kept, id) for given, kept in ((raw, then), (shuffled, now))]
    if not dropped[0] or dropped[0] == dropped[1]:
        return None
    return (
        f"clean drops {len(dropped[0]):,} rows of train by their target: with shuffled targets it drops different "
        "rows. The score then leaves out rows that are hard to predict, but test has such rows. Keep them, and use a "
        "loss or weights that are robust to outliers, inside the model."
    )


def _dropped(given: pd.DataFrame, kept: pd.DataFrame, id: str) -> set[object]:
    """The ids of the rows that are missing and no copies of rows that are kept: one of equal rows is enough."""
    missing = ~given[id].isin(kept[id])
    rows = pd.util.hash_pandas_object(given.drop(columns=id), index=False)
    return set(given.loc[missing & ~rows.isin(rows[~missing]), id])


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
        names = raw_targets(problem)
        # A choice between a few may come out the same for shuffled targets, but hardly for high ones that become low.
        alone = names and not (change.rows or change.order)
        order = _reverse_ranks(train[names[0]]) if alone else rng.permutation(len(train))
        train = replace_values(train, names, order, of=train)
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
        found = (
            pair
            if pair is None or isinstance(pair, _Difference)
            else _first_difference(name, *pair, skipped, raw if change.renamed else None)
        )
        if found is not None:
            return found
    return None


def _reverse_ranks(column: pd.Series) -> np.ndarray:
    """Rows whose values, in their order, are high where those of the column are low.

    >>> column = pd.Series([3, 1, 2])
    >>> column[_reverse_ranks(column)].tolist()
    [1, 3, 2]
    """
    by_value = np.argsort(pd.factorize(column, sort=True)[0], kind="stable")
    order = np.empty_like(by_value)
    order[by_value] = by_value[::-1]
    return order


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


def _first_difference(
    name: str, then: pd.DataFrame, now: pd.DataFrame, skipped: set[str], raw: Tables | None
) -> _Difference | None:
    """The first column with other values than before, or that is there only with some targets.

    raw : the files, if texts that are no column of theirs may come out renamed.
    """
    for column in then.columns:
        if column in skipped or column not in now.columns:
            continue
        wrong = np.flatnonzero(differing(then[column], now[column]))
        if len(wrong) and not (raw is not None and _is_renamed(then[column], now[column], getattr(raw, name))):
            before, after = format_value(then[column].iloc[wrong[0]]), format_value(now[column].iloc[wrong[0]])
            rows = f"{len(wrong):,} of {len(then):,} rows"
            return _Difference(f"{column} of {name} ({rows}; for example {before} becomes {after})")
    return None


def _is_renamed(then: pd.Series, now: pd.Series, raw: pd.DataFrame) -> bool:
    """Whether a column of texts has other texts for the same groups of rows, and is no column of the file."""
    if any(pd.api.types.is_numeric_dtype(column) for column in (then, now)):
        return False
    pairs = len(pd.DataFrame({"then": then.to_numpy(), "now": now.to_numpy()}).drop_duplicates())
    one_to_one = pairs == then.nunique(dropna=False) == now.nunique(dropna=False)
    return one_to_one and not any(bool(then.isin(raw[name].unique()).all()) for name in raw)


def format_value(value: object) -> str:
    """A cell's value, in a sentence.

    Parameters
    ----------
    value : object

    Returns
    -------
    str

    Examples
    --------
    >>> format_value(0.1234567), format_value("male"), format_value(3)
    ('0.123457', "'male'", '3')
    """
    return f"{value:.6g}" if isinstance(value, float) else repr(value) if isinstance(value, str) else str(value)


def differing(a: pd.Series, b: pd.Series) -> np.ndarray:
    """The rows in which two columns differ; missing values are equal, and numbers may differ by rounding.

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


TABLE_CHECKS = (TableCheck("clean is row-wise", clean_row_wise, every_column=True),)
