from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from kpipe.checks import run_checks
from kpipe.core.values import Ensemble, Folds, Predictions, Tables
from kpipe.models import model
from kpipe.problem.problem import Problem
from kpipe.submission import make_submission
from kpipe.training.baseline import predict_baseline
from kpipe.training.cross_validation import cross_validate
from kpipe.training.ensemble import fit_ensemble
from kpipe.training.folds import make_folds
from tests.tables import problem_of, survivors


def checked(
    made: Tables, *, folds: Folds | None = None, blended: Ensemble | None = None, problem: Problem | None = None
) -> dict[str, tuple[str, str]]:
    problem = problem or problem_of(made)
    split = make_folds(problem)
    found: Predictions = cross_validate(problem, split, models={"linear": model("linear")}, jobs=1)
    blended = blended or fit_ensemble(found, split, problem.metric)
    submission = make_submission(problem, blended)
    baseline = predict_baseline(problem, folds or split)
    checks = run_checks(problem, folds or split, found, baseline, blended, submission)
    return {check.name: (check.status, check.detail) for check in checks}


def test_clean_data_passes_every_check() -> None:
    assert {status for status, _ in checked(survivors(n=300)).values()} == {"pass"}


def test_a_fold_that_validates_what_it_trains_on_fails() -> None:
    made = survivors()
    rows = np.arange(80)
    status, detail = checked(made, folds=Folds(train=(rows,), valid=(rows[:20],)))[
        "training and validation rows disjoint"
    ]
    assert status == "fail"
    assert "Fold 1 validates 20 rows that it trains on, first row 1" in detail


def test_copies_on_both_sides_of_a_fold_are_said() -> None:
    made = survivors()
    train = pd.concat([made.train, made.train.assign(id=made.train["id"] + 1000)], ignore_index=True)
    status, detail = checked(replace(made, train=train))["duplicates across folds"]
    assert status == "fail"
    assert "have an exact copy" in detail


def test_a_model_that_knows_nothing_fails_against_the_baseline() -> None:
    made = survivors()
    noise = np.random.default_rng(0).dirichlet([1, 1], size=80)
    blended = Ensemble(weights={"linear": 1.0}, oof=noise, test=noise[:30])
    assert checked(made, blended=blended)["better than the baseline"][0] in ("warn", "fail")
    status, detail = checked(made, blended=replace(blended, oof=noise * 0 + [0.5, 0.5]))["better than the baseline"]
    assert status == "fail"
    assert "no better than the majority class's" in detail


def test_constant_predictions_fail() -> None:
    made = survivors()
    for wobble in (0.0, 1e-15):  # a net that collapsed gives one number and its rounding
        test = np.full((30, 2), 0.5) + wobble * np.arange(60).reshape(30, 2)
        constant = Ensemble(weights={"linear": 1.0}, oof=np.full((80, 2), 0.5), test=test)
        status, detail = checked(made, blended=constant)["constant predictions"]
        assert status == "fail"
        assert detail.startswith("Every test row has the same prediction. Usual causes: a loss of shapes")


def test_levels_that_train_lacks_are_said_with_their_share() -> None:
    made = survivors()
    test = made.test.assign(sex=["unknown"] * 15 + ["male"] * 15)
    status, detail = checked(replace(made, test=test))["unseen categories"]
    assert status == "warn"
    assert "sex: 50.0% of rows" in detail


def test_folds_that_share_tickets_which_test_does_not_are_said() -> None:
    made = survivors(n=200)
    train = made.train.assign(ticket=[f"t{number // 2}" for number in range(200)])
    test = made.test.assign(ticket=[f"new{number}" for number in range(30)])
    shared = replace(made, train=train, test=test)
    status, detail = checked(shared, problem=problem_of(shared, columns=("x", "sex")))["group overlap matches test"]
    assert status == "warn"
    assert "Of ticket" in detail
    assert "in test it is 0%" in detail


@pytest.mark.parametrize(("origin", "status"), [("zip", "pass"), ("sample", "warn")])
def test_sample_data_is_said(origin: str, status: str) -> None:
    made = survivors()
    made = replace(made, source=replace(made.source, origin=origin))  # type: ignore[arg-type]
    assert checked(made)["real data"][0] == status


def test_a_check_that_cannot_be_made_is_a_warning_and_no_end_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("float division by zero")

    monkeypatch.setattr("kpipe.checks.levels_seen", broken)
    status, detail = checked(survivors())["unseen categories"]
    assert status == "warn"
    assert "It could not be made (ZeroDivisionError: float division by zero)" in detail
