"""The honesty checks that run with every run. Each ends pass, warn or fail, with its evidence in a sentence.

A module for each thing that can lie: ``cleaning`` (the module's ``clean``), ``columns`` and ``order`` (the tables),
``leaks`` and ``numbering`` (what the target hides in), ``splitting`` and ``near`` (the folds), ``predicting``
(the numbers), ``judging`` (the metric, and what is done to the numbers last).
They look at values and behaviour, never at code. ``kpipe.checks.conformance`` adds those that fit models of their own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from kpipe.checks.cleaning import clean_by_row, target_kept
from kpipe.checks.column_alignment import columns_in_order
from kpipe.checks.distribution_shift import drawn_alike, gaps_alike, levels_seen
from kpipe.checks.duplicates import copies_apart, near_copies_apart
from kpipe.checks.folds import classes_trained, folds_apart, folds_mirror_test, groups_whole, time_forward
from kpipe.checks.predictions import (
    beats_baseline,
    models_learn,
    not_constant,
    one_for_most,
    real_data,
    rows_on_their_own,
)
from kpipe.checks.row_order import order_blind
from kpipe.checks.scoring import metric_prefers_the_truth, postprocess_blind
from kpipe.checks.target_leakage import target_hidden
from kpipe.core.metrics import evaluate
from kpipe.core.values import Baseline, Check, Ensemble, Folds, Predictions, Submission
from kpipe.errors import KpipeError
from kpipe.problem.problem import Problem

__all__ = ["made", "prediction_checks", "run_checks", "table_checks"]

_LOG = logging.getLogger("kpipe")


def run_checks(
    problem: Problem,
    folds: Folds,
    predictions: Predictions,
    baseline: Baseline,
    ensemble: Ensemble,
    submission: Submission,
) -> tuple[Check, ...]:
    """All cheap checks, in a fixed order.

    Parameters
    ----------
    problem : Problem
    folds : Folds
    predictions : Predictions
    baseline : Baseline
    ensemble : Ensemble
        The final predictions.
    submission : Submission

    Returns
    -------
    tuple of Check
    """
    return (
        *table_checks(problem, folds),
        *prediction_checks(problem, folds, predictions, baseline, ensemble),
        real_data(submission),
    )


def table_checks(problem: Problem, folds: Folds) -> Iterator[Check]:
    """What tables and folds show before a model is fitted."""
    yield from made("clean is row-wise", clean_by_row, problem)
    yield from made("target unchanged by clean", target_kept, problem)
    yield from made("training and validation rows disjoint", folds_apart, folds)
    yield from made("groups kept together", groups_whole, problem, folds)
    yield from made("validation after training", time_forward, problem, folds)
    yield from made("duplicates across folds", copies_apart, problem, folds)
    yield from made("near-duplicates across folds", near_copies_apart, problem, folds)
    yield from made("target leakage", target_hidden, problem)
    yield from made("row-order leakage", order_blind, problem)
    yield from made("column alignment", columns_in_order, problem)
    yield from made("unseen categories", levels_seen, problem)
    yield from made("missingness shift", gaps_alike, problem)
    yield from made("group overlap matches test", folds_mirror_test, problem, folds)
    yield from made("adversarial validation", drawn_alike, problem)


def prediction_checks(
    problem: Problem, folds: Folds, predictions: Predictions, baseline: Baseline, ensemble: Ensemble
) -> Iterator[Check]:
    """What the predictions show."""
    metric, groups = problem.metric, problem.group_values
    below = baseline.name, evaluate(metric, predictions.y, baseline.oof, groups=groups)
    yield from made("metric direction", metric_prefers_the_truth, metric, predictions, baseline)
    yield from made("better than the baseline", beats_baseline, metric, predictions, ensemble, below, groups)
    yield from made("models better than the baseline", models_learn, metric, predictions, folds, below, groups)
    yield from made("constant predictions", not_constant, ensemble, problem.targets)
    yield from made("collapsed predictions", one_for_most, predictions)
    yield from made("batch dependence", rows_on_their_own, predictions)
    yield from made("classes in training rows", classes_trained, predictions, folds)
    yield from made("postprocess leakage", postprocess_blind, problem, folds, predictions)


def made(name: str, check: Callable[..., Check | Iterator[Check]], *given: object) -> Iterator[Check]:
    """What a check finds. One that cannot be made is a warning: it may not cost a training that has ended."""
    try:
        found = check(*given)
        ended = [found] if isinstance(found, Check) else list(found)
    except KpipeError as error:
        ended = [Check(name=name, status="warn", detail=f"It could not be made: {error}")]
    except Exception as error:  # tables of a kind that nobody thought of
        _LOG.exception("the check %s could not be made", name)
        detail = (
            f"It could not be made ({type(error).__name__}: {error}). Please report it: the log has the whole error."
        )
        ended = [Check(name=name, status="warn", detail=detail)]
    yield from ended
