from __future__ import annotations

import numpy as np
import pytest

from kpipe.core.metrics import METRICS, is_ordinal, output
from tests.core.metrics.examples import example


def test_labels_are_the_most_probable_class() -> None:
    assert output(METRICS["accuracy"], np.array([[0.2, 0.8], [0.9, 0.1]])).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("labels", "ordinal"),
    [(np.array([3, 4, 5]), True), (np.array([0, 1]), False), (np.array(["a", "b", "c"]), False), (None, False)],
    ids=["three numbers", "two numbers", "text", "regression"],
)
def test_classes_are_steps_of_a_scale_if_they_are_more_than_two_numbers(
    labels: np.ndarray | None, ordinal: bool
) -> None:
    assert is_ordinal(METRICS["qwk"], labels) is ordinal
    assert not is_ordinal(METRICS["accuracy"], labels)


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.losses is not None])
def test_a_metric_with_losses_is_their_mean_or_its_root(name: str) -> None:
    metric = METRICS[name]
    y, predictions = example(name)
    mean = metric.losses(y, output(metric, predictions)).mean()
    assert metric.function(y, output(metric, predictions)) == (np.sqrt(mean) if metric.root else mean)
