"""Adversarial validation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from kpipe.checks.adversarial import adversarial_auc
from tests.checks.prepared_tables import make_prepared, status


def drawn(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"x": rng.normal(size=n), "town": rng.choice(list("abc"), size=n)})
    return frame.assign(day="2020-01-01", gap=np.where(rng.random(n) < 0.3, np.nan, 1.0))


@pytest.mark.parametrize("seed", range(5))
def test_tables_from_the_same_distribution_are_indistinguishable(seed: int) -> None:
    auc, error, _ = adversarial_auc(drawn(800, seed), drawn(400, seed + 100)) or (1.0, 0.0, [])
    assert abs(auc - 0.5) < 4 * error


@pytest.mark.parametrize(
    ("column", "other"),
    [
        ("x", lambda frame: frame["x"] + 1),
        ("town", lambda frame: "d"),
        ("day", lambda frame: "2021-01-01"),
        ("gap", lambda frame: np.nan),
    ],
)
def test_a_column_that_differs_is_named(column: str, other) -> None:
    test = drawn(400, 1)
    found = adversarial_auc(drawn(800, 0), test.assign(**{column: other(test)}))
    assert found is not None
    assert found[0] > 0.65
    assert found[2][0] == column


def test_groups_are_kept_together_by_the_folds_of_the_classifier() -> None:
    rng = np.random.default_rng(0)
    of_group = rng.normal(size=600)
    train, test = (
        pd.DataFrame({"x": np.repeat(half, 4), "group": np.repeat(start + np.arange(300), 4)})
        for half, start in ((of_group[:300], 0), (of_group[300:], 300))
    )
    by_row = adversarial_auc(train[["x"]], test[["x"]])
    by_group = adversarial_auc(train[["x"]], test[["x"]], groups=[train["group"], test["group"]])
    assert by_row is not None
    assert by_group is not None
    assert by_row[0] > 0.6
    assert abs(by_group[0] - 0.5) < 0.08


def test_small_tables_have_no_auc() -> None:
    assert adversarial_auc(drawn(800, 0), drawn(30, 1)) is None


def test_unique_categories_do_not_distinguish_train_from_test() -> None:
    rng = np.random.default_rng(0)
    names = [f"person {number:05}" for number in rng.permutation(1200)]
    found = adversarial_auc(pd.DataFrame({"name": names[:800]}), pd.DataFrame({"name": names[800:]}))
    assert found is not None
    assert abs(found[0] - 0.5) < 4 * found[1]


def test_columns_that_are_missing_in_nearly_all_rows_pass() -> None:
    given = make_prepared()
    missing = np.full(600, np.nan)
    one = np.where(np.arange(600) == 4, 1.0, np.nan)
    for column in (missing, one):
        assert status(given.with_column("e", column, np.full(400, np.nan)), "adversarial validation") == "pass"


def test_with_too_few_groups_for_folds_there_is_no_finding() -> None:
    given = make_prepared()
    shops = np.arange(600) % 6
    for ours, theirs in ((shops, np.full(400, 9)), (shops % 2, np.arange(400) % 2)):
        of_shops = given.with_column("shop", ours, theirs, seen=False)
        grouped = replace(of_shops, problem=replace(of_shops.problem, groups="shop"))
        assert grouped.check("adversarial validation") is None
