"""Features that are the target: it whole, its near copy, or it in some of the rows.

Each column is looked at by itself, on rows drawn from train, out of fold: what a table of its values says of others.
A feature may be strong; it may not be certain. Where certainty sets in at once, with nothing between it and what the
other values of the column say, the target was written into it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from shlex import quote

import numpy as np
import pandas as pd

from kpipe.core.values import Check, Status
from kpipe.data.column_types import to_numeric
from kpipe.problem.problem import Problem

__all__ = ["Leak", "ranked", "target_hidden", "targets_in"]

_CELLS, _ROWS = 5_000_000, 30_000  # looked at
_FOLDS, _BINS = 4, 100
_USUAL = 5  # rows of the usual shares that are added to those of a value, which may have few
# Share of the errors of the best constant that one column alone takes away: likely, and surely, the target itself.
_LIKELY, _SURELY, _LIKELY_RANKED, _SURELY_RANKED = 0.95, 0.995, 0.97, 0.9995
_ENOUGH = 200  # rows from which something is sure
# Of a column's other values, the best one may say a class with such a chance before certainty is no surprise.
_GRADUAL = 0.9
_REST = 0.05  # of the rows must be uncertain, where the others are said to be certain
_MET = 4  # certain rows of the other class, where two meet
# Natural logarithm of how unlikely the certain rows must be, were they as uncertain as the most certain of the others.
_EVIDENCE, _EVIDENCE_ONE_CLASS = 5.0, 25.0
_MOST_CLASSES = 50
_RANKED = 0.995  # rank correlation of a copy, within the rows that hold one
_FEWEST_RANKED, _ENOUGH_RANKED = 12, 60  # rows: of fewer an honest feature may have the target's very order
_ENOUGH_ON_LINE, _WEAK = (
    20,
    0.5,
)  # rows on a line, and rank correlation of the other rows, from and up to which it is sure
_PAIRS = 20_000  # of rows, whose slopes are looked at
_TARGETS = 10  # looked at, of several


@dataclass(frozen=True)
class Leak:
    """A column that holds the target.

    sure : whether nothing else explains it.
    rows : how many rows of train it tells, of those looked at (``of``).
    how : what was seen, as half a sentence.
    """

    column: str
    target: str
    sure: bool
    rows: int
    of: int
    how: str


def target_hidden(problem: Problem) -> Check:
    """Whether a column that models see is the target, its near copy, or holds it for some rows."""
    columns = [c for c in problem.columns if c not in problem.targets]
    rows = _some_rows(len(problem.tables.train), len(columns))
    X = problem.tables.train[columns].iloc[rows]
    found: list[Leak] = []
    for name in problem.targets[:_TARGETS]:
        y = problem.tables.train[name].iloc[rows]
        found.extend(targets_in(X, y, labels=problem.task == "classification"))
    if not found:
        return Check(name="target leakage", status="pass", detail="No column is the target, or holds it for some rows.")
    found.sort(key=lambda leak: (-leak.sure, -leak.rows))
    first = found[0]
    others = list(dict.fromkeys(leak.column for leak in found if leak.column != first.column))
    detail = f"{first.column} {first.how}."
    detail += f" So do {', '.join(others[:3])}." if others else ""
    detail += (
        f" A model copies it, and test will not have it: see where it comes from, or --drop {quote(str(first.column))}."
    )
    status: Status = "fail" if any(leak.sure for leak in found) else "warn"
    return Check(name="target leakage", status=status, detail=detail)


def _some_rows(rows: int, columns: int) -> np.ndarray:
    most = int(np.clip(_CELLS // max(columns, 1), 4_000, _ROWS))
    return np.sort(np.random.default_rng(0).permutation(rows)[:most])


def targets_in(X: pd.DataFrame, y: pd.Series, *, labels: bool) -> Iterator[Leak]:
    """The columns of X that hold y, each with what was seen.

    labels : whether y is a class; else it is a number.
    """
    classes, names = pd.factorize(y, sort=True)
    rng = np.random.default_rng(0)
    fold = rng.permutation(len(X)) % _FOLDS
    numbers = None if labels else y.to_numpy(dtype=np.float64)
    ranks = None if numbers is None else ranked(numbers)
    for column in X.columns:
        read = to_numeric(X[column])
        binned = _binned(X[column], read)
        said = None
        if numbers is not None and ranks is not None:
            said = _by_rank(binned.codes, ranks, fold) or (None if read is None else _by_number(read, numbers))
        if said is None and len(names) <= _MOST_CLASSES:
            said = _by_class(binned, classes, fold, [str(label) for label in names], columns=X.shape[1])
        if said is not None:
            sure, rows, how = said
            yield Leak(str(column), str(y.name), sure, rows, len(X), how.replace("{y}", str(y.name)))


_Said = tuple[bool, int, str] | None


def _by_class(binned: _Binned, classes: np.ndarray, fold: np.ndarray, names: list[str], *, columns: int) -> _Said:
    """Where a table of the column's values tells the class."""
    codes = binned.codes
    bins, kinds = len(binned.values), len(names)
    table = np.bincount((fold * bins + codes) * kinds + classes, minlength=_FOLDS * bins * kinds)
    table = table.reshape(_FOLDS, bins, kinds)
    whole = table.sum(axis=0)
    told = (whole[None] - table).argmax(axis=2)
    right = int(np.take_along_axis(table, told[..., None], axis=2).sum())
    most = int(whole.sum(axis=0).max())
    skill = (right - most) / max(len(codes) - most, 1)
    if skill >= _LIKELY:
        how = f"alone tells {{y}} in {right / len(codes):.2%} of the rows that were not looked at (most frequent: "
        # Surely the target only where it looks like it: a steep feature has more values than there are classes.
        sure = skill >= _SURELY and len(codes) >= _ENOUGH and bins <= 2 * kinds + binned.gap
        return sure, right, f"{how}{most / len(codes):.1%})"
    return _certain(whole, binned, names, tests=columns * bins)


