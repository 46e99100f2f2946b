"""Blend runs, by function and by command."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import kpipe
from kpipe.errors import UsageError
from kpipe.kaggle.kernel.build import spec_of_run
from kpipe.pipeline import blend_runs
from kpipe.runs.find import find_run
from kpipe.runs.run import Run
from kpipe.runs.tables import read_folds
from tests.cli.calls import call
from tests.runs.helpers import copy_run, edit_record, trained
from tests.tables import prices, write


def test_a_blend_of_runs_has_the_bytes_of_a_run_that_trains_all_their_models(
    home: Path, both: tuple[Run, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("blend", *(run.record["run_id"] for run in both), "--out", home / "out", "--quiet") == 0
    blended = find_run(str(Path(capsys.readouterr().out.strip()).parent), home / "out")
    together = trained(home, models=["linear", "forest"], metric="accuracy")
    assert (blended.path / "submission.csv").read_bytes() == (together.path / "submission.csv").read_bytes()
    assert blended.score == together.score
    assert blended.oof["blend/1"].equals(together.oof["blend/1"])
    assert [model["name"].split("@")[0] for model in blended.record["models"]] == ["linear", "forest"]
    for run in (blended, together):
        shutil.rmtree(run.path)


def test_runs_with_different_folds_or_a_failed_check_are_not_blended(
    tmp_path: Path, home: Path, both: tuple[Run, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    other = trained(home, models=["linear"], metric="accuracy", seed=(1,))
    assert call("blend", both[0].path, other.path, "--out", tmp_path) == 2
    assert "their folds differ" in capsys.readouterr().err
    shutil.rmtree(other.path)
    other = trained(home, models=["linear"], metric="accuracy", folds=3)
    assert call("blend", both[0].path, other.path, "--out", tmp_path) == 2
    message = capsys.readouterr().err
    assert f"{both[0].record['run_id']} has 5 and {other.record['run_id']} has 3 folds" in message
    assert "Train one of them again with --folds 5, and with the same first --seed." in message
    shutil.rmtree(other.path)
    failed = tmp_path / "failed"
    copy_run(both[1], failed, checks=[{"name": "ids", "status": "fail", "detail": ""}])
    assert call("blend", both[0].path, failed, "--out", tmp_path) == 2
    assert "it failed the check" in capsys.readouterr().err
    assert call("blend", both[0].path, "--out", tmp_path) == 2
    assert "A blend needs at least two runs" in capsys.readouterr().err


def test_runs_with_different_targets_are_not_blended(
    home: Path, priced: tuple[Run, Run], shops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cost = trained(home, "shops", models=["linear"], metric="mae", split="shop", folds=3, target="cost", drop=["price"])
    assert call("blend", priced[1].path, cost.path, "--out", tmp_path) == 2
    assert "it predicts cost, not price" in capsys.readouterr().err
    reversed_ = tmp_path / "reversed_"
    shutil.copytree(priced[0].path, reversed_)
    oof = priced[0].oof
    oof.assign(price=oof["price"].to_numpy()[::-1]).to_parquet(reversed_ / "oof.parquet")
    assert call("blend", priced[1].path, reversed_, "--out", tmp_path) == 2
    assert "it was scored on other rows or other values of price" in capsys.readouterr().err


def test_models_of_a_blend_have_unique_names_even_if_the_run_ids_have_the_same_ending(
    both: tuple[Run, Run], tmp_path: Path
) -> None:
    ids = ["20260101T000001Z-aaaaaa", "20260101T000002Z-aaaaaa"]
    for name, run in zip(ids, both, strict=True):
        copy_run(run, tmp_path / name)
        files = {**run.record["data"]["files"], "read-by-postprocess.csv": "0" * 64}  # no model has seen it
        edit_record(tmp_path / name, {"data.files": files})
    blended = blend_runs([str(tmp_path / name) for name in (*ids, ids[0])], out=tmp_path)
    names = [model["name"] for model in blended.record["models"]]
    assert names == [f"linear@{ids[0]}", f"forest@{ids[1]}"]
    assert sum(model["weight"] for model in blended.record["models"]) == pytest.approx(1)


def test_a_blend_is_neither_blended_nor_reproduced_nor_made_a_kernel_and_the_error_names_its_runs(
    both: tuple[Run, Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blended, (one, two) = blend_runs([str(run.path) for run in both], out=tmp_path), both
    said = f"is a blend of {one.record['run_id']}, {two.record['run_id']}"
    for order in ([blended, one], [one, blended]):
        assert call("blend", *(run.path for run in order), "--out", tmp_path) == 2
        assert f"{said}: name these runs instead" in capsys.readouterr().err
    assert call("reproduce", blended.path, "--out", tmp_path) == 2
    assert said in capsys.readouterr().err
    with pytest.raises(UsageError, match=said):
        spec_of_run(blended)


def test_a_blend_of_time_split_runs_has_the_folds_of_the_runs(tmp_path: Path) -> None:
    made, days = prices(n=200), pd.date_range("2024-01-01", periods=230).astype(str).to_numpy()
    dated = replace(made, train=made.train.assign(day=days[:200]), test=made.test.assign(day=days[200:]))
    write(dated, tmp_path)
    runs = [
        kpipe.run("dated", data=tmp_path, models=[name], split="day", jobs=1, out=tmp_path / "out")
        for name in ("linear", "forest")
    ]
    blended = blend_runs([str(run.path) for run in runs], out=tmp_path / "out", data=tmp_path)
    assert read_folds(runs[0].path / "folds.parquet").refit
    assert (blended.path / "folds.parquet").read_bytes() == (runs[0].path / "folds.parquet").read_bytes()
    for run in runs:  # earlier versions did not store refit: any run that has it tells
        path = run.path / "folds.parquet"
        written = path.read_bytes()
        pd.read_parquet(path).drop(columns="refit").to_parquet(path)
        again = blend_runs([str(run.path) for run in runs], out=tmp_path / f"without {run.path.name}", data=tmp_path)
        path.write_bytes(written)
        assert (again.path / "folds.parquet").read_bytes() == written
