"""How test lies in train's time, and that folds lie likewise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpipe.core.values import Tables
from kpipe.problem.problem import Problem
from kpipe.training.folds import make_folds
from tests.tables import problem_of, tables

HOURS = pd.date_range("2011-01-01", "2012-12-31 23:00", freq="h")
DAYS = pd.date_range("2017-01-01", "2020-12-31")
WEEKS = pd.date_range("2010-02-05", "2013-07-26", freq="W-FRI")


def split(times: Any, is_test: Any, *, rows: int = 1, column: str = "when") -> Tables:
    """Rows of each time, of which some are test."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({column: np.repeat(np.asarray(times), rows), "x": rng.normal(size=len(times) * rows)})
    frame.insert(0, "id", np.arange(len(frame)))
    chosen = np.repeat(np.asarray(is_test), rows)
    train = frame[~chosen].assign(sold=rng.normal(size=int((~chosen).sum()))).reset_index(drop=True)
    test = frame[chosen].reset_index(drop=True)
    return tables(train, test, test[["id"]].assign(sold=0.0))


def inferred(made: Tables, **fields: Any) -> Problem:
    return problem_of(made, task="regression", metric="rmse", **fields)


LAYOUTS = {
    "a year ahead": (split(DAYS, DAYS.year == 2020), "ByTime('when', n_splits=2, horizon='1 year')"),
    "a year ahead that lacks days": (
        split(DAYS[:-3], DAYS[:-3] > "2020-01-01"),
        "ByTime('when', n_splits=2, horizon='1 year')",
    ),
    "six weeks after a gap": (
        split(DAYS[:637].delete(range(588, 595)), np.arange(630) >= 588, rows=3),
        "ByTime('when', n_splits=5, horizon='42 days', gap='7 days')",
    ),
    "weeks of sales": (split(WEEKS, WEEKS > "2012-10-26", rows=3), "ByTime('when', n_splits=2, horizon='39 weeks')"),
    "the next month": (
        split(pd.date_range("2013-01-01", periods=34, freq="MS"), np.arange(34) == 33, rows=30),
        "ByTime('when', n_splits=5, horizon='1 month')",
    ),
    "a week of a single series": (
        split(DAYS[:500], np.arange(500) >= 493),
        "ByTime('when', n_splits=15, horizon='7 days')",
    ),
    "a day of hours": (split(HOURS[:300], np.arange(300) >= 276), "ByTime('when', n_splits=5, horizon='24 hours')"),
    "steps": (
        split(np.arange(1, 41), np.arange(40) >= 30, rows=20, column="week"),
        "ByTime('week', n_splits=2, horizon=10)",
    ),
    "too far ahead": (split(DAYS[:450], np.arange(450) >= 90), "ByTime('when', n_splits=1, horizon='46 days')"),
    "the end of each month": (split(HOURS, HOURS.day >= 20), "PeriodEnds('when', 'month', horizon=7, n_splits=5)"),
    "the weekends": (split(DAYS, DAYS.day_of_week >= 5), "PeriodEnds('when', 'week', horizon=1, n_splits=5)"),
    "every fourth week": (
        split(HOURS, np.arange(len(HOURS)) // 168 % 4 == 3),
        "TimeBlocks('when', block='7 days', n_splits=5, shuffle=True, random_state=0)",
    ),
    "dates of a panel": (
        split(DAYS, np.random.default_rng(0).random(len(DAYS)) < 0.3, rows=5),
        "TimeBlocks('when', block=None, n_splits=5, shuffle=True, random_state=0)",
    ),
    "random hours": (
        split(HOURS, np.random.default_rng(0).random(len(HOURS)) < 0.3),
        "KFold(n_splits=5, random_state=0, shuffle=True)",
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_folds_are_arranged_in_train_as_test_is_and_the_reason_says_so(layout: str) -> None:
    made, wanted = LAYOUTS[layout]
    problem = inferred(made)
    assert repr(problem.splitter) == wanted
    reason = problem.reasons["splitter"]
    assert reason.guess
    if not wanted.startswith("KFold"):
        assert made.test.columns[1] in reason.text
        folds = make_folds(problem)
        assert folds.refit != wanted.startswith("TimeBlocks")  # models for later rows know all of train


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        ("a year ahead", "test comes after train: 2020-01-01 to 2020-12-31. Each fold validates 1 year"),
        ("a year ahead", "only 2 such periods to validate, which says little"),
        ("six weeks after a gap", "after a gap of 7 days.*the rows before the gap"),
        (
            "too far ahead",
            "too short to validate 1 year, so one fold validates its last 46 days",
        ),
        ("the end of each month", "test is days 20 to 31 of each month and train days 1 to 19"),
        ("every fourth week", "26 blocks of about 7 days cut out of train"),
        ("dates of a panel", "test has other dates than train, so rows of one date stay together"),
    ],
)
def test_the_reason_names_the_layout_the_horizon_and_what_is_not_known(layout: str, words: str) -> None:
    made, _ = LAYOUTS[layout]
    pattern = inferred(made).reasons["splitter"].text
    assert pd.Series([pattern]).str.contains(words).all(), pattern


@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_override_what_is_inferred(layout: str) -> None:
    assert repr(inferred(LAYOUTS[layout][0], split="rows").splitter).startswith("KFold")


def test_a_stated_column_is_split_as_test_lies_in_it() -> None:
    made, wanted = LAYOUTS["the end of each month"]
    assert repr(inferred(made, split="when").splitter) == wanted
    random, _ = LAYOUTS["random hours"]
    assert repr(inferred(random, split="when").splitter) == "ByTime('when', n_splits=4)"


def test_columns_of_year_and_month_tell_that_test_is_later() -> None:
    months = pd.date_range("2016-01-01", "2020-12-01", freq="MS")
    made = split(months, months >= "2020-07-01", rows=10)
    train, test = (
        frame.assign(year=frame["when"].dt.year, month=frame["when"].dt.month).drop(columns="when")
        for frame in (made.train, made.test)
    )
    problem = inferred(tables(train, test, made.sample))
    assert repr(problem.splitter) == "ByTime(('year', 'month'), n_splits=5, horizon='6 months')"
    assert problem.blocks is not None
    assert pd.Series(problem.blocks).nunique() == 54
    assert problem.test_blocks is not None
    assert not set(problem.test_blocks) & set(problem.blocks)


def test_seconds_since_1970_are_a_time_under_any_name_and_no_groups() -> None:
    made, _ = LAYOUTS["a year ahead"]
    shuffled = (frame.sample(frac=1, random_state=0, ignore_index=True) for frame in (made.train, made.test))
    train, test = (
        frame.assign(x3=frame["when"].astype("M8[s]").astype("int64")).drop(columns="when") for frame in shuffled
    )
    problem = inferred(tables(train, test, test[["id"]].assign(sold=0.0)))
    assert repr(problem.splitter) == "ByTime('x3', n_splits=2, horizon='1 year')"
    assert problem.groups is None


def test_numbers_that_are_seconds_since_1970_in_train_alone_are_no_time() -> None:
    rng = np.random.default_rng(0)
    train = pd.DataFrame({"id": range(300), "worth": rng.integers(1_900_000_000, 2_000_000_000, 300)})
    test = pd.DataFrame({"id": range(300, 400), "worth": rng.integers(2_040_000_000, 2_090_000_000, 100)})
    problem = inferred(tables(train.assign(sold=rng.normal(size=300)), test, test[["id"]].assign(sold=0.0)))
    assert repr(problem.splitter) == "KFold(n_splits=5, random_state=0, shuffle=True)"


def test_a_date_that_is_the_id_determines_how_test_was_split() -> None:
    made, wanted = LAYOUTS["the end of each month"]
    frames = [frame.drop(columns="id").assign(when=frame["when"].astype(str)) for frame in (made.train, made.test)]
    problem = inferred(tables(*frames, frames[1][["when"]].assign(sold=0.0)))
    assert problem.id == "when"
    assert repr(problem.splitter) == wanted


def test_the_block_of_an_end_of_a_month_is_that_month() -> None:
    made, _ = LAYOUTS["the end of each month"]
    problem = inferred(made)
    assert problem.blocks is not None
    assert problem.test_blocks is not None
    assert len(set(problem.blocks)) == 24
    assert set(problem.blocks) == set(problem.test_blocks)


@settings(max_examples=25, deadline=None)
@given(st.integers(30, 400), st.integers(1, 200), st.integers(0, 30), st.integers(1, 3))
def test_no_layout_ahead_is_refused_and_no_fold_trains_on_what_it_validates(
    days: int, ahead: int, gap: int, rows: int
) -> None:
    times = DAYS[: days + ahead + gap] if days + ahead + gap <= len(DAYS) else DAYS
    kept = times.delete(range(days, days + gap))
    problem = inferred(split(kept, np.arange(len(kept)) >= days, rows=rows))
    assert repr(problem.splitter).startswith("ByTime")
    when = problem.tables.train["when"]
    length = (kept[-1] - kept[days]).days + 1
    folds = make_folds(problem)
    for train, valid in zip(folds.train, folds.valid, strict=True):
        assert when.iloc[train].max() < when.iloc[valid].min()
        assert (when.iloc[valid].max() - when.iloc[valid].min()).days <= max(length, 31) + 7
