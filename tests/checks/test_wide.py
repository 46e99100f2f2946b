"""Tables of many columns: a run checks a sample of the columns, in which a copy of the target is not missed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from kpipe.checks import table_checks
from kpipe.checks.wide import sample_columns
from kpipe.problem.problem import Problem
from tests.checks.prepared_tables import make_prepared
from tests.plants import Prepared


@pytest.fixture(autouse=True)
def _narrow_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kpipe.checks.wide._COLUMNS", 100)
    monkeypatch.setattr("kpipe.checks.wide._RELATED", 10)


def widen(given: Prepared, columns: int) -> Prepared:
    """The same with columns of noise, and with a noisy copy of the target, with missing values, among them."""
    rng, tables = np.random.default_rng(0), given.problem.tables
    copied = given.problem.y + rng.normal(0, 1e-9, len(given.problem.y))
    copied[::7] = np.nan
    frames = []
    for frame in (tables.train, tables.test):
        noise = {f"noise {number}": rng.normal(size=len(frame)) for number in range(columns)}
        noise["noise 123"] = copied if frame is tables.train else rng.permutation(copied)[: len(frame)]
        frames.append(pd.concat([frame, pd.DataFrame(noise)], axis=1))
    wide = replace(tables, train=frames[0], test=frames[1])
    names = tuple(f"noise {number}" for number in range(columns))
    return Prepared(replace(given.problem, tables=wide, columns=(*given.problem.columns, *names)), given.folds)


def kept(problem: Problem) -> set[str]:
    return {problem.id, *problem.targets} | ({problem.groups} - {None})


def test_a_narrow_table_is_checked_as_it_is() -> None:
    problem = make_prepared().problem
    assert sample_columns(problem) is problem


def test_the_sample_has_the_id_the_targets_and_a_hundred_others_of_both_tables_in_their_order() -> None:
    problem = widen(make_prepared(), 300).problem
    sample = sample_columns(problem)
    train, test = sample.tables.train, sample.tables.test
    assert len(set(train.columns) - kept(problem)) == 100
    assert list(train.columns) == [column for column in problem.tables.train.columns if column in train.columns]
    assert kept(problem) - {*problem.targets} <= set(test.columns) <= set(train.columns)
    assert set(sample.columns) <= set(train.columns)
    assert sample_columns(problem).columns == sample.columns


def test_a_copy_of_the_target_among_hundreds_of_columns_is_found_within_the_time_of_a_run() -> None:
    given = widen(make_prepared(), 300)
    found = {check.name: check for check in table_checks(given.problem, given.folds, seconds=60.0)}
    leak = found["target leakage"]
    assert leak.status == "fail"
    assert "noise 123" in leak.detail
    n = given.problem.tables.train.shape[1]
    assert f"of {n:,} columns were checked, those most correlated with the target" in leak.detail
    assert all("columns were checked" in check.detail for name, check in found.items() if "clean" not in name)
