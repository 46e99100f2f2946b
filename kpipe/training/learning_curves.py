"""Learning curves: the loss per epoch or tree, which an estimator records while it is fitted.

An estimator may have two of them, as arrays with one number per epoch or tree:

- ``loss_curve_``, on its training rows (the name that scikit-learn's ``MLPClassifier`` uses);
- ``validation_loss_curve_``, on the part of its training rows that ``fit`` itself held out (inner validation).

Neither uses the validation rows of the fold, which ``fit`` never sees: they are only for the score.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline

__all__ = ["CURVES_SHAPE", "curves_to_frame", "extract_curves", "final_estimator"]

_ROWS = {"loss_curve_": "training", "validation_loss_curve_": "inner validation"}  # attribute → what its rows are
_MAX_POINTS = 100  # of a curve; longer ones are thinned
CURVES_SHAPE = (len(_ROWS), _MAX_POINTS, 2)
_DTYPES = {"model": "str", "seed": "int64", "fold": "int64", "rows": "str", "step": "int64", "loss": "float64"}


def extract_curves(estimator: Any) -> np.ndarray:
    """Return the learning curves of a fitted estimator.

    Parameters
    ----------
    estimator : fitted estimator
        The model itself, a pipeline that ends in it, or a TransformedTargetRegressor around it.

    Returns
    -------
    (2, 100, 2) float64
        The curves on training rows and on inner validation rows, as (step from 1, loss), padded with zeros. A curve is
        all zeros if the estimator does not record it as a sequence of numbers.

    Examples
    --------
    >>> class Fitted:
    ...     loss_curve_ = [0.7, 0.5]
    >>> extract_curves(Fitted())[0, :3].tolist()
    [[1.0, 0.7], [2.0, 0.5], [0.0, 0.0]]
    """
    curves = np.zeros(CURVES_SHAPE)
    model = final_estimator(estimator)
    for place, name in enumerate(_ROWS):
        try:
            losses = np.asarray(getattr(model, name, ()), dtype=np.float64)
        except Exception:  # a property of the model may raise anything, which must not fail the fit
            continue
        if losses.ndim != 1 or not len(losses):
            continue
        steps = np.unique(np.linspace(0, len(losses) - 1, _MAX_POINTS).round().astype(int))
        steps = steps[np.isfinite(losses[steps])]
        curves[place, : len(steps)] = np.column_stack([steps + 1, losses[steps]])
    return curves


def curves_to_frame(models: Iterable[tuple[str, Mapping[tuple[int, int], np.ndarray]]]) -> pd.DataFrame:
    """Return learning curves as a table with one row per point.

    Parameters
    ----------
    models : iterable of (str, mapping)
        Names of models, and their curves by (seed, fold) as ``extract_curves`` returns them.

    Returns
    -------
    DataFrame
        Columns ``model``, ``seed``, ``fold``, ``rows`` ("training" or "inner validation"), ``step`` and ``loss``.
    """
    lines = [
        (name, seed, fold, rows, int(step), loss)
        for name, fits in models
        for (seed, fold), curves in sorted(fits.items())
        for rows, curve in zip(_ROWS.values(), curves, strict=True)
        for step, loss in curve
        if step
    ]
    return pd.DataFrame(lines, columns=list(_DTYPES)).astype(_DTYPES)


def final_estimator(estimator: Any) -> Any:
    """Return the model itself, without its features and the scale of its target.

    Parameters
    ----------
    estimator : fitted estimator
        A model, a pipeline that ends in one, or a TransformedTargetRegressor around either.
    """
    while True:
        if isinstance(estimator, Pipeline):
            estimator = estimator[-1]
        elif isinstance(estimator, TransformedTargetRegressor):
            estimator = estimator.regressor_
        else:
            return estimator
