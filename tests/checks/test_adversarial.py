from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kpipe.checks.adversarial import adversarial_auc


def drawn(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"x": rng.normal(size=n), "town": rng.choice(list("abc"), size=n)})
    return frame.assign(day="2020-01-01", gap=np.where(rng.random(n) < 0.3, np.nan, 1.0))


@pytest.mark.parametrize("seed", range(5))
def test_tables_drawn_alike_are_not_told_apart(seed: int) -> None:
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


def test_members_of_a_group_do_not_give_each_other_away() -> None:
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


def test_of_tables_too_small_nothing_is_said() -> None:
    assert adversarial_auc(drawn(800, 0), drawn(30, 1)) is None


def test_labels_that_are_different_in_each_row_do_not_tell_train_from_test() -> None:
    rng = np.random.default_rng(0)
    names = [f"person {number:05}" for number in rng.permutation(1200)]
    found = adversarial_auc(pd.DataFrame({"name": names[:800]}), pd.DataFrame({"name": names[800:]}))
    assert found is not None
    assert abs(found[0] - 0.5) < 4 * found[1]
