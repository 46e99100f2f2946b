from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import TimeSeriesSplit

from kpipe.core.values import Folds
from kpipe.errors import DataError, UsageError
from kpipe.problem.splitters import RowSplit, folds_from_frame, folds_to_frame
from kpipe.training.folds import make_folds
from tests.tables import prices, problem_of, survivors


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 8), st.integers(0, 5))
def test_every_row_is_validated_once_and_never_by_a_fold_that_trained_on_it(n_folds: int, seed: int) -> None:
    for made in (survivors(), prices()):
        folds = make_folds(problem_of(made), seed=seed, n_folds=n_folds)
        assert np.sort(np.concatenate(folds.valid)).tolist() == list(range(80))
        for train, valid in zip(folds.train, folds.valid, strict=True):
            assert not set(train) & set(valid)
            assert len(train) + len(valid) == 80


def test_rows_of_one_group_stay_together() -> None:
    made = survivors()
    made.train["family"] = np.arange(80) // 4
    folds = make_folds(problem_of(made, groups="family"))
    for train, valid in zip(folds.train, folds.valid, strict=True):
        assert not set(made.train["family"].iloc[train]) & set(made.train["family"].iloc[valid])


def test_another_seed_gives_other_folds_and_the_same_seed_the_same() -> None:
    made = survivors()
    competition = problem_of(made)
    first, same, other = (make_folds(competition, seed=seed) for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(first.valid, same.valid, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first.valid, other.valid, strict=True))


def test_a_class_smaller_than_the_folds_is_refused_naming_it_and_the_way_out() -> None:
    made = survivors()
    made.train["survived"] = ["rare"] * 3 + ["common"] * 77
    with pytest.raises(DataError, match=r"class 'rare' of 'survived' has 3 rows, fewer than the 5 folds.*--folds 3"):
        make_folds(problem_of(made), n_folds=5)


def test_a_rare_class_is_no_reason_to_refuse_folds_that_nobody_asked_for() -> None:
    made = survivors()
    made.train["survived"] = ["rare"] * 1 + ["common"] * 50 + ["other"] * 29
    folds = make_folds(problem_of(made))
    assert sorted(np.concatenate(folds.valid).tolist()) == list(range(80))


def test_a_number_of_folds_that_the_splitter_cannot_take_is_refused() -> None:
    made = survivors()
    with pytest.raises(UsageError, match=r"--folds 3 does not fit.*RowSplit"):
        make_folds(problem_of(made, splitter=RowSplit()), n_folds=3)


def test_too_few_rows_for_the_folds_are_refused() -> None:
    made = prices(n=3)
    with pytest.raises(DataError, match=r"train\.csv cannot be split by KFold"):
        make_folds(problem_of(made))


@pytest.mark.parametrize(("rows", "train_rows", "trained"), [(42_000, 0.8, 33_600), (42_000, 33_600, 33_600)])
def test_the_notebooks_split_by_row(rows: int, train_rows: float, trained: int) -> None:
    ((train, valid),) = RowSplit(train_rows).split(np.zeros((rows, 1)))
    assert (len(train), len(valid)) == (trained, rows - trained)
    assert train.max() < valid.min()


def test_a_split_that_leaves_nothing_to_validate_is_refused() -> None:
    with pytest.raises(ValueError, match="rows on both sides of 5"):
        next(RowSplit(5).split(np.zeros((5, 1))))


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 6), st.integers(20, 60))
def test_folds_survive_their_table_also_where_rows_are_unused(n_folds: int, rows: int) -> None:
    pairs = list(TimeSeriesSplit(n_folds).split(np.zeros((rows, 1))))
    folds = Folds(train=tuple(t for t, _ in pairs), valid=tuple(v for _, v in pairs))
    frame = folds_to_frame(folds)
    assert frame.columns.tolist() == ["fold", "row", "role"]
    again = folds_from_frame(frame)
    for a, b in zip(folds.train + folds.valid, again.train + again.valid, strict=True):
        np.testing.assert_array_equal(a, b)
    pd.testing.assert_frame_equal(frame, folds_to_frame(again))
