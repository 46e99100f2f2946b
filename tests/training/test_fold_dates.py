from __future__ import annotations

import pandas as pd

from kpipe.cli.console.competition import describe
from kpipe.problem.cut_outs import PeriodEnds
from kpipe.problem.problem import Problem
from kpipe.problem.splitters import ByTime
from kpipe.training.fold_dates import describe_fold_dates, fold_dates
from kpipe.training.folds import make_folds
from tests.tables import prices, problem_of


def dated(splitter: object = None) -> Problem:
    made = prices(n=80, m=10)
    made.train["day"], made.test["day"] = (
        pd.date_range("2020-01-01", periods=80),
        pd.date_range("2020-03-21", periods=10),
    )
    return problem_of(made, splitter=splitter)


def test_the_dates_of_each_fold_the_override_and_the_refit_are_reported() -> None:
    problem = dated()
    sentences = describe_fold_dates(problem, make_folds(problem))
    assert "test comes after train: 2020-03-21 to 2020-03-30" in sentences[0]
    assert "(--split rows, or --split COLUMN)" in sentences[0]
    assert "; 10 trains up to" not in sentences[1]
    assert sentences[1].endswith("trains up to 2020-03-10 and validates 2020-03-11 to 2020-03-20.")
    assert sentences[2] == "Models for the test rows are retrained on all rows of train."


def test_show_lists_the_dates_of_each_fold() -> None:
    problem = dated(ByTime("day", 2, horizon="1 day"))
    assert (
        describe(problem)["folds"]
        == fold_dates(problem, make_folds(problem))
        == [
            "1 trains up to 2020-03-18 and validates 2020-03-19",
            "2 trains up to 2020-03-19 and validates 2020-03-20",
        ]
    )


def test_folds_that_are_not_ahead_have_no_dates_to_say() -> None:
    problem = dated(PeriodEnds("day", "week", horizon=1, n_splits=2))
    assert "folds" not in describe(problem)
    assert describe_fold_dates(problem, make_folds(problem)) == (
        "Models for the test rows are retrained on all rows of train.",
    )
    ordinary = problem_of(prices())
    assert describe_fold_dates(ordinary, make_folds(ordinary)) == ()
