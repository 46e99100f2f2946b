"""Checks of runs made by earlier versions are read with the names and the statuses that checks have now."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import kpipe
from kpipe.runs.find import find_run
from kpipe.runs.recorded_checks import RENAMED, current_check


def test_the_checks_of_an_old_run_have_their_current_names(tmp_path: Path) -> None:
    run = kpipe.run("titanic", data="sample", models="linear", folds=2, jobs=1, out=tmp_path)
    record = json.loads((run.path / "run.json").read_text())
    old = {new: old for old, new in RENAMED.items()}
    before = [check["name"] for check in record["checks"]]
    for check in record["checks"]:
        check["name"] = old.get(check["name"], check["name"])
    (run.path / "run.json").write_text(json.dumps(record))
    assert [check["name"] for check in record["checks"]] != before
    assert [check["name"] for check in find_run(str(run.path), tmp_path).record["checks"]] == before


def test_no_renamed_check_is_still_called_by_its_old_name() -> None:
    assert not set(RENAMED) & set(RENAMED.values())


@pytest.mark.parametrize(
    ("status", "detail", "now"),
    [
        ("pass", "Skipped: the checks have used up their tenth of the run's time. Run `kpipe check x`.", "skipped"),
        ("pass", "Not checked: no column has similar values in train and test.", "skipped"),
        ("pass", "No column contains the target.", "pass"),
        ("warn", "Not checked, because clean changes the number of rows of train.", "warn"),
        ("skipped", "Skipped.", "skipped"),
    ],
)
def test_a_check_that_an_earlier_version_skipped_has_not_passed(status: str, detail: str, now: str) -> None:
    assert current_check({"name": "values in range", "status": status, "detail": detail})["status"] == now
