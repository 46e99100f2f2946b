from __future__ import annotations

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpipe.core.values import Folds
from kpipe.problem.splitters import RowSplit, folds_from_frame, folds_to_frame


@st.composite
def any_folds(draw: st.DrawFn) -> Folds:
    """One to four folds of any rows: overlapping, unsorted, and with rows in neither part."""
    train, valid = [], []
    for _ in range(draw(st.integers(1, 4))):
        rows = np.asarray(draw(st.permutations(range(draw(st.integers(2, 30))))), dtype=np.int64)
        cut = draw(st.integers(1, len(rows) - 1))
        train.append(rows[:cut])
        valid.append(rows[cut : draw(st.integers(cut + 1, len(rows)))])
    return Folds(train=tuple(train), valid=tuple(valid))


@settings(max_examples=50, deadline=None)
@given(any_folds())
def test_any_folds_come_back_from_their_table_sorted(folds: Folds) -> None:
    frame = folds_to_frame(folds)
    again = folds_from_frame(frame)
    assert [frame[name].dtype for name in ("fold", "row")] == [np.int64, np.int64]
    assert set(frame["role"]) == {"train", "valid"}
    assert (len(again.train), len(again.valid)) == (len(folds.train), len(folds.valid))
    for before, after in zip(folds.train + folds.valid, again.train + again.valid, strict=True):
        assert after.dtype == np.int64
        np.testing.assert_array_equal(np.sort(before), after)


@settings(max_examples=20, deadline=None)
@given(any_folds(), st.integers(0, 99))
def test_the_order_of_the_tables_rows_does_not_matter(folds: Folds, seed: int) -> None:
    frame = folds_to_frame(folds)
    shuffled = frame.sample(frac=1, random_state=seed)
    a, b = folds_from_frame(frame), folds_from_frame(shuffled)
    for one, other in zip(a.train + a.valid, b.train + b.valid, strict=True):
        np.testing.assert_array_equal(one, np.sort(other))


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 200), st.floats(0.01, 0.99))
def test_a_row_split_parts_all_rows_in_the_order_of_the_file_or_refuses(rows: int, share: float) -> None:
    splitter = RowSplit(share)
    if not 0 < round(rows * share) < rows:
        with pytest.raises(ValueError, match=f"rows on both sides of {rows}, however: {share}"):
            next(splitter.split(np.zeros((rows, 1))))
        return
    ((train, valid),) = splitter.split(pd.DataFrame({"x": range(rows)}))
    assert [*train, *valid] == list(range(rows))
    assert abs(len(train) - rows * share) <= 0.5


def test_a_row_split_splits_twice_the_same_and_another_table_by_its_own_rows() -> None:
    splitter = RowSplit(0.5)
    first, second = (next(splitter.split(np.zeros((10, 1)))) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    assert len(next(splitter.split(np.zeros((40, 1))))[0]) == 20
    assert vars(splitter) == {"train_rows": 0.5}


def test_a_row_split_has_one_fold_survives_copies_and_says_its_rows() -> None:
    for splitter in (RowSplit(7), copy.copy(RowSplit(7)), pickle.loads(pickle.dumps(RowSplit(7)))):
        assert splitter.get_n_splits() == len(list(splitter.split(np.zeros((9, 1))))) == 1
        assert repr(splitter) == "RowSplit(train_rows=7)"


@pytest.mark.parametrize("rows", [0, -1, 10, 11, 0.01, 0.99])
def test_a_row_split_without_rows_on_both_sides_is_refused_with_both_numbers(rows: float) -> None:
    with pytest.raises(ValueError, match=f"rows on both sides of 10, however: {rows}"):
        next(RowSplit(rows).split(np.zeros((10, 1))))
