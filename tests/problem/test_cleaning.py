from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from kpipe.core.values import Tables
from kpipe.errors import UsageError
from kpipe.problem.cleaning import clean_tables
from kpipe.problem.competition import Competition, row_by_row
from tests.tables import survivors


def test_a_clean_of_one_frame_that_gets_both_tables_is_an_error_that_names_row_by_row() -> None:
    def attributes(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(z=1)

    def items(frame: pd.DataFrame) -> pd.DataFrame:
        return frame["x"]

    for clean in (attributes, items):
        made = Competition(slug="any", clean=clean)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match=r"test_cleaning\.py, line \d+: .*clean=row_by_row\(") as caught:
            clean_tables(made, survivors())
        assert caught.value.code == "broken-module"


def test_a_clean_that_fails_is_reported_with_its_line() -> None:
    clean = row_by_row(lambda frame: frame.assign(z=1 / len(frame.columns.intersection([]))))
    with pytest.raises(UsageError, match=r"test_cleaning\.py, line \d+: ZeroDivisionError: division by zero") as caught:
        clean_tables(Competition(slug="any", clean=clean), survivors())
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize("clean", [lambda tables: None, row_by_row(lambda frame: None)], ids=["tables", "frames"])  # type: ignore[arg-type,return-value]
def test_a_clean_that_returns_nothing_is_refused(clean: Callable[[Tables], Tables]) -> None:
    with pytest.raises(UsageError, match=r"must return .*got None") as caught:
        clean_tables(Competition(slug="any", clean=clean), survivors())
    assert caught.value.code == "broken-module"
