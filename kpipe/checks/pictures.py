"""Duplicate and near-duplicate pictures across folds or in test; picture files that reveal the class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

from kpipe.checks.interface import Finding, TableCheck
from kpipe.checks.statistics import two_proportion_z
from kpipe.core.values import Folds
from kpipe.data.pixels import FILE_COLUMNS, picture_columns, picture_shape
from kpipe.problem.problem import Problem

__all__ = ["TABLE_CHECKS", "duplicate_pictures", "files_tell_the_class", "thumbnails"]

_SIDE = 12  # pixels of a thumbnail
_ALIKE = 0.97  # correlation of two thumbnails from which the pictures count as the same
_TURNED = 500  # pictures that are looked up turned and cropped, if none is found otherwise
_CROPS = (0.9, 0.8, 0.7)  # share of the side of a picture that a copy shows
_MEANING = {FILE_COLUMNS[3]: " (for JPEG files, the quality)"}
_FLAT = 4.0  # standard deviation of a thumbnail's grey levels below which it shows nothing
_QUERIES, _AMONG, _AT_A_TIME = 2_000, 20_000, 500  # pictures looked up, looked up among, and at a time
_SIGNIFICANT, _MIN_EXCESS, _FAILS = 3.5, 0.003, 0.1  # as for rows of tables
_ROWS_OF_A_CLASS = 5  # at least, so that a tree can learn a class
# Share of the most common class's errors that a column about the files removes; more for their sizes, since the
# textures that pictures show affect these, too.
_REVEALED, _REVEALED_BY_SIZE = 0.3, 0.5
_MAX_IN_TEST = 0.02  # share of test's pictures, beyond validation's, that may be in train


def duplicate_pictures(problem: Problem, folds: Folds) -> Iterator[Finding]:
    """Check whether folds separate duplicate or near-duplicate pictures more often than test and train share them.

    Copies that were saved again, made brighter or smaller, mirrored, turned, cropped or inverted count: their
    grey thumbnails correlate.

    Parameters
    ----------
    problem : Problem
    folds : Folds

    Yields
    ------
    Finding
    """
    columns = picture_columns(problem.columns)
    if not columns or not len(problem.tables.test):
        return
    found = _look_up(problem, folds, columns, queries=_QUERIES, turned=False)
    if found[0] == "pass":
        further = _look_up(problem, folds, columns, queries=_TURNED, turned=True)
        found = found if further[0] == "pass" else further
    yield found


def _look_up(problem: Problem, folds: Folds, columns: list[str], *, queries: int, turned: bool) -> Finding:
    """The finding about copies of some pictures. turned : whether rotated and cropped copies are searched for, too."""
    rng = np.random.default_rng(0)
    kept = np.sort(rng.permutation(len(problem.X))[:_AMONG])
    train = _Thumbnails.of(problem.tables.train[columns], kept)
    asked_of_test = np.sort(rng.permutation(len(problem.X_test))[:queries])
    test = _Thumbnails.of(problem.tables.test[columns], asked_of_test, views=True, turned=turned)
    again, fold_of, in_test = [], [], []
    with threadpool_limits(1):
        for number, (fitted, valid) in enumerate(zip(folds.train, folds.valid, strict=True)):
            among = train.take(np.isin(train.rows, fitted))
            some = np.intersect1d(train.rows, rng.permutation(valid)[: queries // len(folds.valid) + 1])
            asked = _Thumbnails.of(problem.tables.train[columns], some, views=True, turned=turned)
            again.append(_matches(asked, among))
            fold_of.append(np.full(len(again[-1]), number))
            in_test.append(_matches(test.take(slice(number, None, len(folds.valid))), among))
    pairs, of_test = np.concatenate(again), np.concatenate(in_test)
    return _finding(problem, pairs, of_test, np.concatenate(fold_of))


@dataclass(frozen=True)
class _Thumbnails:
    """Thumbnails of unit length, with the rows that they belong to.

    views : further thumbnails of the same pictures: mirrored, turned by quarters, or of their middle only.
    """

    rows: np.ndarray
    plain: np.ndarray
    views: tuple[np.ndarray, ...] = ()

    @classmethod
    def of(cls, frame: pd.DataFrame, rows: np.ndarray, *, views: bool = False, turned: bool = False) -> _Thumbnails:
        """The thumbnails of some rows; those of pictures that show nothing are 0."""
        shape = picture_shape(list(frame.columns)) or (1, 1, 1)
        values = frame.to_numpy()
        parts = [values[rows[i : i + _AT_A_TIME]] for i in range(0, len(rows), _AT_A_TIME)]
        small = _joined([thumbnails(part, shape) for part in parts])
        further = [small[:, :, ::-1]] if views else []
        for quarters in (1, 2, 3) if turned else ():
            turn = np.rot90(small, quarters, axes=(1, 2))
            further += [turn, turn[:, :, ::-1]]
        for share in _CROPS if turned else ():
            further.append(_joined([_of_middle(part, shape, share) for part in parts]))
        return cls(rows, _unit(small), tuple(map(_unit, further)))

    def take(self, chosen: np.ndarray | slice) -> _Thumbnails:
        """The thumbnails at these positions."""
        return _Thumbnails(self.rows[chosen], self.plain[chosen], tuple(views[chosen] for views in self.views))


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros((0, _SIDE, _SIDE), np.float32)


def _of_middle(rows: np.ndarray, shape: tuple[int, int, int], share: float) -> np.ndarray:
    """Thumbnails of the middle of pictures. share : of their sides."""
    down, across = (round(side * (1 - share) / 2) for side in shape[:2])
    middle = rows.reshape(-1, *shape)[:, down : shape[0] - down, across : shape[1] - across]
    return thumbnails(middle.reshape(len(rows), -1), middle.shape[1:])


def thumbnails(rows: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Small grey versions of pictures.

    Parameters
    ----------
    rows : (n, pixels) array of uint8
    shape : tuple of int
        (height, width, channels).

    Returns
    -------
    (n, 12, 12) float32 array
        Means of the pixels that each of their pixels stands for.
    """
    grey = rows.reshape(-1, *shape).mean(axis=3, dtype=np.float32)
    for axis, side in ((1, shape[0]), (2, shape[1])):
        starts, ends = np.arange(_SIDE) * side // _SIDE, -(-np.arange(1, _SIDE + 1) * side // _SIDE)
        sums = np.cumsum(np.moveaxis(grey, axis, 0), axis=0, dtype=np.float64)
        sums = np.concatenate([np.zeros_like(sums[:1]), sums])
        means = (sums[ends] - sums[starts]) / (ends - starts)[:, None, None]
        grey = np.moveaxis(means, 0, axis).astype(np.float32)
    return grey


