"""Predictions below the lowest possible value: out-of-fold and test predictions are raised alike, and it is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kpipe import run
from kpipe.cli.console.run import print_run
from kpipe.core.metrics import Metric, get_metric
from kpipe.core.values import Ensemble, Tables
from kpipe.problem.lower_bounds import lower_bounds
from kpipe.training.clipping import clip_ensemble
from tests.tables import prices, problem_of, tables, write


def visits(n: int = 240, m: int = 60, *, lowest: float = 0.0) -> Tables:
    """Counts that rise with x from about -1, cut at the lowest: a straight line falls below 0."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"id": np.arange(n + m), "x": rng.normal(size=n + m)})
    counts = np.maximum(np.round(3 * frame["x"] + rng.normal(size=n + m)), lowest)
    train = frame.head(n).assign(visits=counts.head(n))
    test = frame.tail(m).reset_index(drop=True)
    return tables(train, test, test[["id"]].assign(visits=0.5))


def ensemble_of(oof: list[float], test: list[float]) -> Ensemble:
    return Ensemble(weights={}, oof=np.array(oof)[:, None], test=np.array(test)[:, None])


def test_a_submission_holds_no_negative_counts_if_train_holds_none_and_the_score_is_that_of_these_predictions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = visits()
    ended = run(
        "made-by-hand", data=write(made, tmp_path), metric="mae", models=["linear"], out=tmp_path / "out", jobs=1
    )
    sent, oof = pd.read_csv(ended.path / "submission.csv"), pd.read_parquet(ended.path / "oof.parquet")
    assert sent["visits"].min() == 0
    assert oof["blend"].min() == 0
    assert oof["linear"].min() < 0
    assert ended.record["score"] == pytest.approx((oof["blend"] - oof["visits"]).abs().mean())
    assert ended.record["models"][0]["score"] == ended.record["score"]
    counts = {"lower": 0.0, "oof": int((oof["linear"] < 0).sum()), "test": int((sent["visits"] == 0).sum())}
    assert ended.record["clipped"] == {"visits": counts}
    assert ended.record["forecast"]["parts"]["averaging_method"] == "the disagreement between the folds' models"
    print_run(ended, json=False, quiet=False)
    said = " ".join(capsys.readouterr().out.split())
    assert (
        f"Predictions of visits below 0 became 0: {counts['oof']} out-of-fold, {counts['test']} of test (train holds "
        "no negative visits)."
    ) in said


def test_predictions_of_which_none_is_negative_stay_the_same_object() -> None:
    problem, made = problem_of(visits(), metric="mae"), ensemble_of([0.0, 2.0, np.nan], [1.0, 0.0])
    assert clip_ensemble(problem, made) is made


def test_negative_predictions_stay_where_train_has_a_negative_value_or_few_rows() -> None:
    made = ensemble_of([-1.0, 2.0], [-3.0, 0.0])
    for given in (visits(lowest=-9.0), visits(n=99)):
        problem = problem_of(given, metric="mae")
        assert clip_ensemble(problem, made) is made
        assert "bounds" not in problem.reasons


def test_each_target_has_its_own_bound() -> None:
    made = visits()
    both = made.train.assign(change=made.train["visits"] - 3)
    sample = made.sample.assign(change=0.5)
    problem = problem_of(replace(made, train=both, sample=sample), metric="rmse")
    clipped = clip_ensemble(problem, Ensemble(weights={}, oof=np.full((2, 2), -1.0), test=np.full((1, 2), -1.0)))
    assert clipped.oof.tolist() == [[0.0, -1.0]] * 2
    assert clipped.test.tolist() == [[0.0, -1.0]]
    assert problem.reasons["bounds"].text == "negative predictions become 0: train holds no negative visits"


def test_values_of_few_groups_or_of_earlier_times_prove_no_bound_unless_they_reach_0() -> None:
    mae, values = get_metric("mae"), np.linspace(5, 30, 400)  # such as temperatures of summer
    few, many = np.arange(400) // 40, np.arange(400) // 2
    assert lower_bounds(mae, values) == lower_bounds(mae, values, blocks=many) == 0
    assert lower_bounds(mae, values, blocks=few) is lower_bounds(mae, values, blocks=many, by_time=True) is None
    assert lower_bounds(mae, values - 5, blocks=few) == lower_bounds(mae, values - 5, by_time=True) == 0


def test_what_rmsle_counts_as_0_is_submitted_as_0() -> None:
    problem = problem_of(prices(), metric="rmsle")
    clipped = clip_ensemble(problem, ensemble_of([-0.2, 5.0], [-0.1, 3.0]))
    assert clipped.oof.min() == clipped.test.min() == 0
    assert problem.reasons["bounds"].text == "rmsle counts predictions below 0 as 0"


def test_a_metric_of_the_author_that_may_reward_the_order_alone_has_no_bound() -> None:
    def correlation(y: np.ndarray, values: np.ndarray) -> float:
        return float(np.corrcoef(y, values)[0, 1])

    own = Metric(name="correlation", function=correlation, needs="value", greater_is_better=True)
    assert lower_bounds(own, np.arange(200.0)) is None
    for name in ("r2", "median_ae"):  # scores without losses of rows, for which a bound is known to do no harm
        assert lower_bounds(get_metric(name), np.arange(200.0)) == 0
