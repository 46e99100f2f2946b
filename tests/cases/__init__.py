"""Small competitions in the formats that users have; they are stored outside the repository (``KPIPE_TEST_CASES``)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kpipe.core.request import RunRequest
from kpipe.pipeline import prepare
from kpipe.problem.problem import Problem

PLACE = Path(os.environ.get("KPIPE_TEST_CASES", "/work/shared/cases"))


def case_folder(number: str) -> Path:
    """The folder of a case such as "11b"; the test is skipped where the cases are absent."""
    found = sorted(PLACE.glob(f"{number}-*"))
    if not found:
        pytest.skip(f"there is no case {number} in {PLACE}")
    return found[0]


def problem_of_case(number: str, **options: object) -> Problem:
    """The problem of a case."""
    return prepare(RunRequest(f"case-{number}", data=str(case_folder(number)), **options))  # type: ignore[arg-type]
