from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

import kpipe
from kpipe.report import write
from kpipe.runs.run import Run
from tests.report.pages import Page


def test_the_model_that_is_trained_again_reproduces_the_predictions_of_the_run(titanic: Run) -> None:
    page = Page(write(titanic).read_text(encoding="utf-8"))
    assert "The models reproduce the run's predictions." in page.text


def test_importance_is_measured_through_the_ensemble_with_its_weights(three_models: Run) -> None:
    text = Page(write(three_models).read_text(encoding="utf-8")).text
    heaviest = max(three_models.record["models"], key=lambda model: model["weight"])
    assert f"It is measured through the ensemble ({heaviest['name']} {heaviest['weight']:.2f}" in text
    assert "The models reproduce the run's predictions." in text


def test_the_auc_of_validation_rows_of_one_class_is_reported_as_undefined(tmp_path: Path) -> None:
    run = kpipe.run("titanic", models=["linear"], folds=2, metric="auc", out=tmp_path)
    validated = (run.oof["Survived"] == 1) & (run.oof["row"] % 2 == 0)
    roles = np.where(validated, "valid", "train")
    pd.DataFrame({"fold": 0, "row": run.oof["row"], "role": roles}).to_parquet(run.path / "folds.parquet")
    text = Page(write(run).read_text(encoding="utf-8")).text
    assert f"Not computed: auc is not defined on the {validated.sum()} validation rows" in text
