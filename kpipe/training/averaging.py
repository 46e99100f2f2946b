"""Average the results of a model's fits over seeds and folds."""

from __future__ import annotations

import numpy as np

from kpipe.core.values import ByFold, Folds, ModelPredictions
from kpipe.training.task_runner import FitResults
from kpipe.training.worker import TrainingData

__all__ = ["average_fits", "predictions_by_fold"]

_SAMPLED = 2_000  # test rows, at most, for which the predictions of each fold are kept


def average_fits(name: str, results: FitResults, data: TrainingData, folds: Folds) -> ModelPredictions:
    """Average a model's fits. The order of summation is fixed, so that it does not matter which fit finishes first.

    Parameters
    ----------
    name : str
    results : FitResults
    data : TrainingData
    folds : Folds
    """
    summed = np.zeros((len(data.y), data.outputs))
    counted = np.zeros(len(data.y))
    for seed, fold in sorted(results):
        if fold < len(folds.valid):
            rows = folds.valid[fold]
            summed[rows] += results[seed, fold].valid
            counted[rows] += 1
    with np.errstate(invalid="ignore"):
        oof = summed / counted[:, None]  # 0 / 0 = NaN for rows that no fold validated
    refit = len(folds.valid)
    tests = [results[key].test for key in sorted(results) if key[1] == refit or not folds.refit]
    seeds = tuple(sorted({seed for seed, _ in results}))
    return ModelPredictions(
        name=name,
        oof=oof,
        test=np.sum(tests, axis=0) / len(tests),
        seconds=sum(result.seconds for result in results.values()),
        seeds=seeds,
        batch_dependence=max(result.batch_dependence for result in results.values()),
        fits={seed: tuple(sorted(fold for of, fold in results if of == seed)) for seed in seeds},
        curves={key: results[key].curves for key in sorted(results)},
        by_fold=None if folds.refit else _by_fold(results, len(data.X_test)),
    )


def _by_fold(results: FitResults, test_rows: int) -> ByFold:
    """The predictions of each fold's models for some test rows, evenly spaced."""
    rows = np.unique(np.linspace(0, test_rows - 1, min(test_rows, _SAMPLED)).astype(int))
    return ByFold(rows=rows, predictions=predictions_by_fold(results, rows))


def predictions_by_fold(results: FitResults, rows: np.ndarray) -> np.ndarray:
    """Return the predictions for test rows by the models of each fold, averaged over seeds.

    Parameters
    ----------
    results : FitResults
    rows : (s,) int
        Positions in test.

    Returns
    -------
    (f, s, k) float
    """
    return np.stack(
        [
            np.mean([results[key].test[rows] for key in sorted(results) if key[1] == fold], axis=0)
            for fold in sorted({fold for _, fold in results})
        ]
    )
