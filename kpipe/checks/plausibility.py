"""Scores that are too good to be true, and errors concentrated in one fold or one class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from kpipe.checks.binning import bin_column
from kpipe.checks.interface import Finding, PredictionCheck, TrainedModels
from kpipe.checks.statistics import rank_correlation, scaled_ranks
from kpipe.checks.wide import sample_columns
from kpipe.core.metrics import Metric, evaluate, output
from kpipe.data.column_types import is_free_text, is_pixel_table, to_numeric
from kpipe.data.dates import parse_dates

__all__ = [
    "PREDICTION_CHECKS",
    "classes_predicted",
    "even_folds",
    "graded_predictions",
    "plausible_score",
]

_MIN_ROWS = 200  # of a table in which such patterns are looked for
_ROWS = 10_000  # on which single columns are judged
# Skill (1: perfect, 0: nothing) from which predictions count as perfect and as nearly so; a single column must reach
# the second share of it, or the columns do not explain the score one by one.
_PERFECT, _NEARLY, _EXPLAINED = 0.9995, 0.98, 0.7
# What the means of groups, weekdays and months must reach: then the table is regular, and its rows hold no secret.
_EXPLAINED_SIMPLY, _MAX_CATEGORIES, _ROWS_PER_CELL = 0.9, 50, 5.0
_FOLD_ERRORS, _FOLD_SPREADS, _MIN_FOLDS = 6.0, 6.0, 4  # standard errors, and spreads of the other folds
# Share of rows of a class; of those the share that is predicted at least, and that below which it never is.
_MIN_CLASS, _PREDICTED, _NEVER = 0.02, 0.1, 0.01


def plausible_score(trained: TrainedModels) -> Iterator[Finding]:
    """Whether single columns explain a perfect or nearly perfect score.

    Parameters
    ----------
    trained : TrainedModels

    Yields
    ------
    Finding
        None for scores that are far from perfect, and for several targets.
    """
    problem, y, oof = trained.problem, trained.predictions.y, trained.ensemble.oof
    scored = np.flatnonzero(~np.isnan(oof).any(axis=1))
    if y.ndim > 1 or len(scored) < _MIN_ROWS or (ours := _skill(y[scored], oof[scored])) < _NEARLY:
        return
    some = np.sort(np.random.default_rng(0).permutation(scored)[:_ROWS])
    X = sample_columns(problem).X.iloc[some]
    single = _best_single(X, y[some])
    score = f"{problem.metric.name} {problem.metric.function(y[scored], output(problem.metric, oof[scored])):.5g}"
    best = (
        f"{single[1]} is the most predictive column, {single[0]:.0%} of the way to a perfect score"
        if single[1]
        else "no single column predicts the target"
    )
    of_parts = is_pixel_table(X) or any(is_free_text(X[column]) for column in X)
    if ours >= _PERFECT:
        yield (
            "fail" if single[0] < _EXPLAINED and not of_parts else "warn",
            f"The score is perfect or nearly so ({score}), and {best}. Look for a column, a combination of columns, or "
            "a step in clean or features that contains the target, and for copies of validation rows among training "
            "rows.",
        )
    elif (
        single[0] < _EXPLAINED * ours and not of_parts and _skill_of_groups(trained, X, some) < _EXPLAINED_SIMPLY * ours
    ):
        yield (
            "warn",
            f"The score is nearly perfect ({score}), although {best}. Unless the target is computed from the columns, "
            "look for columns that together contain it, and for copies of validation rows among training rows.",
        )


def _skill(y: np.ndarray, oof: np.ndarray) -> float:
    """From 0 to 1: the rank correlation of values; for two classes 2 AUC - 1; for more, the share of errors removed."""
    if oof.shape[1] == 1:
        return abs(rank_correlation(y, oof[:, 0]))
    if oof.shape[1] == 2:
        return abs(2 * float(roc_auc_score(y, oof[:, 1] - oof[:, 0])) - 1) if len(np.unique(y)) == 2 else 0.0
    wrong, usual = (oof.argmax(axis=1) != y).mean(), 1 - np.bincount(y.astype(int)).max() / len(y)
    return float(1 - wrong / usual) if usual > 0 else 0.0


def _best_single(X: pd.DataFrame, y: np.ndarray) -> tuple[float, str]:
    """The greatest skill of a column by itself, and its name: each value predicts the mean of its other rows."""
    fold = np.random.default_rng(0).permutation(len(X)) % 4
    classes = y.dtype.kind in "iu"
    targets = np.eye(int(y.max()) + 1)[y.astype(int)] if classes else scaled_ranks(y)[:, None]
    best = (0.0, "")
    for column in X:
        codes = bin_column(X[column], to_numeric(X[column])).codes
        best = max(best, (_skill(y if classes else targets[:, 0], _means(codes, targets, fold)), str(column)))
    return best


def _skill_of_groups(trained: TrainedModels, X: pd.DataFrame, rows: np.ndarray) -> float:
    """The skill of simple means: of the rows of the same categories, of the same weekday and part of the year.

    Sales of a product in a shop on Saturdays in December are nearly known without any model.
    """
    y = trained.predictions.y[rows]
    classes = y.dtype.kind in "iu"
    targets = np.eye(int(y.max()) + 1)[y.astype(int)] if classes else scaled_ranks(y)[:, None]
    fold = np.zeros(len(y), dtype=np.int64)
    for number, valid in enumerate(trained.folds.valid):
        fold[np.isin(rows, valid)] = number
    categories = [pd.factorize(X[c], use_na_sentinel=False)[0] for c in X if 1 < X[c].nunique() <= _MAX_CATEGORIES]
    cells = _joint_cells(categories, len(y))
    fitted = _means(cells, targets, fold)
    steps = [fitted]
    for part in _calendar_parts(X):
        for codes in (part, _joint_cells([cells, part], len(y))):
            seasonal = _means(codes, targets - fitted, fold)
            for number in range(int(fold.max()) + 1):  # another year's level is no season
                seasonal[fold == number] -= seasonal[fold == number].mean(axis=0)
            fitted = fitted + seasonal
            steps.append(fitted)
    return max(_skill(y if classes else targets[:, 0], one) for one in steps)


def _joint_cells(categories: Sequence[np.ndarray], n: int) -> np.ndarray:
    """(n,) one code for each combination of categories, of as many columns as leave several rows in each."""
    joint = np.zeros(n, dtype=np.int64)
    for codes in sorted(categories, key=lambda one: int(one.max())):
        more = pd.factorize(joint * (int(codes.max()) + 1) + codes)[0]
        if (int(more.max()) + 1) * _ROWS_PER_CELL <= len(more):
            joint = more
    return joint


def _calendar_parts(X: pd.DataFrame) -> Iterator[np.ndarray]:
    """Weekday, month and week of the year of each column of dates."""
    for column in X:
        dates = None if pd.api.types.is_numeric_dtype(X[column]) else parse_dates(X[column])
        if dates is not None:
            for part in (dates.dt.day_of_week, dates.dt.month, dates.dt.day_of_year // 7):
                yield pd.factorize(part, use_na_sentinel=False)[0]


def _means(codes: np.ndarray, targets: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """(n, k) mean target of the rows with the same code in the other folds."""
    size, parts = int(codes.max()) + 1, int(fold.max()) + 1
    at, result = fold * size + codes, np.empty(targets.shape)
    counts = np.bincount(at, minlength=size * parts).reshape(parts, size)
    others = counts.sum(axis=0) - counts
    for number, values in enumerate(targets.T):
        sums = np.bincount(at, weights=values, minlength=size * parts).reshape(parts, size)
        means = np.where(others > 0, (sums.sum(axis=0) - sums) / np.maximum(others, 1), values.mean())
        result[:, number] = means[fold, codes]
    return result


def even_folds(trained: TrainedModels) -> Iterator[Finding]:
    """The models of which one fold scores much worse than the others, such as a net that diverged.

    Parameters
    ----------
    trained : TrainedModels

    Yields
    ------
    Finding
        One for each such model.
    """
    metric, y, folds = trained.problem.metric, trained.predictions.y, trained.folds
    if len(folds.valid) < _MIN_FOLDS or folds.refit or trained.problem.groups is not None:
        return  # periods of time and groups differ by themselves
    for model in trained.predictions.models:
        scores = np.array([_score(metric, y, model.oof, valid) for valid in folds.valid])
        losses = scores * (-1 if metric.greater_is_better else 1)
        worst = int(np.argmax(losses))
        others = np.delete(losses, worst)
        excess = losses[worst] - float(np.median(others))
        if not excess > _FOLD_SPREADS * others.std(ddof=1):
            continue
        without = model.oof.copy()
        without[folds.valid[worst]] = np.nan
        error = evaluate(metric, y, without).standard_error * np.sqrt(len(others))
        if excess > _FOLD_ERRORS * error:
            usual = float(np.median(np.delete(scores, worst)))
            yield (
                "warn",
                f"Fold {worst + 1} of {model.name} is far worse than the others ({metric.name} {scores[worst]:.5g}; "
                f"the others' median is {usual:.5g}): the fit may have diverged, or its rows differ. Inspect its "
                "learning curve and lower the learning rate, or find out what is special about these rows.",
            )


def _score(metric: Metric, y: np.ndarray, oof: np.ndarray, rows: np.ndarray) -> float:
    """The score of some rows; NaN where it is not defined, as the AUC of one class."""
    known = rows[~np.isnan(oof[rows]).any(axis=1)]
    if not len(known):  # a fold that the budget left out
        return float("nan")
    try:
        return float(metric.function(y[known], output(metric, oof[known])))
    except ValueError:
        return float("nan")


def classes_predicted(trained: TrainedModels) -> Iterator[Finding]:
    """The classes that are hardly ever predicted, in labels or in probabilities.

    Parameters
    ----------
    trained : TrainedModels

    Yields
    ------
    Finding
    """
    classes, y, oof = trained.predictions.classes, trained.predictions.y, trained.ensemble.oof
    if classes is None or oof.shape[1] != len(classes):
        return
    scored = ~np.isnan(oof).any(axis=1)
    probabilities = trained.problem.metric.needs != "label"
    given = oof[scored] if probabilities else np.eye(len(classes))[oof[scored].argmax(axis=1)]
    true = np.bincount(y[scored].astype(int), minlength=len(classes)) / max(scored.sum(), 1)
    predicted = given.sum(axis=0) / max(given.sum(), 1e-300)
    rare = (
        (true >= _MIN_CLASS)
        & (true * scored.sum() >= 30)
        & (predicted < (_PREDICTED * true if probabilities else 1e-12))
    )
    for code in np.flatnonzero(rare):
        yield (
            "fail" if probabilities and predicted[code] < _NEVER * true[code] else "warn",
            f"{classes[code]} is the class of {true[code]:.1%} of the rows, but its share of the predictions is "
            f"{predicted[code]:.1%}. Check that labels are encoded consistently, weight the classes, or choose another "
            "threshold.",
        )


def graded_predictions(trained: TrainedModels) -> Iterator[Finding]:
    """The models that predict only 0 and 1 although the metric ranks rows or needs probabilities.

    Parameters
    ----------
    trained : TrainedModels

    Yields
    ------
    Finding
        One for each such model, and one where ``postprocess`` makes them so.
    """
    problem = trained.problem
    for model in trained.predictions.models if problem.metric.needs == "probability" else ():
        distinct = _distinct(model.oof)
        if len(distinct) == 2 and np.array_equal(distinct, [0.0, 1.0]):
            yield (
                "fail",
                f"{model.name} predicts only 0 and 1, but {problem.metric.name} needs probabilities: use predict_proba "
                "instead of predict, and do not round.",
            )
        elif len(distinct) == 2:
            yield (
                "fail",
                f"{model.name} has only two different predictions ({distinct[0]:.4g} and {distinct[1]:.4g}) in all "
                f"folds, but {problem.metric.name} needs graded probabilities. Do not turn them into labels.",
            )
    if problem.metric.needs == "probability" and problem.competition.postprocess is not None:
        graded = any(len(_distinct(model.oof)) > 2 for model in trained.predictions.models)
        if graded and len(_distinct(trained.ensemble.oof)) == 2:
            yield (
                "fail",
                f"postprocess turns graded predictions into two values, but {problem.metric.name} needs probabilities. "
                "Do not round them, and do not compare them with a threshold.",
            )


def _distinct(predictions: np.ndarray) -> np.ndarray:
    """The distinct out-of-fold predictions, to 9 digits; none of a small table."""
    oof = predictions[~np.isnan(predictions).any(axis=1)]
    return np.unique(np.round(oof, 9)) if len(oof) >= 30 else np.array([])


PREDICTION_CHECKS = (
    PredictionCheck("plausible score", plausible_score),
    PredictionCheck("folds score alike", even_folds),
    PredictionCheck("classes predicted", classes_predicted),
    PredictionCheck("graded predictions", graded_predictions),
)
