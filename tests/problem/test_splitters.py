from __future__ import annotations

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpipe.problem.splitters import ByTime, RowSplit


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


def test_a_row_split_has_one_fold_survives_copies_and_shows_its_rows() -> None:
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


def panel(start: str, days: int, *, shops: int = 3) -> pd.DataFrame:
    """A row per day and shop, in any order."""
    when = np.repeat(pd.date_range(start, periods=days).to_numpy(), shops)
    return pd.DataFrame({"when": when}).sample(frac=1, random_state=0).reset_index(drop=True)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 4),
    st.sampled_from(["1 week", "10 days", "1 month", "36 hours"]),
    st.sampled_from([None, "3 days", "2 weeks"]),
)
def test_folds_by_horizon_validate_later_rows_behind_the_gap_and_cut_no_date(
    folds: int, horizon: str, gap: str | None
) -> None:
    frame = panel("2019-12-01", 200)
    pairs = list(ByTime("when", folds, horizon=horizon, gap=gap).split(frame))
    assert len(pairs) == folds
    end = frame["when"].max() + pd.Timedelta("1D")
    for train, valid in reversed(pairs):
        ours, theirs = frame["when"].iloc[train], frame["when"].iloc[valid]
        between = (theirs.min() - ours.max()).days
        if horizon != "36 hours":
            assert between == {None: 1, "3 days": 4, "2 weeks": 15}[gap]
            assert theirs.max() == end - pd.Timedelta("1D")
        assert between >= 1
        assert set(frame.index[frame["when"].isin(theirs)]) == set(valid)  # all rows of a date
        assert not set(ours) & set(theirs)
        end = theirs.min()
    rows = np.concatenate([valid for _, valid in pairs])
    assert len(rows) == len(np.unique(rows))


def test_whole_years_are_validated_whatever_their_number_of_days() -> None:
    frame = panel("2017-01-01", 4 * 365 + 1, shops=1).sort_values("when", ignore_index=True)
    years = [set(frame["when"].iloc[valid].dt.year) for _, valid in ByTime("when", 3, horizon="1 year").split(frame)]
    assert years == [{2018}, {2019}, {2020}]


def test_columns_of_year_and_month_are_a_time() -> None:
    frame = pd.DataFrame({"Year": np.repeat([2019, 2020], 12), "Month": np.tile(np.arange(1, 13), 2)})
    (pair,) = ByTime(("Year", "Month"), 1, horizon="3 months").split(frame)
    assert [rows.tolist() for rows in pair] == [list(range(21)), [21, 22, 23]]


def test_seconds_since_1970_are_dates() -> None:
    days = pd.date_range("2020-01-01", periods=60)
    frame = pd.DataFrame({"x": days.astype("M8[s]").astype(int)})
    (pair,) = ByTime("x", 1, horizon="10 days").split(frame)
    assert pair[1].tolist() == list(range(50, 60))


@pytest.mark.parametrize(
    ("horizon", "words"),
    [("1 year", "too few dates for 2 periods of 1 year"), ("soon", "like '1 year' or '6 weeks', or a number")],
)
def test_a_horizon_that_does_not_fit_is_refused(horizon: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        list(ByTime("when", 2, horizon=horizon).split(panel("2020-01-01", 200)))


def test_a_column_of_numbers_needs_a_number_as_horizon() -> None:
    with pytest.raises(ValueError, match="needs a length that is a number; got '1 week'"):
        list(ByTime("week", 2, horizon="1 week").split(pd.DataFrame({"week": range(50)})))
