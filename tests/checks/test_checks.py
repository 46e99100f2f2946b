"""The collection of all checks."""

from __future__ import annotations

import itertools
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import kpipe.checks
from kpipe.checks.interface import Finding, TableCheck
from kpipe.core.values import Check, Folds
from kpipe.problem.problem import Problem
from tests.checks.prepared_tables import make_prepared
from tests.checks.results import check_results
from tests.tables import survivors

NEW_MODULE = """
from kpipe.checks.interface import TableCheck

def many_rows(problem, folds):
    yield "pass", f"There are {len(problem.tables.train)} rows."

TABLE_CHECKS = (TableCheck("many rows", many_rows),)
"""


def test_clean_data_passes_every_check() -> None:
    assert {status for status, _ in check_results(survivors(n=300)).values()} == {"pass"}


def test_the_checks_of_a_run_have_a_fixed_order() -> None:
    assert list(check_results(survivors(n=300))) == [
        "training and validation rows disjoint",
        "duplicates across folds",
        "target leakage",
        "row-order leakage",
        "column alignment",
        "unseen categories",
        "missingness shift",
        "group overlap matches test",
        "values in range",
        "target in parts",
        "metric direction",
        "better than the baseline",
        "constant predictions",
        "batch dependence",
        "real data",
    ]


def test_a_new_check_is_one_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "many_rows.py").write_text(NEW_MODULE)
    monkeypatch.setattr(kpipe.checks, "__path__", [*kpipe.checks.__path__, str(tmp_path)])
    kpipe.checks.modules_of_checks.cache_clear()
    try:
        given = make_prepared()
        found = list(kpipe.checks.table_checks(given.problem, given.folds))
    finally:
        kpipe.checks.modules_of_checks.cache_clear()
    assert Check(name="many rows", status="pass", detail="There are 600 rows.") in found


def test_each_module_lists_its_checks_under_names_of_their_own() -> None:
    tables = [getattr(module, "TABLE_CHECKS", ()) for module in kpipe.checks.modules_of_checks()]
    predictions = [getattr(module, "PREDICTION_CHECKS", ()) for module in kpipe.checks.modules_of_checks()]
    names = [check.name for checks in (*tables, *predictions) for check in checks]
    assert len(names) == len(set(names)) == 44


def test_optional_checks_are_skipped_first_and_all_are_once_the_time_is_used_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = make_prepared()
    everything = list(kpipe.checks.table_checks(given.problem, given.folds))
    for now, skipped in ((7.0, {"values in range", "target in parts"}), (11.0, {check.name for check in everything})):
        ticks = itertools.chain([0.0], itertools.repeat(now))
        monkeypatch.setattr("kpipe.checks.time.process_time", lambda ticks=ticks: next(ticks))
        late = list(kpipe.checks.table_checks(given.problem, given.folds, seconds=10.0))
        assert {check.name for check in late if check.status == "skipped"} >= skipped
        assert "Run `kpipe check made-by-hand` for it." in late[-1].detail
        assert (len(skipped) > 2) or [check.name for check in late] == [check.name for check in everything]


@pytest.mark.parametrize(("seconds", "made"), [(20.0, 0), (40.0, 1)])
def test_a_check_that_was_skipped_before_training_is_made_at_the_end_if_the_run_was_long_and_no_other_again(
    seconds: float, made: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given, calls = make_prepared(), []

    def note(name: str, problem: Problem, folds: Folds) -> list[Finding]:
        calls.append(name)
        return []

    checks = tuple(TableCheck(name, partial(note, name)) for name in "abc")
    monkeypatch.setattr(kpipe.checks, "modules_of_checks", lambda: (SimpleNamespace(TABLE_CHECKS=checks),))
    ticks = itertools.chain([0.0, 1.0, 2.0, 3.5], itertools.repeat(4.0))
    monkeypatch.setattr("kpipe.checks.time.process_time", lambda: next(ticks))
    early = kpipe.checks.EarlyChecks(None)
    early.make(given.problem, given.folds)
    assert calls == ["a", "b"]
    monkeypatch.setattr(kpipe.checks, "real_data", lambda submission: [])
    nothing: Any = None
    found = kpipe.checks.run_checks(
        given.problem, given.folds, nothing, nothing, nothing, nothing, seconds=seconds, kept=early
    )
    assert calls == ["a", "b", "c"][: 2 + made]
    assert [check.status for check in found if check.name == "c"] == ["skipped"] * (1 - made)


def test_small_tables_are_checked_once_before_training_and_large_ones_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given, calls = make_prepared(), []

    def counted(*args: object, **options: object) -> list[Check]:
        calls.append(args)
        return [Check(name="counted", status="pass", detail="")]

    monkeypatch.setattr(kpipe.checks, "table_checks", counted)
    early = kpipe.checks.EarlyChecks(None)
    early.make(given.problem, given.folds)
    early.make(given.problem, given.folds)
    assert [check.name for check in early.load() or ()] == ["counted"]
    assert len(calls) == 1
    monkeypatch.setattr(kpipe.checks, "_SMALL", 1)
    late = kpipe.checks.EarlyChecks(None)
    late.make(given.problem, given.folds)
    assert late.load() is None
    assert len(calls) == 1
