from __future__ import annotations

import copy
import pickle
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpipe.problem.cut_outs import Period, PeriodEnds, TimeBlocks, phases

_PERIODS = get_args(Period)


def starts_of(period: Period) -> pd.DataFrame:
    """Three years of hours, without the ends of periods, from two places."""
    hours = pd.date_range("2019-01-01", "2021-12-31 23:00", freq="6h" if period != "day" else "h").to_series()
    last = {"day": 15, "week": 4, "month": 19, "year": 300}[period]
    kept = hours[phases(hours, period) <= last].to_numpy()
    frame = pd.DataFrame({"when": np.repeat(kept, 2), "place": np.tile([0, 1], len(kept))})
    return frame.sample(frac=1, random_state=0).reset_index(drop=True)


@pytest.mark.parametrize("period", _PERIODS)
def test_each_fold_trains_on_the_starts_of_all_periods_and_on_no_end(period: Period) -> None:
    frame = starts_of(period)
    splitter = PeriodEnds("when", period, horizon=2, n_splits=3)
    phase = phases(frame["when"], period)
    validated = []
    for train, valid in splitter.split(frame):
        assert phase[train].max() < phase[valid].min()
        assert frame["when"].iloc[train].max() > frame["when"].iloc[valid].max() - pd.Timedelta(days=370)
        assert not set(frame["when"].iloc[train]) & set(frame["when"].iloc[valid])  # no date is cut
        validated.append(valid)
    rows = np.concatenate(validated)
    assert len(rows) == len(np.unique(rows))
    assert set(np.flatnonzero(phase == phase.max())) <= set(rows)  # the end of each period is validated


def test_later_months_are_trained_on_too_as_for_the_test_rows() -> None:
    frame = starts_of("month")
    for train, valid in PeriodEnds("when", horizon=7).split(frame):
        assert frame["when"].iloc[train].dt.to_period("M").nunique() == 36
        assert frame["when"].iloc[valid].dt.to_period("M").nunique() in (7, 8)


def test_too_few_periods_or_no_dates_are_refused() -> None:
    frame = starts_of("year")
    with pytest.raises(ValueError, match="when holds too few years for 5 folds"):
        list(PeriodEnds("when", "year").split(frame))
    with pytest.raises(ValueError, match="place must hold dates"):
        list(PeriodEnds("place").split(frame))


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 5), st.sampled_from([None, "1 days", "5 days", "36 hours"]), st.integers(0, 3))
def test_blocks_of_time_stay_whole_and_every_row_is_validated_once(folds: int, block: str | None, seed: int) -> None:
    rng = np.random.default_rng(seed)
    times = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 24 * 60, size=300), unit="h")
    frame = pd.DataFrame({"when": times})
    pairs = list(TimeBlocks("when", block, n_splits=folds, random_state=seed).split(frame))
    assert sorted(np.concatenate([valid for _, valid in pairs])) == list(range(300))
    for train, valid in pairs:
        assert not set(train) & set(valid)
        assert not set(frame["when"].iloc[train]) & set(frame["when"].iloc[valid])
        if block is not None:
            numbers = (frame["when"] - frame["when"].min().floor("D")) // pd.Timedelta(block)
            assert len(set(numbers.iloc[train]) & set(numbers.iloc[valid])) == 0


def test_rows_without_a_date_are_in_no_fold() -> None:
    frame = starts_of("month")
    frame.loc[7, "when"] = pd.NaT
    for splitter in (PeriodEnds("when"), TimeBlocks("when", "5 days")):
        for pair in splitter.split(frame):
            assert all(7 not in rows for rows in pair)


def test_numbers_form_blocks_and_the_remainder_joins_the_last_one() -> None:
    frame = pd.DataFrame({"step": np.arange(21)})
    sides = [set(valid.tolist()) for _, valid in TimeBlocks("step", 5, n_splits=4, shuffle=False).split(frame)]
    assert {frozenset(range(15, 21)), frozenset(range(5))} <= {frozenset(side) for side in sides}


@pytest.mark.parametrize("splitter", [PeriodEnds("when"), TimeBlocks("when", "2 days")], ids=["ends", "blocks"])
def test_splitters_are_repeatable_survive_copies_and_have_a_repr_that_recreates_them(
    splitter: PeriodEnds | TimeBlocks,
) -> None:
    frame = starts_of("month")
    for other in (splitter, copy.copy(splitter), pickle.loads(pickle.dumps(splitter))):
        pairs = zip(splitter.split(frame), other.split(frame), strict=True)
        assert all(np.array_equal(a, b) for one, two in pairs for a, b in zip(one, two, strict=True))
        assert repr(other) == repr(splitter)
        assert repr(eval(repr(splitter))) == repr(splitter)
