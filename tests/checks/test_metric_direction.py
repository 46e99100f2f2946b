"""The check of the metric's direction."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kpipe.core.metrics import get_metric
from tests.modules import finding


def test_a_metric_whose_direction_is_reversed_fails(files: Path) -> None:
    reversed_ = replace(get_metric("accuracy"), name="my_accuracy", greater_is_better=False)
    found = finding(files, "metric direction", metric=reversed_)
    assert found.status == "fail"
    assert "my_accuracy is 1 for perfect predictions and 0.495 for the best single class" in found.detail
    assert "its direction or its labels are reversed" in found.detail


def doubled(y: np.ndarray, labels: np.ndarray) -> float:
    return float((y == labels).sum() / (len(y) / 2))


def of_these_400_rows(y: np.ndarray, labels: np.ndarray) -> float:
    """Divided by the number of rows of train, whatever the number of rows that are scored."""
    return float((y == labels).sum() / 400)


def of_all_but_the_last_row(y: np.ndarray, labels: np.ndarray) -> float:
    return float((y == labels)[:-1].mean())


@pytest.mark.parametrize(
    ("function", "name", "status", "where"),
    [
        (doubled, "accuracy", "warn", "2 times as much everywhere"),
        (of_these_400_rows, "accuracy", "fail", "on the first half"),
        (of_these_400_rows, "My Accuracy", "warn", "on the first half"),
        (of_all_but_the_last_row, "accuracy", "fail", "must not depend on the number or the order of rows"),
    ],
)
def test_an_own_metric_that_differs_from_the_one_of_its_name_is_found(
    files: Path, function, name: str, status: str, where: str
) -> None:
    own = replace(get_metric("accuracy"), function=function, name=name)
    found = finding(files, "metric direction", metric=own)
    assert found.status == status
    assert f"The custom metric {name} is" in found.detail
    assert where in found.detail


def test_an_own_metric_that_equals_the_one_of_its_name_passes(files: Path) -> None:
    own = replace(get_metric("accuracy"), function=lambda y, labels: float(np.mean(y == labels)))
    assert finding(files, "metric direction", metric=own).status == "pass"


def of_the_first_100_rows(y: np.ndarray, labels: np.ndarray) -> float:
    return float((y == labels)[:100].mean())


def test_a_metric_of_any_name_that_depends_on_the_order_of_rows_fails(files: Path) -> None:
    own = replace(get_metric("accuracy"), function=of_the_first_100_rows, name="share of points")
    found = finding(files, "metric direction", metric=own)
    assert found.status == "fail"
    assert "when rows and predictions are reordered together" in found.detail
