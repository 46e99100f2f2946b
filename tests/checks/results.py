"""Results of the checks of a run, by name."""

from __future__ import annotations

from kpipe.checks import run_checks
from kpipe.core.values import Ensemble, Folds, Predictions, Tables
from kpipe.models import model
from kpipe.problem.problem import Problem
from kpipe.submission import make_submission
from kpipe.training.baseline import predict_baseline
from kpipe.training.cross_validation import cross_validate
from kpipe.training.ensemble import fit_ensemble
from kpipe.training.folds import make_folds
from tests.tables import problem_of


def check_results(
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
