"""Measure the gain of each step of a budget's plan, on the rows that all steps predict."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from kpipe.core.metrics import Metric
from kpipe.core.values import Folds, ModelPredictions, Predictions, Step
from kpipe.training.cross_fitting import can_cross_fit
from kpipe.training.ensemble import compare, fit_ensemble, smooth_losses

__all__ = ["measure_steps"]

_LOG = logging.getLogger("kpipe")


def measure_steps(
    models: Mapping[str, Sequence[ModelPredictions]], y: np.ndarray, folds: Folds, metric: Metric
) -> tuple[Step, ...]:
    """Return the gain of each step over the previous one, in the loss of its cross-fitted ensemble.

    Parameters
    ----------
    models : mapping of str to sequence of ModelPredictions
        All models after each step.
    y : (n,) or (n, targets)
    folds : Folds
    metric : Metric

    Returns
    -------
    tuple of Step
        For steps after the first that changed a prediction; empty if weights cannot be cross-fitted.
    """
    finished = {name: after for name, after in models.items() if after}
    oof = {name: np.stack([model.oof for model in after]) for name, after in finished.items()}
    predicted = [~np.isnan(of_models).any(axis=(0, 2)) for of_models in oof.values()]
    if not all(can_cross_fit(folds, rows) for rows in predicted):
        return ()
    rows, losses = np.logical_and.reduce(predicted), smooth_losses(metric)
    row_losses = {}
    for name, after in finished.items():
        ensemble = fit_ensemble(Predictions(models=tuple(after), classes=None, y=y), folds, metric)
        row_losses[name] = losses(y[rows], ensemble.oof[rows])
    steps = []
    for before, name in pairwise(finished):
        if np.array_equal(row_losses[before], row_losses[name]):
            continue
        gain, error = compare(row_losses[before], row_losses[name])
        seconds = _seconds(finished[name]) - _seconds(finished[before])
        steps.append(Step(name=name, gain=gain, standard_error=error, used=True, seconds=seconds))
        _LOG.info("%s: loss %.6g lower (standard error %.2g), %.0f s", name, gain, error, seconds)
    return tuple(steps)


def _seconds(models: Sequence[ModelPredictions]) -> float:
    return sum(model.seconds for model in models)