def _certain(whole: np.ndarray, binned: _Binned, names: list[str], *, tests: int) -> _Said:
    """Where some values are certain of their class, and no other value is nearly so.

    whole : (values, classes) rows. Neighbours that are certain of the same class are taken together.
    tests : how many values of how many columns are looked at; among as many, some are certain by chance.

    A strong feature is certain at its ends, and less and less between them. So numbers count where certainty of one
    class meets that of another, or where one value, or all that are not missing, are of one class.
    """
    counts, which = whole.sum(axis=1), whole.argmax(axis=1)
    pure = (counts == whole.max(axis=1)) & (counts > 0)
    share = whole.sum(axis=0) / counts.sum()
    chance = ((whole[~pure] + _USUAL * share) / (counts[~pure, None] + _USUAL)).max(axis=0, initial=0)
    chance = np.maximum(chance, share)
    surprise = np.where(chance <= _GRADUAL, -np.log(np.clip(chance, 1e-12, 1)), 0.0)
    apart = (np.diff(which) != 0) | ~(pure[1:] & pure[:-1]) | (not binned.ordered)
    run = np.cumsum(np.concatenate([[0], apart]))
    rows = np.bincount(run, weights=counts * pure)
    kind = which[np.unique(run, return_index=True)[1]]
    evidence = rows * surprise[kind] - np.log(tests)
    met = _meet(rows, kind, np.bincount(run)) if binned.ordered else np.ones(len(rows), dtype=bool)
    clear = np.flatnonzero((rows > 0) & (evidence > 0) & (met | _alone(binned, run)))
    # What lies between two that meet is where a feature changes its mind; without other rows it is one steep feature.
    between = np.concatenate([[False], met[:-2] & met[2:] & (rows[1:-1] == 0), [False]])[: len(rows)]
    if counts[~pure & ~between[run]].sum() < _REST * counts.sum():
        return None
    # Of many classes one may have values of its own, as some pixels are black in a 6 only; half of all may not.
    several = len(np.unique(kind[clear])) >= max(2, len(names) / 2)
    if not len(clear) or (not several and len(names) > 2):
        return None
    if evidence[clear].sum() < (_EVIDENCE if several else _EVIDENCE_ONE_CLASS):
        return None
    best = clear[np.argsort(-rows[clear])][:3]
    shown = [
        f"{_span(binned.values, np.flatnonzero(run == number))} is always {names[kind[number]]}" for number in best
    ]
    told = int(rows[clear].sum())
    sure = several and bool(counts.sum() >= 2 * _ENOUGH)  # in fewer rows an honest feature may seem certain by chance
    return sure, told, f"tells {{y}} with certainty in {told} of {int(counts.sum())} rows ({', '.join(shown)})"