def _unit(small: np.ndarray) -> np.ndarray:
    flat = small.reshape(len(small), -1)
    centred = flat - flat.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.where(lengths > _FLAT * _SIDE, centred / np.maximum(lengths, 1e-9), 0.0).astype(np.float32)


def _matches(asked: _Thumbnails, among: _Thumbnails) -> np.ndarray:
    """(asked, 2) each row and its nearest among others; -1 if none is similar enough."""
    found = np.full((len(asked.rows), 2), -1)
    found[:, 0] = asked.rows
    for start in range(0, len(asked.rows) if len(among.rows) else 0, _AT_A_TIME):
        part = slice(start, start + _AT_A_TIME)
        for views in (asked.plain[part], *(each[part] for each in asked.views)):
            # Where light and dark are exchanged, the correlation is negative.
            products = np.abs(views @ among.plain.T)
            nearest = products.argmax(axis=1)
            alike = products[np.arange(len(nearest)), nearest] >= _ALIKE
            found[part, 1] = np.where(alike & (found[part, 1] < 0), among.rows[nearest], found[part, 1])
    return found


def _finding(problem: Problem, pairs: np.ndarray, of_test: np.ndarray, fold_of: np.ndarray) -> Finding:
    here, there = float((pairs[:, 1] >= 0).mean()), float((of_test[:, 1] >= 0).mean())
    z, excess = two_proportion_z(here, len(pairs), there, len(of_test)), here - there
    train, test = (frame.get(problem.id, None) for frame in (problem.tables.train, problem.tables.test))
    if excess >= _MIN_EXCESS and z > _SIGNIFICANT:
        place = int(np.flatnonzero(pairs[:, 1] >= 0)[0])
        names = f"{_name(train, pairs[place, 0])} and {_name(train, pairs[place, 1])}"
        return (
            "fail" if excess > _FAILS else "warn",
            f"{here:.1%} of validation rows have a picture that also occurs, identically or nearly so, among the "
            f"training rows of their fold; for test rows it is {there:.1%}. The score is too optimistic. For example "
            f"{names}, "
            f"separated by fold {fold_of[place] + 1}. Keep such pictures in one fold (groups=, --split COLUMN), or "
            "drop the copies in clean.",
        )
    if there - here > _MAX_IN_TEST and -z > _SIGNIFICANT:
        place = int(np.flatnonzero(of_test[:, 1] >= 0)[0])
        names = f"{_name(test, of_test[place, 0])} of test and {_name(train, of_test[place, 1])} of train"
        return (
            "warn",
            f"{there:.1%} of test pictures also occur in train, identically or nearly so; of validation rows, among "
            f"the training rows of their fold, {here:.1%} do. Test may be easier than the score suggests. For example "
            f"{names}.",
        )
    return (
        "pass",
        f"{here:.1%} of validation rows have a picture that also occurs, identically or nearly so, among the training "
        f"rows of their fold; for test rows it is {there:.1%}.",
    )


