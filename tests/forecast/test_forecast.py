import functools
import json
import math
from dataclasses import replace

import numpy as np
import pytest

import kpipe
from kpipe import Competition
from kpipe.core import statistics
from kpipe.core.metrics import METRICS as ALL_METRICS
from kpipe.core.metrics import Metric, evaluate, get_metric, over_targets
from kpipe.core.values import Ensemble, Folds, Predictions
from kpipe.forecast.forecast import Forecast, make_forecast
from kpipe.problem.problem import Problem, define_problem
from kpipe.runs.summary import format_forecast

QUARTERS = np.array_split(np.arange(400), 4)
NO_MODELS = Predictions(models=(), classes=None, y=np.zeros(0))


@functools.cache
def titanic() -> Problem:
    return define_problem(Competition(slug="titanic"), kpipe.load("titanic", "sample"))


def problem(metric: str, *, test_rows: int = 400) -> Problem:
    """Any problem, with another metric and target: 400 rows whose columns say nothing."""
    own = titanic()
    rng = np.random.default_rng(0)
    rows = own.tables.train.iloc[rng.integers(len(own.tables.train), size=400)].reset_index(drop=True)
    tables = replace(own.tables, train=rows, test=rows.iloc[:test_rows])
    kind = get_metric(metric)
    y = rng.integers(0, 2, 400) if kind.task == "classification" else 5 + rng.normal(size=400)
    return replace(own, tables=tables, columns=(), metric=kind, y=y, task=kind.task)


def forecast(problem: Problem, oof: np.ndarray, *, refit: bool = False) -> Forecast:
    folds = Folds(train=tuple(QUARTERS), valid=tuple(QUARTERS), refit=refit)
    score = evaluate(problem.metric, problem.y, oof, folds=folds.valid)
    return make_forecast(problem, folds, NO_MODELS, Ensemble(weights={}, oof=oof, test=oof), score)


def predictions(problem: Problem) -> np.ndarray:
    if problem.task == "regression":
        return (problem.y + np.random.default_rng(1).normal(size=400))[:, None]
    chance = np.clip(np.random.default_rng(1).normal(0.3 + 0.4 * problem.y, 0.2), 0.01, 0.99)
    return np.column_stack([1 - chance, chance])


METRICS = ["accuracy", "log_loss", "auc", "rmse", "median_ae"]


@pytest.mark.parametrize("metric", METRICS)
def test_the_interval_holds_the_value_and_is_made_of_json(metric):
    one = problem(metric)
    found = forecast(one, predictions(one))
    assert found.low < found.value < found.high
    assert json.loads(json.dumps(found.parts)) == found.parts
    errors = found.parts["standard_errors"]
    assert found.high - found.low > 3 * math.hypot(errors["train"], errors["test"])


@pytest.mark.parametrize("metric", ["accuracy", "rmse"])
def test_fewer_test_rows_widen_the_interval(metric):
    oof = predictions(problem(metric))
    widths = [
        found.high - found.low for rows in (400, 40, 4, 1) for found in [forecast(problem(metric, test_rows=rows), oof)]
    ]
    assert widths == sorted(widths)
    assert all(map(math.isfinite, widths))


@pytest.mark.parametrize("metric", ["accuracy", "map@3"])
def test_a_test_table_of_one_row_may_be_right_or_wrong(metric):
    one = problem(metric, test_rows=1)
    found = forecast(one, predictions(one))
    assert 0 <= found.low < 0.1
    assert found.high > 0.99


@pytest.mark.parametrize("rows", [400, 1])
@pytest.mark.parametrize("metric", [*ALL_METRICS])
def test_under_every_metric_there_is_a_forecast_with_an_interval_or_the_reason_why_not(metric, rows, monkeypatch):
    monkeypatch.setattr(statistics, "_BOOTSTRAP_RESAMPLES", 20)
    one = problem(metric, test_rows=rows)
    found = forecast(one, predictions(one))
    assert math.isfinite(found.value)
    shown = format_forecast({"forecast": {name: getattr(found, name) for name in ("value", "low", "high")}})
    if rows == 1 and metric in {"auc", "gini", "average_precision", "r2", "mcc", "qwk"}:  # of one row, not defined
        assert shown.endswith("(too few independent rows for an interval)")
    else:
        assert found.low < found.value < found.high
        assert "95 %" in shown
    assert not (found.parts["choosing"] == 0 and str(found.parts["choosing"]).startswith("-"))


