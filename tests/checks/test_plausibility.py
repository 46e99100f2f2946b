"""Scores that are too good, and errors in one fold, class or part of the file, are found; honest predictions pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
import pytest

from kpipe.checks.errors_along_file import PREDICTION_CHECKS as ALONG_THE_FILE
from kpipe.checks.errors_along_file import even_errors_along_the_file
from kpipe.checks.interface import Finding, TrainedModels
from kpipe.checks.plausibility import (
    PREDICTION_CHECKS,
    classes_predicted,
    even_folds,
    graded_predictions,
    plausible_score,
)
from kpipe.problem.problem import Problem
from kpipe.training.folds import make_folds
from tests.checks.prepared_tables import trained
from tests.tables import problem_of, tables

Check = Callable[[TrainedModels], Iterable[Finding]]
N = 1200


def problem(metric: str, *, classes: int = 2) -> Problem:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(N + 300, 4)), columns=list("abcd")).assign(id=np.arange(N + 300))
    total = frame[list("abcd")].sum(axis=1) + rng.normal(size=N + 300)
    y = total if metric == "rmse" else pd.qcut(total, classes, labels=False).astype(int)
    test = frame.tail(300).reset_index(drop=True)
    made = tables(frame.assign(y=y).head(N), test, test[["id"]].assign(y=0.5 if metric == "rmse" else 0))
    return problem_of(made, metric=metric, id="id", target="y")


def honest(given: Problem) -> np.ndarray:
    """(n, k) predictions that are right as often as models of such columns are."""
    rng = np.random.default_rng(1)
    if given.labels is None:
        return np.asarray((given.y + rng.normal(0, 1, N))[:, None])
    k = len(given.labels)
    logits = 2.0 * np.eye(k)[given.y] + rng.gumbel(0, 1, (N, k))
    return np.asarray(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))


def findings(
    check: Check, metric: str, change: Callable[[Problem, np.ndarray], np.ndarray], **fields: int
) -> list[Finding]:
    given = problem(metric, **fields)
    return list(check(trained(given, change(given, honest(given)))))


def perfect(given: Problem, oof: np.ndarray) -> np.ndarray:
    return np.asarray(given.y[:, None].astype(float) if given.labels is None else np.eye(oof.shape[1])[given.y])


def nearly_perfect(given: Problem, oof: np.ndarray) -> np.ndarray:
    return (
        0.97 * perfect(given, oof) + 0.03 * oof
        if given.labels is None
        else np.where((np.arange(N) % 6 == 0)[:, None], oof, perfect(given, oof))
    )


def diverged(given: Problem, oof: np.ndarray) -> np.ndarray:
    valid = make_folds(given).valid[2]
    noise = oof.copy()
    noise[valid] = noise[np.random.default_rng(0).permutation(valid)]
    return noise


def shifted_from_row_800(given: Problem, oof: np.ndarray) -> np.ndarray:
    return np.concatenate([oof[:800], np.roll(oof[800:], 1, axis=0)])


def reversed_from_row_1080(given: Problem, oof: np.ndarray) -> np.ndarray:
    return np.concatenate([oof[:1080], oof[1080:, ::-1]])


def shifted_every_third_row(given: Problem, oof: np.ndarray) -> np.ndarray:
    oof[::3] = np.roll(oof[::3], 1, axis=0)
    return oof


def shifted_up_to_row_300(given: Problem, oof: np.ndarray) -> np.ndarray:
    return np.concatenate([np.roll(oof[:300], 1, axis=0), oof[300:]])


def shifted_in_the_middle(given: Problem, oof: np.ndarray) -> np.ndarray:
    return np.concatenate([oof[:400], np.roll(oof[400:800], 1, axis=0), oof[800:]])


def hard_labels(given: Problem, oof: np.ndarray) -> np.ndarray:
    return np.asarray(np.eye(oof.shape[1])[oof.argmax(axis=1)])


def two_levels(given: Problem, oof: np.ndarray) -> np.ndarray:
    return np.where(hard_labels(given, oof) == 1, 0.8, 0.2)


def without_the_last_class(given: Problem, oof: np.ndarray) -> np.ndarray:
    less = oof.copy()
    less[:, -1] = 1e-9
    return np.asarray(less / less.sum(axis=1, keepdims=True))


@pytest.mark.parametrize(
    ("check", "metric", "change", "classes", "status", "words"),
    [
        (plausible_score, "accuracy", perfect, 2, "fail", "perfect or nearly so (accuracy 1)"),
        (plausible_score, "accuracy", perfect, 3, "fail", "is the most predictive column"),
        (plausible_score, "rmse", perfect, 2, "fail", "perfect or nearly so (rmse 0)"),
        (plausible_score, "rmse", nearly_perfect, 2, "fail", "perfect or nearly so"),
        (plausible_score, "auc", nearly_perfect, 2, "warn", "nearly perfect"),
        (even_folds, "auc", diverged, 2, "warn", "Fold 3 of net is far worse"),
        (even_folds, "rmse", diverged, 2, "warn", "lower the learning rate"),
        (even_folds, "log_loss", diverged, 2, "warn", "Fold 3 of net"),
        (classes_predicted, "accuracy", without_the_last_class, 3, "warn", "2 is the class of 33.7% of the rows"),
        (classes_predicted, "log_loss", without_the_last_class, 4, "fail", "3 is the class of 25.3% of the rows"),
        (graded_predictions, "auc", hard_labels, 2, "fail", "predict_proba"),
        (graded_predictions, "log_loss", hard_labels, 3, "fail", "needs probabilities"),
        (graded_predictions, "auc", two_levels, 2, "fail", "only two different predictions (0.2 and 0.8)"),
        (even_errors_along_the_file, "auc", shifted_from_row_800, 2, "fail", "from row"),
        (
            even_errors_along_the_file,
            "auc",
            shifted_every_third_row,
            2,
            "fail",
            "for every third row (rows 1, 4, 7, ...",
        ),
        (even_errors_along_the_file, "rmse", shifted_every_third_row, 2, "fail", "for every third row"),
        (
            even_errors_along_the_file,
            "accuracy",
            reversed_from_row_1080,
            2,
            "fail",
            "labels of the target are swapped",
        ),
        (even_errors_along_the_file, "accuracy", shifted_up_to_row_300, 3, "fail", "up to row"),
        (even_errors_along_the_file, "rmse", shifted_from_row_800, 2, "fail", "by id, not by position"),
        (even_errors_along_the_file, "rmse", shifted_in_the_middle, 2, "fail", " to row "),
        (even_errors_along_the_file, "log_loss", shifted_in_the_middle, 3, "fail", "of train.csv"),
    ],
)
def test_implausible_predictions_are_found(
    check: Check,
    metric: str,
    change: Callable[[Problem, np.ndarray], np.ndarray],
    classes: int,
    status: str,
    words: str,
) -> None:
    [(found, text)] = findings(check, metric, change, classes=classes)
    assert found == status
    assert words in text


@pytest.mark.parametrize(
    ("metric", "classes"), [("accuracy", 2), ("accuracy", 3), ("auc", 2), ("log_loss", 4), ("rmse", 2)]
)
def test_predictions_without_mistakes_cause_no_finding(metric: str, classes: int) -> None:
    for check in (*PREDICTION_CHECKS, *ALONG_THE_FILE):
        assert findings(check.function, metric, lambda given, oof: oof, classes=classes) == []


def test_the_row_from_which_the_target_was_joined_wrongly_is_near_the_true_one() -> None:
    [(_, text)] = findings(even_errors_along_the_file, "rmse", shifted_from_row_800)
    row = int(text.partition("from row ")[2].partition(" ")[0])
    assert abs(row - 801) < 60


def sales(*, told: float) -> tuple[Problem, np.ndarray]:
    """Three years of sales that shop, product and season tell but for some noise, and predictions that are better."""
    rng = np.random.default_rng(0)
    days = pd.date_range("2015-01-01", periods=3 * 365).repeat(6)
    frame = pd.DataFrame({"id": np.arange(len(days)), "date": days.strftime("%Y-%m-%d")})
    frame["shop"], frame["product"] = np.tile(list("aabbcc"), len(days) // 6), np.tile(list("xy"), len(days) // 2)
    level = frame["shop"].map({"a": 1.0, "b": 1.6, "c": 2.3}) + frame["product"].map({"x": 0.0, "y": 0.5})
    season = 0.3 * np.sin(2 * np.pi * days.day_of_year / 365) + 0.2 * (days.day_of_week >= 5)
    frame["y"] = np.exp(5 + told * (level + season) + (2 - told) * 0.05 * rng.normal(size=len(days)))
    if told < 1:
        frame["y"] *= np.exp(rng.normal(size=len(days)))
    cut = 2 * 365 * 6
    test = frame.iloc[cut:].reset_index(drop=True)
    given = problem_of(
        tables(frame.head(cut), test.drop(columns="y"), test[["id"]].assign(y=1.0)), metric="smape", id="id", target="y"
    )
    return given, given.y[:, None] * np.exp(0.02 * rng.normal(size=(cut, 1)))


def test_sales_that_shops_and_seasons_tell_may_be_predicted_nearly_perfectly() -> None:
    given, oof = sales(told=1.0)
    assert list(plausible_score(trained(given, oof))) == []


def test_the_same_score_on_sales_that_no_column_predicts_is_implausible() -> None:
    given, oof = sales(told=0.1)
    [(status, text)] = plausible_score(trained(given, oof))
    assert status in ("warn", "fail")
    assert "perfect" in text
