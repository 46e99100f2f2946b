from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import kpipe
from kpipe.core.request import RunRequest
from kpipe.pipeline import RunPlan, run
from kpipe.runs.expected_time import Workload, expected_time

WORK = Workload(
    models=("linear",), fits=2, rows=200, columns=10, jobs=1, key="0123456789ab", budget=None, reuses=True
)  # fmt: skip


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a competition with one run of the model linear, on 300 rows in 2 folds."""
    out = tmp_path_factory.mktemp("runs")
    kpipe.run("titanic", data="sample", models=["linear"], folds=2, out=out, jobs=1)
    return out / "titanic"


def changed(earlier: Path, tmp_path: Path, **fields: Any) -> Path:
    """The same folder with another record."""
    source = next(earlier.glob("*/run.json"))
    record = json.loads(source.read_text(encoding="utf-8"))
    folder = tmp_path / "titanic" / source.parent.name
    folder.mkdir(parents=True)
    models = [{**model, "seconds": fields.pop("fit_seconds", 1.0)} for model in record["models"]]
    (folder / "run.json").write_text(json.dumps({**record, "models": models, **fields}), encoding="utf-8")
    return folder.parent


def test_the_time_is_learned_from_an_earlier_run_and_follows_the_rows(earlier: Path, tmp_path: Path) -> None:
    folder = changed(earlier, tmp_path, fit_seconds=40.0, seconds=43.0)  # 20 s a fit of 150 rows, and 3 s besides
    assert expected_time(replace(WORK, rows=150), folder) == "Expected time: about 45 s, by earlier runs."
    assert expected_time(replace(WORK, rows=1500), folder) == "Expected time: about 7 min, by earlier runs."


def test_the_first_run_is_estimated_by_the_size_of_the_table(tmp_path: Path) -> None:
    assert expected_time(WORK, tmp_path) == "Expected time: roughly 4 s, by the size of the table."
    large = expected_time(replace(WORK, rows=1_000_000), tmp_path)
    assert large == "Expected time: roughly 55 s, by the size of the table."


def test_a_machine_with_other_work_takes_longer_and_that_is_reported(earlier: Path, tmp_path: Path) -> None:
    said = "Expected time: roughly 8 s, by the size of the table and other work on this machine (without it, 4 s)."
    assert expected_time(replace(WORK, slowness=2.0), tmp_path) == said
    assert expected_time(replace(WORK, slowness=1.1), tmp_path) == expected_time(WORK, tmp_path)
    assert "by earlier runs; other programs are using this machine" in expected_time(
        replace(WORK, slowness=2.0), earlier
    )


def test_a_model_that_nobody_has_trained_makes_the_time_unknown(earlier: Path) -> None:
    found = expected_time(replace(WORK, models=("linear", "my-own")), earlier)
    assert found == f"Expected time: unknown, because no earlier run in {earlier} has trained my-own."


def test_fits_that_an_equal_run_has_trained_take_no_time(earlier: Path, tmp_path: Path) -> None:
    run_id = next(earlier.glob("*/run.json")).parent.name
    folder = changed(earlier, tmp_path, fit_seconds=400.0, seconds=403.0, key="0123456789ab")
    again = replace(WORK, key="0123456789ab")
    found = expected_time(again, folder)
    assert found == f"Expected time: about 3 s, because run {run_id} has already trained the same fits."
    assert "earlier runs" in expected_time(replace(again, reuses=False), folder)


def test_a_budget_is_the_time(tmp_path: Path) -> None:
    assert expected_time(replace(WORK, budget=300.0), tmp_path) == "Expected time: up to 5 min, the budget."


@pytest.mark.parametrize("broken", [{"rows": None}, {"machine": []}, {"fits": "x", "seconds": None}])
def test_an_incomplete_record_is_no_error(earlier: Path, tmp_path: Path, broken: dict[str, Any]) -> None:
    assert expected_time(WORK, changed(earlier, tmp_path, **broken)).startswith("Expected time: ")


def test_a_run_reports_it_before_training(tmp_path: Path) -> None:
    request = RunRequest("titanic", data="sample", models="linear", folds=2, jobs=1, out=tmp_path)

    def said() -> str:
        plans: list[RunPlan] = []
        run(request, on_start=plans.append)
        return plans[0].notes[-1]

    assert said().startswith("Expected time: roughly")
    assert said().endswith("has already trained the same fits.")
    shutil.rmtree(tmp_path / ".fits")  # as kpipe clean does: they are trained again
    assert "by earlier runs" in said()


def test_a_run_whose_id_has_no_key_is_one_of_other_fits(earlier: Path, tmp_path: Path) -> None:
    folder = changed(earlier, tmp_path, fit_seconds=40.0, seconds=43.0, run_id="renamed")
    assert expected_time(replace(WORK, rows=150), folder) == "Expected time: about 45 s, by earlier runs."