def _meet(rows: np.ndarray, kind: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Which stretches of certain values lie beside one of another class, or have one value between them."""
    met = np.zeros(len(rows), dtype=bool)
    for step in (1, 2):
        near = (rows[step:] >= _MET) & (rows[:-step] >= _MET) & (kind[step:] != kind[:-step])
        if step == 2:
            near &= width[1:-1] == 1
        met[step:] |= near
        met[:-step] |= near
    return met


def _alone(binned: _Binned, run: np.ndarray) -> np.ndarray:
    """Which stretches are one frequent value, or everything that is not missing."""
    values = np.bincount(run)
    frequent = np.bincount(run, weights=binned.frequent) == values
    return (frequent & (values == 1)) | (values >= len(run) - binned.gap)


def _span(values: list[str], places: np.ndarray) -> str:
    return values[places[0]] if len(places) == 1 else f"{values[places[0]]} to {values[places[-1]]}"


def _by_rank(codes: np.ndarray, ranks: np.ndarray, fold: np.ndarray) -> _Said:
    """Where a table of the column's values tells the rank of a number."""
    bins = int(codes.max()) + 1
    at = fold * bins + codes
    counts = np.bincount(at, minlength=_FOLDS * bins).reshape(_FOLDS, bins)
    sums = np.bincount(at, weights=ranks, minlength=_FOLDS * bins).reshape(_FOLDS, bins)
    others = counts.sum(axis=0) - counts
    told = np.where(others > 0, (sums.sum(axis=0) - sums) / np.maximum(others, 1), 0.5)
    skill = 1 - float(((ranks - told[fold, codes]) ** 2).sum() / ((ranks - ranks.mean()) ** 2).sum())
    if skill < _LIKELY_RANKED:
        return None
    sure = skill >= _SURELY_RANKED and len(codes) >= _ENOUGH
    return sure, len(codes), f"alone explains {skill:.2%} of the ranks of {{y}}, in rows not looked at"


def _by_number(values: np.ndarray, y: np.ndarray) -> _Said:
    """Where a column holds the number itself, scaled or not, in some rows."""
    there = ~np.isnan(values)
    if there.sum() < _FEWEST_RANKED:
        return None
    usual, often = _mode(values[there])
    slices = {"where it is not missing": there}
    if often >= 0.05 * len(values):
        slices[f"where it is not {usual:g}"] = there & (values != usual)
    for where, rows in slices.items():
        if rows.sum() >= _FEWEST_RANKED and len(np.unique(y[rows])) > rows.sum() / 4:
            rho = _rank_correlation(values[rows], y[rows])
            if abs(rho) >= _RANKED:
                how = f"follows {{y}} in {int(rows.sum())} of {len(y)} rows, {where} (rank correlation {rho:.4f})"
                sure = abs(rho) >= _SURELY_RANKED and rows.sum() >= _ENOUGH_RANKED  # a good sensor has gaps, too
                on_line = None if sure else _by_relation(values, y, there)
                return on_line if on_line is not None and on_line[0] else (bool(sure), int(rows.sum()), how)
    return _by_relation(values, y, there)


def _rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.corrcoef(ranked(x), ranked(y))[0, 1]) if np.ptp(x) and np.ptp(y) else 0.0


