from __future__ import annotations

import pytest

from kpipe.runs.recorded import as_number


@pytest.mark.parametrize("value", [None, True, "1", float("nan"), float("inf"), 10**400, [1], {}])
def test_only_finite_numbers_count_as_numbers(value: object) -> None:
    assert as_number(value) is None
    assert as_number(3) == 3.0
