from __future__ import annotations

from typing import Any

import pytest

from kpipe.cli.console.runs import print_runs

RUN: dict[str, Any] = {
    "run_id": "r1",
    "slug": "titanic",
    "metric": "accuracy",
    "score": 0.8,
    "standard_error": 0.01,
    "models": ["linear"],
    "seconds": 7.0,
    "not_passed": {},
    "submitted": False,
    "public_score": None,
}


def test_a_run_names_the_checks_that_did_not_pass(capsys: pytest.CaptureFixture[str]) -> None:
    failed = {"fail": ["ids"], "warn": ["real data", "near-duplicates"], "skipped": ["values in range"]}
    print_runs("titanic: accuracy", [RUN, RUN | {"not_passed": failed}])
    shown = " ".join(capsys.readouterr().out.split())
    assert "7 fail: ids; warn: real data, near-duplicates" in shown
    assert "values in range" not in shown
