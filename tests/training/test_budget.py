"""A budget is for the whole run: it ends in time with the best it has, and its log tells the plan."""

from __future__ import annotations

import time
from pathlib import Path

import pandas as pd
import pytest

from kpipe import run
from tests.tables import survivors


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = survivors(n=1500, m=300)
    for name, frame in (("train", made.train), ("test", made.test), ("sample_submission", made.sample)):
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    return tmp_path


@pytest.mark.slow
def test_a_run_ends_within_its_budget_and_says_what_it_planned(folder: Path) -> None:
    began = time.monotonic()
    ended = run("made-by-hand", data=folder, budget=15.0, out=folder / "out")
    assert time.monotonic() - began < 16.5
    record = ended.record
    assert len({m["name"] for m in record["models"]} | {name.split()[0] for name in record["left_out"]}) == 5
    assert len(record["models"]) >= 2
    assert record["score"] > record["baseline"]
    assert len(pd.read_csv(ended.path / "submission.csv")) == 300
    log = (ended.path / "log.txt").read_text()
    assert "plan: boosting, linear, catboost, forest, tabular-net on 5 folds" in log
    assert "s left" in log
    assert record["models"][0]["seeds"][0] == 0
    for reason in record["left_out"].values():
        assert reason == "it would not have ended within the budget of 15 s"
