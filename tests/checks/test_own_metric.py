"""Metrics of a competition's own that count rows wrongly or choose by the targets are found; honest ones pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import f1_score, matthews_corrcoef, roc_auc_score

from kpipe.checks.own_metric import own_metric
from kpipe.core.metrics import METRICS, Metric
from tests.checks.test_plausibility import honest, problem, trained

Function = Callable[[np.ndarray, np.ndarray], float]
CALLS: list[float] = []


def found(function: Function, needs: str, *, greater: bool = True) -> list[tuple[str, str]]:
    CALLS.clear()
    given = problem("rmse" if needs == "value" else "auc")
    own = Metric(name="own", function=function, needs=needs, greater_is_better=greater)  # type: ignore[arg-type]
    made = trained(given, honest(given))
    return list(own_metric(replace(made, problem=replace(given, metric=own))))


def of_one(p: np.ndarray) -> np.ndarray:
    return p[:, 1] if p.ndim == 2 else p


def right(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    return (of_one(p) > 0.5) == y


def at_the_best_threshold(y: np.ndarray, p: np.ndarray) -> float:
    return max(float(((of_one(p) > at) == y).mean()) for at in np.linspace(0.02, 0.98, 97))


def where_it_is_sure(y: np.ndarray, p: np.ndarray) -> float:
    sure = np.abs(of_one(p) - 0.5) > 0.2
    return float(right(y, p)[sure].mean()) if sure.any() else 0.0


def without_the_worst(y: np.ndarray, p: np.ndarray) -> float:
    return float(np.sort(np.abs(y - of_one(p)))[: int(0.8 * len(y))].mean())


def of_sorted_values(y: np.ndarray, p: np.ndarray) -> float:
    return float(np.abs(np.sort(y) - np.sort(of_one(p))).mean())


def of_random_weights(y: np.ndarray, p: np.ndarray) -> float:
    return float(np.average(right(y, p), weights=np.random.default_rng().random(len(y))))


def best_so_far(y: np.ndarray, p: np.ndarray) -> float:
    CALLS.append(float(right(y, p).mean()))
    return max(CALLS)


def whatever_the_sign(y: np.ndarray, p: np.ndarray) -> float:
    return abs(2 * float(roc_auc_score(y, of_one(p))) - 1)


def clipped_in_place(y: np.ndarray, p: np.ndarray) -> float:
    p[:] = np.clip(p, 0.3, 0.7)
    return float(-np.log(np.where(y == 1, of_one(p), 1 - of_one(p))).mean())


def squared_correlation(y: np.ndarray, p: np.ndarray) -> float:
    return float(np.corrcoef(y, p)[0, 1] ** 2)


@pytest.mark.parametrize(
    ("function", "needs", "greater", "status", "words"),
    [
        (at_the_best_threshold, "probability", True, "fail", "it tunes something, such as a threshold"),
        (where_it_is_sure, "probability", True, "fail", "it leaves out uncertain rows"),
        (without_the_worst, "probability", False, "warn", "although 10% of the rows are predicted wrongly"),
        (of_sorted_values, "value", False, "fail", "does not compare a row's prediction with the row's own target"),
        (of_random_weights, "probability", True, "fail", "it is random"),
        (best_so_far, "probability", True, "fail", "it keeps state between calls"),
        (whatever_the_sign, "probability", True, "warn", "in the reverse order"),
        (clipped_in_place, "probability", False, "fail", "own changes the predictions that are passed to it"),
        (squared_correlation, "value", True, "warn", "in the reverse order"),
    ],
)
def test_a_wrong_metric_is_found(function: Function, needs: str, greater: bool, status: str, words: str) -> None:
    [(found_status, text)] = found(function, needs, greater=greater)
    assert found_status == status
    assert words in text


def log_loss(y: np.ndarray, p: np.ndarray) -> float:
    return float(-np.log(np.clip(np.where(y == 1, of_one(p), 1 - of_one(p)), 1e-9, 1)).mean())


@pytest.mark.parametrize(
    ("function", "needs", "greater"),
    [
        (lambda y, p: float(right(y, p).mean()), "probability", True),
        (lambda y, p: float(roc_auc_score(y, of_one(p))), "probability", True),
        (lambda y, p: float(np.sqrt(((y - of_one(p)) ** 2).mean())), "probability", False),
        (log_loss, "probability", False),
        (lambda y, p: float(f1_score(y, of_one(p) > 0.5)), "probability", True),
        (lambda y, p: float(f1_score(y, p)), "label", True),
        (lambda y, p: float(matthews_corrcoef(y, p)), "label", True),
        (lambda y, p: float(np.sqrt(((y - p) ** 2).mean())), "value", False),
        (lambda y, p: float(np.abs(y - p).max()), "value", False),
        (lambda y, p: float(1 - ((y - p) ** 2).sum() / ((y - y.mean()) ** 2).sum()), "value", True),
    ],
)
def test_a_correct_metric_passes(function: Function, needs: str, greater: bool) -> None:
    assert found(function, needs, greater=greater) == []


@pytest.mark.parametrize("name", sorted(METRICS))
def test_kpipes_metrics_are_not_checked(name: str) -> None:
    made = trained(problem("auc"), honest(problem("auc")))
    assert list(own_metric(replace(made, problem=replace(made.problem, metric=METRICS[name])))) == []
