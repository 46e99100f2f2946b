"""Whether ``clean`` does what it promises: each row by itself, the target left alone and not looked at.

``clean`` sees train and test before there are folds. What it learned there (a mean, a target's share per ticket) has
seen the rows that are held out, and no cross-validation could tell. So it is called again: on some rows, in another
order, with the columns in another order and the target shuffled. Each row must come out as before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from kpipe.checks.reordering import taking
from kpipe.core.values import Check, Status
from kpipe.problem.competition import unchanged
from kpipe.problem.inference.spelling import unify_spelling
from kpipe.problem.problem import Problem

__all__ = ["clean_by_row", "differing", "raw_targets", "target_kept"]

_ROWS = 400  # of train and of test that are cleaned a second time

_NAME = "clean is row-wise"
_WHOLE = "clean itself"  # how a sentence begins that needs no further word
_REMEDY = (
    "What learns from rows belongs into `features`, which is fitted inside each fold; a count over train and test that "
    "sees no target may stay if its column is named in `transductive`."
)
_SAID = {
    "target": "changes when the target of train is shuffled: clean sees the target, and so that of held-out rows.",
    "columns": "changes when the file's columns come in another order: clean goes by position. Take columns by name.",
    "rows": f"changes when fewer rows stand beside a row: clean learns from other rows. {_REMEDY}",
    "order": f"changes when the rows come in another order: clean mixes rows. {_REMEDY}",
}


@dataclass(frozen=True)
class _Scramble:
    """What is changed before ``clean`` is called again."""

    target: bool = False
    columns: bool = False
    rows: bool = False
    order: bool = False


def clean_by_row(problem: Problem) -> Iterator[Check]:
    """Whether each row is cleaned by itself; nothing is said where there is nothing to clean."""
    if problem.competition.clean is unchanged:
        return
    found = _changed(problem, _Scramble(True, True, True, True))
    if not found and problem.competition.transductive:
        found = _changed(problem, _Scramble(target=True))
    if found:
        for kind in ("target", "columns", "rows", "order"):
            alone = _changed(problem, _Scramble(**{kind: True}))
            if alone:
                whole = alone.startswith(_WHOLE)
                yield Check(name=_NAME, status="fail", detail=alone if whole else f"{alone} {_SAID[kind]}")
                return
        yield Check(name=_NAME, status="fail", detail=f"{found} changes when rows and columns come in another order.")
        return
    lost = [name for name in ("train", "test") if not _can_tell(problem, name)]
    if lost:
        detail = f"clean changes the number of rows of {lost[0]}, and without a unique id they cannot be told apart."
        yield Check(name=_NAME, status="warn", detail=f"Not looked at: {detail}")
        return
    rows = sum(min(_ROWS, 2 * len(frame) // 3) for frame in (problem.files.train, problem.files.test))
    counted = problem.competition.transductive
    named = f" But for {', '.join(counted)}, by name." if counted else ""
    detail = f"{rows} rows cleaned again, in another order and with the target shuffled, come out the same.{named}"
    yield Check(name=_NAME, status="pass", detail=detail)


def _can_tell(problem: Problem, name: str) -> bool:
    raw, now = getattr(unify_spelling(problem.competition, problem.files)[1], name), getattr(problem.tables, name)
    id = problem.id
    named = all(id in frame and frame[id].is_unique for frame in (raw, now))
    return named or len(raw) == len(now)


def _changed(problem: Problem, scramble: _Scramble) -> str:
    """What comes out differently, for a sentence; empty where nothing does."""
    rng = np.random.default_rng(0)
    frames = {"train": problem.files.train, "test": problem.files.test}
    taken = {name: _rows(len(frame), scramble, rng) for name, frame in frames.items()}
    train = problem.files.train.iloc[taken["train"]].reset_index(drop=True)
    if scramble.target:
        train = taking(train, raw_targets(problem), rng.permutation(len(train)), of=train)
    test = problem.files.test.iloc[taken["test"]].reset_index(drop=True)
    if scramble.columns:
        train, test = train[train.columns[::-1]], test[test.columns[::-1]]
    altered = replace(problem.files, train=train, test=test)
    try:
        again = unify_spelling(problem.competition, problem.competition.clean(altered))[1]
    except Exception as error:  # whatever the author's code raises at rows that it has cleaned before is the finding
        return f"{_WHOLE} fails on {len(train)} rows that it has cleaned before: {type(error).__name__}: {error}."
    # A count over all rows changes with the rows, and may; not even that may change with the target.
    counted = problem.competition.transductive if scramble.rows or scramble.order else ()
    skipped = {*problem.targets, *counted}
    raw = unify_spelling(problem.competition, problem.files)[1]
    for name in ("train", "test"):
        before, then, now = (getattr(one, name) for one in (raw, problem.tables, again))
        pair = _paired(before, then, now, taken[name], problem.id, dropping=scramble.target)
        if isinstance(pair, str):
            if pair:
                return pair.format(name=name)
            continue
        if said := _apart(name, *pair, skipped):
            return said
    return ""


def _rows(count: int, scramble: _Scramble, rng: np.random.Generator) -> np.ndarray:
    some = min(_ROWS, 2 * count // 3)  # never all: what clean learns from the rest would be the same
    kept = np.sort(rng.permutation(count)[:some]) if scramble.rows else np.arange(count)
    return rng.permutation(kept) if scramble.order else kept


def _paired(
    raw: pd.DataFrame, then: pd.DataFrame, now: pd.DataFrame, rows: np.ndarray, id: str | None, *, dropping: bool
) -> tuple[pd.DataFrame, pd.DataFrame] | str:
    """The same rows of both, by their id where there is one, else by position; or what is wrong with them, or "".

    dropping : whether other rows may be missing: some are dropped for their target, which was shuffled.
    """
    if id is not None and all(id in frame and frame[id].is_unique for frame in (raw, then, now)):
        taken = raw[id].iloc[rows]
        strangers = ~now[id].isin(taken)
        if strangers.any():
            count = f"{strangers.sum():,} rows of {{name}}"
            return f"{_WHOLE} gives {count} that it was not given: others, or a frame that it kept."
        then, now = then.set_index(id), now.set_index(id)
        lost = int(then.index.isin(taken).sum()) - len(now.index)
        if lost > 0 and not dropping:
            return f"{_WHOLE} drops {lost:,} rows of {{name}} that it keeps when others stand beside them."
        shared = then.index.intersection(now.index)
        return then.loc[shared].reset_index(), now.loc[shared].reset_index()
    if len(then) == len(raw):
        if len(now) < len(rows) and dropping:
            return ""
        if len(now) != len(rows):
            return f"{_WHOLE} gives {len(now):,} rows of {{name}} for {len(rows):,}: others, or a frame it kept."
        return then.iloc[rows].reset_index(drop=True), now.reset_index(drop=True)
    return ""


def _apart(name: str, then: pd.DataFrame, now: pd.DataFrame, skipped: set[str]) -> str:
    """The first column that is no longer as it was."""
    for column in then.columns:
        if column in skipped or column not in now.columns:
            continue
        wrong = np.flatnonzero(differing(then[column], now[column]))
        if len(wrong):
            of, first = f"{len(wrong):,} of {len(then):,} rows", wrong[0]
            was, new = _shown(then[column].iloc[first]), _shown(now[column].iloc[first])
            return f"{column} of {name} ({of}, such as {was}, now {new})"
    return ""


def raw_targets(problem: Problem) -> list[object]:
    """The targets as the file spells them; not those that ``clean`` makes."""
    spelt = unify_spelling(problem.competition, problem.files)[1].train.columns
    return [old for old, new in zip(problem.files.train.columns, spelt, strict=True) if new in problem.targets]


def _shown(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else repr(value) if isinstance(value, str) else str(value)


def differing(a: pd.Series, b: pd.Series) -> np.ndarray:
    """(n,) bool: where two columns hold different values; missing equals missing, and numbers may be rounded.

    >>> differing(pd.Series([1.0, None, 3.0]), pd.Series([1.0, None, 4.0])).tolist()
    [False, False, True]
    """
    if all(pd.api.types.is_numeric_dtype(column) for column in (a, b)):
        left, right = (column.to_numpy(dtype=np.float64, na_value=np.nan) for column in (a, b))
        return ~np.isclose(left, right, rtol=1e-9, atol=1e-12, equal_nan=True)
    left, right = (column.astype(object).where(column.notna(), None).to_numpy() for column in (a, b))
    return np.asarray([x != y for x, y in zip(left, right, strict=True)], dtype=bool)


def target_kept(problem: Problem) -> Iterator[Check]:
    """Whether the target is what the file says; said only where ``clean`` has changed it.

    Predictions are scored and submitted on the scale and in the spelling of the target that ``clean`` leaves.
    """
    name = "target unchanged by clean"
    if problem.competition.clean is unchanged:
        return
    raw_train = unify_spelling(problem.competition, problem.files)[1].train
    for target in problem.targets:
        pairs = _pairs(target, problem.id, raw_train, problem.tables.train)
        if pairs is None:
            continue
        raw, now = pairs
        changed = np.flatnonzero(differing(*_numbered(raw, now)))
        if len(changed):
            first = changed[0]
            status, how = _renaming(raw, now) if problem.task == "classification" else _FAIL
            detail = (
                f"clean changes {target} in {len(changed):,} of {len(raw):,} rows "
                f"(row {first + 1}: {_shown(raw.iloc[first])} became {_shown(now.iloc[first])}): {how}"
            )
            yield Check(name=name, status=status, detail=detail)


_FAIL: tuple[Status, str] = (
    "fail",
    "scores and submissions would be on the changed scale. Leave it; a metric on logarithms trains on them by itself.",
)


def _pairs(target: str, id: str | None, raw: pd.DataFrame, now: pd.DataFrame) -> tuple[pd.Series, pd.Series] | None:
    """The target before and after, row by row: by id where there is one, else by position."""
    if target not in raw.columns or target not in now.columns:
        return None
    if id is not None and all(id in frame and frame[id].is_unique for frame in (raw, now)):
        before, after = raw.set_index(id)[target], now.set_index(id)[target]
        shared = before.index.intersection(after.index)
        return before.loc[shared].reset_index(drop=True), after.loc[shared].reset_index(drop=True)
    return (raw[target], now[target]) if len(raw) == len(now) else None


def _numbered(raw: pd.Series, now: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Both as numbers where both can be: True is 1, "1" is 1."""
    numbers = [pd.to_numeric(column.astype(object), errors="coerce").astype("float64") for column in (raw, now)]
    both = all(number.notna().equals(column.notna()) for number, column in zip(numbers, (raw, now), strict=True))
    return (numbers[0], numbers[1]) if both else (raw, now)


def _renaming(raw: pd.Series, now: pd.Series) -> tuple[Status, str]:
    """Labels that trade places are decoded the other way round; new names are what the submission will hold."""
    mapping: Mapping[object, set[object]] = now.groupby(raw.to_numpy()).agg(set).to_dict()
    if set(map(str, raw.unique())) & set(map(str, now.unique())):
        return "fail", "one label stands for another, and the submission would say the opposite of what was learnt."
    if all(len(names) == 1 for names in mapping.values()):
        return "warn", "the submission will hold the new labels; Kaggle's spelling is the file's."
    return "fail", "one label became several, or several one: Kaggle asks for those of the file."
