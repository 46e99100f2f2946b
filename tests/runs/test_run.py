from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

import kpipe
from kpipe.runs.run import Run


def test_a_run_gives_its_score_and_its_tables_as_pandas_users_expect_them(tmp_path: Path) -> None:
    run = kpipe.run("titanic", models=["linear"], jobs=1, out=tmp_path)
    assert 0.6 < run.score < 1
    assert 0 < run.standard_error < 0.1
    assert run.submission.columns.tolist() == ["PassengerId", "Survived"]
    assert run.oof["linear/1"].between(0, 1).all()
    assert len(run.oof) == 300
    assert set(run.folds["role"]) == {"train", "valid"}
    accuracy = ((run.oof["blend/1"] > run.oof["blend/0"]) == run.oof["Survived"]).mean()
    assert accuracy == pytest.approx(run.score)


def test_a_submission_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": ["0000", "NA", "1e5"], "y": [0.5, 1.0, 2.0], "kept": [True, False, True]})
    frame.to_csv(tmp_path / "submission.csv", index=False)
    run = Run(path=tmp_path, record={"submission": {"text": ["id"]}})
    pd.testing.assert_frame_equal(run.submission, frame)


def test_an_unknown_score_is_null_in_the_record_and_nan_in_python() -> None:
    run = Run(path=Path(), record={"score": None, "standard_error": None})
    assert repr(run) == "<Run None: None unknown ± unknown, '.'>"
    assert math.isnan(run.score)
    assert math.isnan(run.standard_error)
    assert Run(path=Path(), record={"score": 1, "standard_error": 0.5}).standard_error == 0.5
