from __future__ import annotations

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpipe.problem.splitters import RowSplit


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 200), st.floats(0.01, 0.99))
def test_a_row_split_parts_all_rows_in_the_order_of_the_file_or_refuses(rows: int, share: float) -> None:
    splitter = RowSplit(share)
    if not 0 < round(rows * share) < rows:
        with pytest.raises(ValueError, match=f"some of the {rows} rows to train and some to validate; got {share}"):
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
    with pytest.raises(ValueError, match=f"some of the 10 rows to train and some to validate; got {rows}"):
        next(RowSplit(rows).split(np.zeros((10, 1))))


@pytest.mark.parametrize(("rows", "train_rows", "trained"), [(42_000, 0.8, 33_600), (42_000, 33_600, 33_600)])
def test_a_row_split_gives_the_rows_of_the_notebook(rows: int, train_rows: float, trained: int) -> None:
    ((train, valid),) = RowSplit(train_rows).split(np.zeros((rows, 1)))
    assert (len(train), len(valid)) == (trained, rows - trained)
    assert train.max() < valid.min()
