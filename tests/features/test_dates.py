from __future__ import annotations

import numpy as np
import pandas as pd

from kpipe.features.dates import DateFeatures

WHEN = pd.Series(["2020-01-31 10:00:00", "2021-03-01 00:00:00"], name="when", dtype="str")


def test_dates_become_calendar_parts_and_days_since_the_first() -> None:
    features = DateFeatures.fit(WHEN, random_state=0)
    assert features is not None
    found = {name: values.tolist() for name, values in features.transform(WHEN).items()}
    assert list(found) == [f"when: {part}" for part in "days year month day day_of_week day_of_year hour".split()]
    assert found["when: year"] == [2020, 2021]
    assert found["when: day_of_week"] == [4, 0]
    assert found["when: hour"] == [10, 0]
    assert found["when: days"] == [0, 394 + 14 / 24]


def test_a_cell_that_is_not_a_date_is_missing_in_every_feature() -> None:
    features = DateFeatures.fit(WHEN, random_state=0)
    assert features is not None
    found = features.transform(pd.Series(["2020-02-01", "no date", None], name="when", dtype="str"))
    np.testing.assert_array_equal(pd.DataFrame(found).isna().to_numpy(), [[False] * 7, [True] * 7, [True] * 7])


def test_a_column_without_dates_has_no_date_features() -> None:
    assert DateFeatures.fit(pd.Series(["B/0/P", "2020-01-31"]), random_state=0) is None
