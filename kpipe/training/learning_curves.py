"""Learning curves: the loss, step by step, that an estimator keeps of its own fit.

An estimator may keep two, as arrays with a number for each epoch or tree:

- ``loss_curve_``, on the rows that it learns from (the name is scikit-learn's, of ``MLPClassifier``);
- ``validation_loss_curve_``, on those of its training rows that ``fit`` itself set apart.

Neither is of the held-out rows of a fold, which no ``fit`` is given: these are for the score alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline

__all__ = ["SHAPE", "curves_of", "curves_table"]

_KINDS = {"loss_curve_": "training", "validation_loss_curve_": "inner validation"}
_POINTS = 100  # of a curve; longer ones are thinned
SHAPE = (len(_KINDS), _POINTS, 2)
_COLUMNS = {"model": "str", "seed": "int64", "fold": "int64", "rows": "str", "step": "int64", "loss": "float64"}


def curves_of(estimator: Any) -> np.ndarray:
    """(2, 100, 2) float64: a curve on training rows and one on inner validation rows, as (step from 1, loss).

    Zeros stand where there is nothing: estimators that keep no curve, or one that is no row of numbers.

    >>> class Fitted:
    ...     loss_curve_ = [0.7, 0.5]
    >>> curves_of(Fitted())[0, :3].tolist()
    [[1.0, 0.7], [2.0, 0.5], [0.0, 0.0]]
    """
    curves = np.zeros(SHAPE)
    innermost = _innermost(estimator)
    for place, name in enumerate(_KINDS):
        try:
            losses = np.asarray(getattr(innermost, name, ()), dtype=np.float64)
        except Exception:  # a model's own property may raise anything, and may not cost the fit
            continue
        if losses.ndim != 1 or not len(losses):
            continue
        steps = np.unique(np.linspace(0, len(losses) - 1, _POINTS).round().astype(int))
        steps = steps[np.isfinite(losses[steps])]
        curves[place, : len(steps)] = np.column_stack([steps + 1, losses[steps]])
    return curves


def _innermost(estimator: Any) -> Any:
    """The model itself, behind its features and the scale of its target."""
    while True:
        if isinstance(estimator, Pipeline):
            estimator = estimator[-1]
        elif isinstance(estimator, TransformedTargetRegressor):
            estimator = estimator.regressor_
        else:
            return estimator


def curves_table(models: Iterable[tuple[str, Mapping[tuple[int, int], np.ndarray]]]) -> pd.DataFrame:
    """One row a step: model, seed, fold, rows ("training" or "inner validation"), step, loss.

    models : names with their curves by (seed, fold), as ``curves_of`` gives them.
    """
    lines = [
        (name, seed, fold, rows, int(step), loss)
        for name, fits in models
        for (seed, fold), curves in sorted(fits.items())
        for rows, curve in zip(_KINDS.values(), curves, strict=True)
        for step, loss in curve
        if step
    ]
    return pd.DataFrame(lines, columns=list(_COLUMNS)).astype(_COLUMNS)
