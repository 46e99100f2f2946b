from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import kpipe
from kpipe.core.metrics import METRICS, classification, get_metric, ranking, regression
from kpipe.errors import UsageError


def test_an_unknown_metric_is_refused_with_a_near_miss() -> None:
    with pytest.raises(UsageError, match=r"no metric 'log_los'\. Did you mean log_loss\?"):
        get_metric("log_los")


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("ROC AUC", "auc"),
        ("roc_auc_score", "auc"),
        ("mean column-wise AUC", "auc"),
        ("Quadratic Weighted Kappa", "qwk"),
        ("multi-class log loss", "log_loss"),
        ("MEDIAN_ABSOLUTE_ERROR", "median_ae"),
        ("neg_mean_absolute_error", "mae"),
        ("Root Mean Squared Logarithmic Error", "rmsle"),
        ("MAP@7", "map@7"),
        ("f1_score", "f1"),
        ("AUC ROC", "auc"),
        ("MultiClassLoss", "log_loss"),
        ("Macro F-Score", "f1_macro"),
        ("Root Mean Squared Error (RMSE)", "rmse"),
        ("QuadraticWeightedKappa", "qwk"),
        ("Normalized Gini Coefficient", "gini"),
    ],
)
def test_a_metric_is_found_by_kaggles_and_scikit_learns_names(written: str, name: str) -> None:
    assert get_metric(written).name == name


def test_a_metric_object_is_returned_as_it_is() -> None:
    assert get_metric(METRICS["auc"]) is METRICS["auc"]


def test_no_two_metrics_share_a_name_or_an_alias() -> None:
    entries = (*classification.METRICS, *regression.METRICS, *ranking.METRICS)
    names = [name for metric in entries for name in (metric.name, *metric.aliases)]
    assert len(names) == len(set(names))
    assert len(METRICS) == len(entries)


NEW_ENTRY = """METRICS = (
    Metric(
        name="largest_error",
        function=lambda y, values: float(np.abs(values - y).max()),
        needs="value",
        greater_is_better=False,
        aliases=("max_error",),
    ),
"""
USE = """
import numpy as np
from kpipe.core.metrics import evaluate, get_metric
from kpipe.models.baseline import baseline
metric = get_metric("Max Error")
print(metric.name, evaluate(metric, np.array([1.0, 2.0]), np.array([[1.0], [5.0]])).value)
"""


def test_a_metric_is_added_in_one_file(tmp_path: Path) -> None:
    shutil.copytree(Path(kpipe.__file__).parent, tmp_path / "kpipe", ignore=shutil.ignore_patterns("__pycache__"))
    family = tmp_path / "kpipe" / "core" / "metrics" / "regression.py"
    family.write_text(re.sub(r"^METRICS = \(\n", lambda _: NEW_ENTRY, family.read_text(), flags=re.MULTILINE))
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", USE], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["largest_error", "3.0"]
