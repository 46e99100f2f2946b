"""Each form of docs/reference/files.md is read as the page says."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from kpipe.data.dates import parse_dates
from kpipe.data.numbers import NumberFormat

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "files.md"


def rows(heading: str) -> list[tuple[str, str]]:
    table = PAGE.read_text(encoding="utf-8").split(f"| {heading} |", 1)[1].split("\n\n", 1)[0]
    cells = [line.split(" | ") for line in table.splitlines()[2:]]
    return [(cell[-2].removeprefix("| ").strip("`"), cell[-1].removesuffix(" |")) for cell in cells]


@pytest.mark.parametrize(("written", "read"), rows("a date is written"))
def test_a_date_is_read_as_the_page_says(written: str, read: str) -> None:
    found = parse_dates(pd.Series([written], dtype="str"))
    assert found is not None
    assert found.tolist() == [pd.Timestamp(read)]


@pytest.mark.parametrize(("written", "read"), rows("a date is a number"))
def test_a_number_is_a_date_if_the_columns_name_suggests_a_time(written: str, read: str) -> None:
    found = parse_dates(pd.Series([int(written)], name="timestamp"))
    assert found is not None
    assert found.tolist() == [pd.Timestamp(read)]
    assert parse_dates(pd.Series([int(written)], name="area")) is None


@pytest.mark.parametrize(("written", "read"), rows("a number is written"))
def test_a_number_is_read_as_the_page_says(written: str, read: str) -> None:
    column = pd.Series([written], dtype="str")
    found = NumberFormat.of(column)
    assert found is not None
    assert found.parse(column).tolist() == [float(read)]
