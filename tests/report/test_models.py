from __future__ import annotations

from pathlib import Path

import pytest

from kpipe.report import models
from tests.report.pages import findings, loaded_regression


def test_a_model_that_beats_the_ensemble_is_a_finding(tmp_path: Path) -> None:
    both = [{"name": "linear", "score": 0.6}, {"name": "boosting", "score": 0.4}]
    assert findings(models.section(loaded_regression(tmp_path, models=both, fold_scores=[]))) == [
        ("note", "The ensemble scores 0.5000, which is worse than its best model, linear (0.6000).")
    ]


@pytest.mark.parametrize(("scores", "differ"), [([0.2, 0.5, 0.8], True), ([0.49, 0.5, 0.51], False)])
def test_folds_that_differ_by_more_than_chance_are_a_finding(tmp_path: Path, scores: list[float], differ: bool) -> None:
    found = findings(models.section(loaded_regression(tmp_path, fold_scores=scores, standard_error=0.05)))
    assert [text.startswith("The scores of the folds differ") for _, text in found] == [True] * differ
    if differ:
        assert "the worst is 0.2000, the best 0.8000" in found[0][1]


def test_a_skipped_model_is_a_finding_with_its_reason(tmp_path: Path) -> None:
    found = findings(
        models.section(loaded_regression(tmp_path, fold_scores=[], left_out={"boosting": "no time was left"}))
    )
    assert found == [("warn", "The model boosting was skipped: no time was left.")]


def test_models_left_out_are_a_table_and_the_ensemble_has_no_seconds_of_its_own(tmp_path: Path) -> None:
    reason = "it would not finish within the budget of 5 s: no time was left for it"
    section = models.section(
        loaded_regression(tmp_path, fold_scores=[], left_out={"forest": reason, "boosting": reason}, seconds=99.0)
    )
    table = next(block for block in section.blocks if getattr(block, "caption", "") == "Skipped models")
    assert [row[0].text for row in table.rows] == ["forest", "boosting"]
    assert [cell.text for cell in section.blocks[0].rows[-1]][2:] == ["", "", ""]


def test_many_skipped_models_are_one_finding(tmp_path: Path) -> None:
    skipped = dict.fromkeys(["text", "boosting", "catboost"], "no time was left")
    ((level, text),) = findings(models.section(loaded_regression(tmp_path, fold_scores=[], left_out=skipped)))
    assert level == "warn"
    assert text.startswith("3 models were skipped: text, boosting, catboost.")
