from __future__ import annotations

import pytest

from kpipe.cli.console.checks import print_check, print_check_counts
from kpipe.core.values import Check

CHECKS = [
    Check(name="target leakage", status="pass", detail="No column is the target."),
    Check(name="values in range", status="skipped", detail="No time was left."),
    Check(name="adversarial validation", status="fail", detail="An AUC\x1b of 0.9."),
]


def test_the_results_of_checks_and_their_counts_go_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    for check in CHECKS:
        print_check(check)
    print_check_counts(CHECKS)
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.splitlines() == [
        "pass target leakage: No column is the target.",
        "skipped values in range: No time was left.",
        r"fail adversarial validation: An AUC\x1b of 0.9.",
        "1 passed, 0 warned, 1 failed, 1 skipped.",
    ]
