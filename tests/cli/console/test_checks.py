from __future__ import annotations

import pytest

from kpipe.cli.console.checks import print_activity, print_check, print_check_counts
from kpipe.core.values import Check

CHECKS = [
    Check(name="target leakage", status="pass", detail="No column is the target."),
    Check(name="adversarial validation", status="fail", detail="An AUC\x1b of 0.9."),
]


def test_activities_go_to_stderr_and_results_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    print_activity("training a fold twice")
    for check in CHECKS:
        print_check(check)
    print_check_counts(CHECKS)
    captured = capsys.readouterr()
    assert captured.err == "... training a fold twice\n"
    assert captured.out.splitlines() == [
        "pass target leakage: No column is the target.",
        r"fail adversarial validation: An AUC\x1b of 0.9.",
        "1 passed, 0 warned, 1 failed.",
    ]
