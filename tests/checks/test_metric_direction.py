"""The check of the metric's direction."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kpipe.core.metrics import get_metric
from tests.modules import findings


def test_a_metric_whose_direction_is_reversed_fails(files: Path) -> None:
    reversed_ = replace(get_metric("accuracy"), name="my_accuracy", greater_is_better=False)
    found = findings(files, metric=reversed_)["metric direction"]
    assert found.status == "fail"
    assert "my_accuracy is 1 for perfect predictions and 0.5" in found.detail
    assert "its direction or its labels are reversed" in found.detail