@pytest.mark.parametrize("metric", ["rmse", "accuracy", "qwk"])
def test_rows_of_a_single_group_have_a_forecast_without_an_interval(metric):
    one = problem(metric)
    one.__dict__["blocks"] = np.zeros(400, dtype=int)
    found = forecast(one, predictions(one))
    assert math.isfinite(found.value)
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_a_perfect_score_that_is_no_mean_has_an_interval():
    one = problem("f1")
    found = forecast(one, np.eye(2)[one.y])
    assert 0.9 < found.low < found.high == 1


def test_an_own_metric_whose_rows_score_more_than_one_is_no_share():
    def profits(y, labels):
        return np.where(labels == y, 5.0, -8.0)

    own = Metric(
        name="profit",
        function=lambda y, labels: float(profits(y, labels).mean()),
        losses=profits,
        needs="label",
        greater_is_better=True,
    )
    one = replace(problem("accuracy"), metric=own)
    found = forecast(one, predictions(one))
    assert found.low < found.value < found.high
    assert found.high - found.value == pytest.approx(found.value - found.low, rel=0.02)


def test_several_targets_have_a_forecast():
    rng = np.random.default_rng(0)
    one = replace(problem("rmse"), metric=over_targets(get_metric("rmse"), 3), y=rng.normal(size=(400, 3)))
    found = forecast(one, one.y + rng.normal(size=(400, 3)))
    assert found.low < found.value < found.high
    assert found.parts["averaging_method"].startswith("none: ")


def test_a_perfect_score_is_not_certain_and_nothing_is_better():
    one = problem("accuracy")
    found = forecast(one, np.eye(2)[one.y])
    assert (found.value, found.high) == (1.0, 1.0)
    assert 0.9 < found.low < 1


def test_an_error_of_zero_is_not_certain():
    one = problem("rmse")
    found = forecast(one, one.y[:, None])
    assert (found.value, found.low) == (0.0, 0.0)


@pytest.mark.parametrize("metric", METRICS)
def test_the_bias_of_what_was_chosen_on_the_same_rows_is_taken_off_and_widens_the_interval(metric):
    one = problem(metric)
    oof, biased = predictions(one), replace(one, competition=replace(one.competition, selection_bias=0.05))
    plain, found = forecast(one, oof), forecast(biased, oof)
    worse = -0.05 if one.metric.greater_is_better else 0.05
    assert found.value == pytest.approx(plain.value + worse)
    assert found.parts["choosing"] == worse
    assert found.parts["standard_errors"]["choosing"] == 0.05
    assert (found.low if worse < 0 else -found.high) < (plain.low if worse < 0 else -plain.high) - 0.05


def test_scores_that_differ_from_horizon_to_horizon_widen_the_interval_of_a_later_test_table():
    one = problem("mae")
    y = one.y
    even, uneven = np.zeros((400, 1)), np.zeros((400, 1))
    uneven[QUARTERS[3]] = 4
    calm, wild = (forecast(one, oof, refit=True) for oof in (even, uneven))
    assert calm.parts["shift_method"].startswith("none: test comes later")
    assert calm.high / calm.low > 1.5 * forecast(one, even).high / forecast(one, even).low
    assert wild.high / wild.low > calm.high / calm.low
    assert y is one.y


def test_a_single_horizon_is_weak_evidence():
    one = problem("mae")
    oof = np.full((400, 1), np.nan)
    oof[QUARTERS[3]] = 0
    folds = Folds(train=(QUARTERS[0],), valid=(QUARTERS[3],), refit=True)
    score = evaluate(one.metric, one.y, oof, folds=folds.valid)
    found = make_forecast(one, folds, NO_MODELS, Ensemble(weights={}, oof=oof, test=oof), score)
    assert found.high > 2 * found.value
    assert found.low < found.value / 2


@pytest.mark.parametrize("metric", ["mae", "accuracy"])
def test_a_later_test_table_may_be_better_where_folds_train_on_few_of_the_rows(metric):
    one = problem(metric)
    oof = predictions(one)
    score = evaluate(one.metric, one.y, oof, folds=(QUARTERS[3],))
    few, many = (
        make_forecast(
            one,
            Folds(train=(np.arange(rows),), valid=(QUARTERS[3],), refit=True),
            NO_MODELS,
            Ensemble(weights={}, oof=oof, test=oof),
            score,
        )
        for rows in (100, 300)
    )
    assert few.value == many.value
    if metric == "mae":
        assert few.high == many.high
        assert many.low / few.low == pytest.approx(math.sqrt(3))  # errors may fall with the root of the rows
    else:
        assert few.low == many.low
        assert few.high > many.high


def test_a_single_validated_row_gives_no_interval():
    one = problem("mae")
    oof = np.full((400, 1), np.nan)
    oof[0] = 0
    found = forecast(one, oof)
    assert math.isfinite(found.value)
    assert math.isnan(found.low)
    assert math.isnan(found.high)
