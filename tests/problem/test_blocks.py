from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import KFold

from kpipe.core.metrics import evaluate, get_metric
from kpipe.core.values import Tables
from kpipe.problem.blocks import time_blocks
from kpipe.problem.splitters import ByTime
from kpipe.training.folds import make_folds
from tests.tables import prices, problem_of, tables


def sales(times: Any, *, test: int, shops: int = 3) -> Tables:
    """A row per time and shop; the last times are test."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"when": np.repeat(np.asarray(times), shops), "shop": np.tile(np.arange(shops), len(times))})
    frame.insert(0, "id", np.arange(len(frame)))
    cut = len(frame) - shops * test
    train = frame.head(cut).assign(sold=rng.normal(size=cut))
    later = frame.tail(shops * test).reset_index(drop=True)
    return tables(train, later, later[["id"]].assign(sold=0.0))


def by_time(made: Tables) -> Any:
    return problem_of(made, splitter=ByTime("when"), columns=("when", "shop"), task="regression", metric="rmse")


@pytest.mark.parametrize(
    ("times", "test", "period"),
    [
        (pd.date_range("2015-01-01", "2019-12-31"), 366, "M"),
        (pd.date_range("2019-01-01", "2019-12-31"), 30, "W"),
        (pd.date_range("2019-10-01", "2019-12-09"), 10, "D"),
        (pd.date_range("2019-10-01", periods=96, freq="h"), 24, "h"),
    ],
)
def test_a_block_is_the_longest_calendar_period_that_leaves_twenty(times: Any, test: int, period: str) -> None:
    problem = by_time(sales(times, test=test))
    for blocks, frame in ((problem.blocks, problem.tables.train), (problem.test_blocks, problem.tables.test)):
        assert blocks is not None
        periods = frame["when"].dt.to_period(period)
        assert pd.Series(blocks).groupby(periods.to_numpy()).nunique().max() == 1
        assert pd.Series(blocks).nunique() == periods.nunique()
    validated = np.concatenate(make_folds(problem).valid)
    assert len(np.unique(problem.blocks[validated])) >= 20


def test_few_times_are_a_block_each_and_rows_of_one_time_stay_together() -> None:
    problem = by_time(sales(pd.date_range("2019-01-06", periods=14, freq="W"), test=2))
    assert pd.Series(problem.blocks).nunique() == 12
    assert pd.Series(problem.blocks).value_counts().eq(3).all()


def test_numbers_of_time_form_blocks_of_round_lengths_that_continue_in_test() -> None:
    problem = by_time(sales(np.arange(480), test=80))
    times, blocks = problem.tables.train["when"], problem.blocks
    assert blocks is not None
    assert problem.test_blocks is not None
    np.testing.assert_array_equal(blocks, times // 10)
    np.testing.assert_array_equal(problem.test_blocks, problem.tables.test["when"] // 10)


def test_the_standard_error_counts_blocks_of_time() -> None:
    problem = by_time(sales(pd.date_range("2015-01-01", "2019-12-31"), test=366))
    rng, metric = np.random.default_rng(0), get_metric("mae")
    _, month = np.unique(problem.blocks, return_inverse=True)
    wrong = problem.y + rng.normal(1, 0.5, size=month.max() + 1)[month]  # an error that each month has as a whole
    scores = [evaluate(metric, problem.y, wrong[:, None], groups=groups) for groups in (None, problem.blocks)]
    assert scores[1].standard_error > 5 * scores[0].standard_error


def test_groups_are_the_blocks_where_there_are_groups_and_independent_rows_have_none() -> None:
    made = prices()
    made.train["family"] = np.arange(80) // 4
    problem = problem_of(made, groups="family")
    np.testing.assert_array_equal(problem.blocks, made.train["family"])
    assert problem.test_blocks is None  # test lacks the column
    alone = problem_of(prices())
    assert alone.blocks is None
    assert alone.test_blocks is None
    assert time_blocks(KFold(), made.train, made.train) is None


@pytest.mark.parametrize("later", [None, "soon", 7])
def test_a_test_set_without_dates_has_no_blocks(later: Any) -> None:
    made = sales(pd.date_range("2015-01-01", "2015-12-31"), test=30)
    problem = by_time(tables(made.train, made.test.assign(when=later), made.sample))
    assert problem.blocks is not None
    assert problem.test_blocks is None