def _by_relation(values: np.ndarray, y: np.ndarray, there: np.ndarray) -> _Said:
    """Where too many rows lie on one line: the column is a number times the target, or its logarithm, plus another.

    A share of such rows gives its square as a share of the pairs of rows with one and the same slope (Theil 1950).
    """
    rows = np.flatnonzero(there)
    for what, target in _forms(y):
        slopes = [1.0, _slope(values[rows], target[rows])]
        for slope in slopes:
            if np.isnan(slope) or slope == 0:
                continue
            left = _digits(values[rows] - slope * target[rows])
            start, often = _mode(left)
            if often < 8:
                continue
            mixed = np.roll(target[rows], len(rows) // 2)
            if often > 4 * _mode(_digits(values[rows] - slope * mixed))[1] + 4:
                times = "" if abs(slope - 1) < 1e-6 else f"{slope:.4g} times "
                plus = "" if abs(start) < 1e-6 * np.abs(values[rows]).max() else f" plus {start:.4g}"
                sure = often >= _ENOUGH_ON_LINE and _nothing_gradual(values[rows], target[rows], left, start)
                return sure, often, f"is {times}{what}{plus} in {often} of {len(y)} rows"
    return None


def _nothing_gradual(x: np.ndarray, y: np.ndarray, left: np.ndarray, start: float) -> bool:
    """Whether the rows on a line have nothing to do with the others: it was written there.

    left : what is left of x but for the slope; ``start`` on the line. A listed price is the price that was paid in some
    rows, and near it in the others; a count is last year's, or one more; and what was nothing stays nothing.
    """
    on = left == start
    others = x[~on], y[~on]
    weak = len(others[0]) < _FEWEST_RANKED or abs(_rank_correlation(*others)) < _WEAK
    return bool(weak and _mode(left[~on])[1] <= on.sum() / 4 and _mode(y[on])[1] <= on.sum() / 2)


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    """The most frequent slope between pairs of rows; NaN where none is frequent."""
    rng = np.random.default_rng(0)
    one, two = rng.integers(0, len(x), (2, _PAIRS))
    there = (x[one] != x[two]) & (y[one] != y[two])
    slopes = (x[one] - x[two])[there] / (y[one] - y[two])[there]
    slope, often = _mode(_digits(slopes))
    return slope if often >= 6 else np.nan


def _forms(y: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    yield "{y}", y
    if np.all(y > -1) and np.ptp(y) > 10:
        yield "log(1 + {y})", np.log1p(y)
    if np.all(y > 0) and np.ptp(y) > 10:
        yield "log({y})", np.log(y)


def _digits(values: np.ndarray) -> np.ndarray:
    """Rounded to eight digits of the usual size, so that rounding errors do not part equals."""
    usual = float(np.median(np.abs(values))) if len(values) else 1.0
    scale = usual if usual > 0 else 1.0
    return np.asarray(np.round(values / scale, 8) * scale)


def _mode(values: np.ndarray) -> tuple[float, int]:
    """The most frequent value, and how often it is there."""
    if not len(values):
        return 0.0, 0
    ordered = np.sort(values)
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    counts = np.diff(np.concatenate([starts, [len(ordered)]]))
    best = int(counts.argmax())
    return float(ordered[starts[best]]), int(counts[best])


def ranked(values: np.ndarray) -> np.ndarray:
    """Ranks from 0 to 1, equal values in the middle of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts + 1) / 2)[inverse] / max(len(values) - 1, 1))


@dataclass(frozen=True)
class _Binned:
    """A column as few values.

    codes : (n,) of each row. values : what each code stands for. ordered : whether neighbours are.
    frequent : whether a code is one value. gap : whether there is a code for what is missing.
    """

    codes: np.ndarray
    values: list[str]
    frequent: np.ndarray
    ordered: bool
    gap: bool


def _binned(column: pd.Series, numbers: np.ndarray | None) -> _Binned:
    """A frequent value is one by itself; the others are put together by size."""
    if numbers is None:
        codes, levels = pd.factorize(column)
        return _Binned(codes + 1, ["a gap", *map(str, levels)], np.ones(len(levels) + 1, dtype=bool), False, True)
    distinct, inverse, counts = _distinct(column, numbers)
    width = max(len(numbers) / _BINS, 8)
    frequent = counts >= max(4, width / 4)
    # A bin ends where its share of rows is full and before and after each frequent value.
    shared = (np.cumsum(np.where(frequent, 0, counts)) // width).astype(np.int64)
    edges = np.concatenate([[False], (np.diff(shared) != 0) | frequent[1:] | frequent[:-1]])
    of_value = np.cumsum(edges).astype(np.int64)
    first = np.flatnonzero(np.concatenate([[True], np.diff(of_value) != 0]))
    shown = [_shown(distinct[place], frequent[place]) for place in first]
    return _Binned(of_value[inverse], shown, frequent[first], True, bool(np.isnan(distinct[-1])))


def _distinct(column: pd.Series, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What ``np.unique`` gives with all its options; quickly for bytes."""
    if column.dtype != np.uint8:
        return np.unique(numbers, return_inverse=True, return_counts=True)
    of_byte = np.bincount(column, minlength=256)
    there = of_byte > 0
    return np.flatnonzero(there), (np.cumsum(there) - 1)[column], of_byte[there]


def _shown(value: float, alone: bool) -> str:
    return "a gap" if np.isnan(value) else f"{value:g}" if alone else f"about {value:g}"
