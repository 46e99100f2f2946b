"""The check for categories of test that train lacks."""

from __future__ import annotations

from dataclasses import replace

from tests.checks.results import check_results
from tests.tables import survivors


def test_unseen_categories_are_reported_with_their_share_of_rows() -> None:
    made = survivors()
    test = made.test.assign(sex=["unknown"] * 15 + ["male"] * 15)
    status, detail = check_results(replace(made, test=test))["unseen categories"]
    assert status == "warn"
    assert "sex: 50.0% of test rows" in detail
