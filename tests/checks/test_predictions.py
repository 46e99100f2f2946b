"""Checks of the predictions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin

import kpipe
from kpipe.checks import run_checks
from kpipe.core.values import Ensemble
from kpipe.models import model
from kpipe.submission import make_submission
from kpipe.training.baseline import predict_baseline
from kpipe.training.cross_validation import cross_validate
from kpipe.training.ensemble import fit_ensemble
from kpipe.training.folds import make_folds
from tests.checks.results import check_results
from tests.modules import HONEST, SLOW
from tests.modules import model as honest_with
from tests.tables import problem_of, survivors


def test_the_standard_error_of_the_gain_over_the_baseline_counts_a_group_once() -> None:
    made = survivors(n=60)
    train = pd.concat([made.train] * 4, ignore_index=True).assign(family=np.tile(np.arange(60), 4))
    made = replace(made, train=train)
    details = []
    for groups in (None, "family"):
        problem = problem_of(made, columns=("x", "sex"), groups=groups)
        folds = make_folds(problem)
        found = cross_validate(problem, folds, models={"linear": model("linear")}, jobs=1)
        mixed = fit_ensemble(found, folds, problem.metric)
        submission = make_submission(problem, mixed)
        checks = run_checks(problem, folds, found, predict_baseline(problem, folds), mixed, submission)
        details.append(next(check.detail for check in checks if check.name == "better than the baseline"))
    errors = [float(detail.partition("standard error of the difference: ")[2].rstrip(").")) for detail in details]
    assert errors[1] > 1.5 * errors[0]


def test_random_predictions_are_not_significantly_better_than_the_baseline() -> None:
    made = survivors()
    noise = np.random.default_rng(0).dirichlet([1, 1], size=80)
    blended = Ensemble(weights={"linear": 1.0}, oof=noise, test=noise[:30])
    assert check_results(made, blended=blended)["better than the baseline"][0] in ("warn", "fail")
    status, detail = check_results(made, blended=replace(blended, oof=noise * 0 + [0.5, 0.5]))[
        "better than the baseline"
    ]
    assert status == "fail"
    assert "no better than the majority class's" in detail


def test_constant_predictions_fail() -> None:
    made = survivors()
    for wobble in (0.0, 1e-15):  # a net that collapsed gives one number and its rounding
        test = np.full((30, 2), 0.5) + wobble * np.arange(60).reshape(30, 2)
        constant = Ensemble(weights={"linear": 1.0}, oof=np.full((80, 2), 0.5), test=test)
        status, detail = check_results(made, blended=constant)["constant predictions"]
        assert status == "fail"
        assert detail.startswith("Every test row has the same prediction. Usual causes: a loss of shapes")


@pytest.mark.parametrize(("origin", "status"), [("zip", "pass"), ("sample", "warn")])
def test_embedded_sample_data_is_a_warning(origin: str, status: str) -> None:
    made = survivors()
    made = replace(made, source=replace(made.source, origin=origin))  # type: ignore[arg-type]
    assert check_results(made)["real data"][0] == status


@SLOW
def test_a_constant_prediction_for_one_of_several_targets_fails(tmp_path: Path) -> None:
    made = survivors(n=200, m=60)
    made.train.assign(age=30 + 5 * made.train["x"]).to_csv(tmp_path / "train.csv", index=False)
    made.test.to_csv(tmp_path / "test.csv", index=False)
    made.sample.assign(survived=0.5, age=28.0).to_csv(tmp_path / "sample_submission.csv", index=False)

    class Always28(RegressorMixin, BaseEstimator):
        def fit(self, X: Any, y: Any) -> Always28:
            self.constant_ = 28.0 if y.max() > 1 else None
            return self

        def predict(self, X: Any) -> np.ndarray:
            return np.full(len(X), 28.0) if self.constant_ else np.asarray(X["x"])

    two = replace(HONEST, target=("survived", "age"), metric="rmse", task="regression", **honest_with(Always28))
    found = {check.name: check for check in kpipe.check(two, data=tmp_path, folds=3, jobs=1)}["constant predictions"]
    assert found.status == "fail"
    assert "Every test row has the same value 28 for age" in found.detail
