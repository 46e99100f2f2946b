from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kpipe.report import data
from kpipe.report.blocks import Table
from tests.report.pages import findings


def test_a_column_that_shifts_between_train_and_test_comes_first_and_is_a_finding() -> None:
    rng = np.random.default_rng(0)
    train = pd.DataFrame({"same": rng.normal(size=2000), "shifted": rng.normal(size=2000)})
    test = pd.DataFrame({"same": rng.normal(size=1000), "shifted": rng.normal(1, 1, size=1000)})
    section = data.section(train, test)
    assert isinstance(section.blocks[0], Table)
    assert [row[0].text for row in section.blocks[0].rows] == ["shifted", "same"]
    ((level, text),) = findings(section)
    assert level == "note"
    assert text.startswith("shifted is distributed differently in train and test")


def test_missing_values_in_test_alone_count_as_a_shift() -> None:
    values = np.tile(np.arange(40.0), 50)
    train, test = pd.DataFrame({"x": values}), pd.DataFrame({"x": np.where(np.arange(2000) % 2, values, np.nan)})
    section = data.section(train, test)
    assert isinstance(section.blocks[0], Table)
    assert section.blocks[0].rows[0][3].value == pytest.approx(0.5, abs=0.02)