def _name(ids: pd.Series | None, row: int) -> str:
    return f"row {row + 1}" if ids is None else str(ids.iloc[row])


def files_tell_the_class(problem: Problem, folds: Folds) -> Iterator[Finding]:
    """Check whether the size or format of a picture file reveals its class: classes were saved in different ways.

    Parameters
    ----------
    problem : Problem
    folds : Folds

    Yields
    ------
    Finding
    """
    facts = [name for name in problem.tables.train if name in FILE_COLUMNS]
    if not facts or problem.labels is None or _ROWS_OF_A_CLASS * len(problem.labels) > len(problem.y):
        return
    y = problem.y
    tree = DecisionTreeClassifier(max_leaf_nodes=max(8, 2 * len(problem.labels)), min_samples_leaf=5, random_state=0)
    usual = float(np.bincount(y).max() / len(y))
    accuracy = {}
    for name in facts:
        X = problem.tables.train[[name]].to_numpy()
        right = [
            tree.fit(X[fit], y[fit]).predict(X[valid]) == y[valid]
            for fit, valid in zip(folds.train, folds.valid, strict=True)
        ]
        accuracy[name] = float(np.concatenate(right).mean())
    name = max(accuracy, key=lambda each: accuracy[each])
    share = (accuracy[name] - usual) / max(1 - usual, 1e-9)
    if share > (_REVEALED_BY_SIZE if name == FILE_COLUMNS[0] else _REVEALED):
        yield (
            "warn",
            f"{name!r}{_MEANING.get(name, '')} alone tells the class of {accuracy[name]:.1%} of the pictures (the most "
            f"common class: {usual:.1%}): pictures of different classes were saved in different ways. A network may "
            "learn traces of that instead of what the pictures show. Check whether the test files differ in the same "
            "way.",
        )
    else:
        yield (
            "pass",
            f"File sizes and formats do not reveal the classes: {name!r} is right for {accuracy[name]:.1%} of the "
            f"pictures, the most common class for {usual:.1%}.",
        )


TABLE_CHECKS = (
    TableCheck("duplicate pictures", duplicate_pictures, pictures=True),
    TableCheck("picture files", files_tell_the_class, pictures=True),
)
