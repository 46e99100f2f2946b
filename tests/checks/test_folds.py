"""Checks of the folds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold

from kpipe.core.values import Folds
from kpipe.problem.splitters import ByTime
from tests.checks.prepared_tables import make_prepared
from tests.checks.results import check_results
from tests.plants import Prepared
from tests.tables import survivors


def test_a_fold_that_trains_on_its_validation_rows_fails() -> None:
    made = survivors()
    rows = np.arange(80)
    status, detail = check_results(made, folds=Folds(train=(rows,), valid=(rows[:20],)))[
        "training and validation rows disjoint"
    ]
    assert status == "fail"
    assert "Fold 1 trains on 20 of its validation rows (first: row 1 of train.csv)" in detail


def test_folds_by_time_that_validate_on_later_rows_pass() -> None:
    given = make_prepared(n=800)
    days = (pd.Timestamp(2020, 1, 1) + pd.to_timedelta(np.arange(1200) // 2, unit="D")).strftime("%Y-%m-%d").to_numpy()
    dated = given.with_column("day", days[:800], days[800:])
    forward = Prepared.of(replace(dated.problem, splitter=ByTime("day")))
    by_row = Prepared.of(replace(dated.problem, splitter=KFold(5, shuffle=True, random_state=0)))
    said = [prepared.check("validation after training") for prepared in (forward, by_row)]
    assert [check and check.status for check in said] == ["pass", "warn"]
    mirrored = forward.check("group overlap matches test")
    assert mirrored is not None
    assert mirrored.status == "pass"
