from __future__ import annotations

from pathlib import Path

from kpipe.report import checks
from kpipe.report.blocks import Table
from tests.report.pages import loaded_regression

CHECKS = [
    {"name": "Target leakage", "status": "pass", "detail": "none"},
    {"name": "Duplicates", "status": "fail", "detail": "36 %"},
    {"name": "Unseen categories", "status": "pass", "detail": "none"},
]


def test_checks_that_passed_are_folded_below_those_that_did_not(tmp_path: Path) -> None:
    run = loaded_regression(tmp_path, checks=CHECKS)
    failed, passed = checks.section(run).blocks
    assert isinstance(failed, Table)
    assert isinstance(passed, Table)
    assert (failed.folded, [row[0].text for row in failed.rows]) == (False, ["Duplicates"])
    assert (passed.folded, passed.caption, len(passed.rows)) == (True, "2 checks passed", 2)
    assert checks.summary(run) == "2 passed, 1 failed"
