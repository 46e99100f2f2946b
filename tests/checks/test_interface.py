"""Errors in checks."""

from __future__ import annotations

import pytest

from kpipe.checks.interface import TableCheck
from tests.checks.results import check_results
from tests.tables import survivors


def test_an_error_in_a_check_is_a_warning_and_does_not_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("float division by zero")

    table = (TableCheck("unseen categories", broken),)
    monkeypatch.setattr("kpipe.checks.distribution_shift.TABLE_CHECKS", table)
    status, detail = check_results(survivors())["unseen categories"]
    assert status == "warn"
    assert "This check could not be completed (ZeroDivisionError: float division by zero)" in detail
