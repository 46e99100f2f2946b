"""Runs made before checks were renamed are read with the names that checks have now."""

from __future__ import annotations

import json
from pathlib import Path

import kpipe
from kpipe.runs.check_names import _RENAMED
from kpipe.runs.find import find_run


def test_the_checks_of_an_old_run_have_their_current_names(tmp_path: Path) -> None:
    run = kpipe.run("titanic", data="sample", models="linear", folds=2, jobs=1, out=tmp_path)
    record = json.loads((run.path / "run.json").read_text())
    old = {new: old for old, new in _RENAMED.items()}
    before = [check["name"] for check in record["checks"]]
    for check in record["checks"]:
        check["name"] = old.get(check["name"], check["name"])
    (run.path / "run.json").write_text(json.dumps(record))
    assert [check["name"] for check in record["checks"]] != before
    assert [check["name"] for check in find_run(str(run.path), tmp_path).record["checks"]] == before


def test_no_renamed_check_is_still_called_by_its_old_name() -> None:
    assert not set(_RENAMED) & set(_RENAMED.values())
