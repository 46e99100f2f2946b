"""Checks of the predictions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from kpipe.checks import run_checks
from kpipe.models import model
from kpipe.submission import make_submission
from kpipe.training.baseline import predict_baseline
from kpipe.training.cross_validation import cross_validate
from kpipe.training.ensemble import fit_ensemble
from kpipe.training.folds import make_folds
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
    errors = [float(detail.partition("error of the gap ")[2].rstrip(").")) for detail in details]
    assert errors[1] > 1.5 * errors[0]
