"""Means of the target by groups, and the target's order within groups, are found in columns; honest columns pass."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kpipe.checks.target_in_groups import mean_by_value, target_in_groups
from tests.checks.prepared_tables import from_frame, make_prepared
from tests.plants import Prepared
from tests.tables import prepared

SLUGS = ["titanic", "house-prices-advanced-regression-techniques", "spaceship-titanic"]


def found(given: Prepared) -> tuple[str, str]:
    return next(iter(target_in_groups(given.problem, given.folds)), ("pass", ""))


@pytest.fixture(params=[False, True], ids=["classes", "numbers"])
def given(request: pytest.FixtureRequest) -> Prepared:
    return make_prepared(n=900, m=500, regression=request.param)


def towns(given: Prepared) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.integers(0, 120, len(given.tables.train)), rng.integers(0, 120, len(given.tables.test))


@pytest.mark.parametrize("decimals", [2, 8])
def test_a_mean_of_the_target_by_town_is_found_though_the_town_is_not_in_the_table(
    given: Prepared, decimals: int
) -> None:
    ours, theirs = towns(given)
    means = given.y.astype(float).groupby(ours).mean()
    column = [pd.Series(one).map(means).fillna(means.mean()).round(decimals).to_numpy() for one in (ours, theirs)]
    status, detail = found(given.with_column("town_mean", *column))
    assert status == "fail"
    assert detail.startswith("town_mean is the ")
    assert "--drop town_mean" in detail


def test_a_mean_of_another_scale_is_found(given: Prepared) -> None:
    ours, theirs = towns(given)
    means = 3 * given.y.astype(float).groupby(ours).mean() + 7
    assert found(given.with_column("score", *(pd.Series(one).map(means).to_numpy() for one in (ours, theirs))))[0] == (
        "fail"
    )


def test_the_order_of_the_target_within_lots_is_found(given: Prepared) -> None:
    ours, theirs = (one // 2 for one in towns(given))
    place = given.y.groupby(ours).rank(method="first")
    made = given.with_column("lot", ours, theirs + 500).with_column(
        "place", place.to_numpy(), np.random.default_rng(0).integers(1, 15, len(theirs))
    )
    status, detail = found(made)
    assert status == "warn"
    assert detail.startswith("place orders the rows of each lot by ")


def test_a_mean_of_another_column_and_a_mean_of_other_rows_pass(given: Prepared) -> None:
    ours, theirs = towns(given)
    y, x = given.y.astype(float), given.tables.train["x0"]
    history = y.sample(frac=1, random_state=0).reset_index(drop=True).groupby(ours).mean()
    for means in (x.groupby(ours).mean(), history):
        columns = (pd.Series(one).map(means).to_numpy() for one in (ours, theirs))
        assert found(given.with_column("town_mean", *columns))[0] == "pass"


@pytest.mark.parametrize("slug", SLUGS)
def test_the_samples_pass(slug: str) -> None:
    assert found(Prepared.of(prepared(slug, data="sample")))[0] == "pass"


def test_a_designed_experiment_passes() -> None:
    """Each day has the same products, so that the means of days hardly vary by chance."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"day": np.repeat(np.arange(200), 6), "product": np.tile(np.arange(6), 200)})
    frame["y"] = 100 + 0.05 * frame["day"] + 20 * frame["product"] + rng.normal(0, 2, 1200)
    order = rng.permutation(1200)
    frame = frame.iloc[order].reset_index(drop=True).assign(id=np.arange(1200))
    assert found(from_frame(frame, 800))[0] == "pass"
    frame["y"] *= 1 + frame["day"] / 50
    assert found(from_frame(frame, 800))[0] == "pass"


def test_the_mean_of_one_row_is_no_mean() -> None:
    y = np.random.default_rng(0).normal(size=100)
    assert mean_by_value(y, y) is None


def test_a_column_of_few_values_does_not_order_a_class_that_it_hardly_predicts() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"id": np.arange(3_000), "age": rng.integers(20, 80, 3_000), "stage": rng.integers(1, 5, 3_000)}
    )
    frame["y"] = (rng.random(3_000) < 0.02 + 0.02 * frame["stage"]).astype(int)
    assert found(from_frame(frame, 2_000, metric="auc"))[0] == "pass"


@pytest.mark.parametrize("shuffled", [False, True])
def test_cases_that_grow_with_the_days_of_each_country_do_not_fail(shuffled: bool) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"country": np.repeat(np.arange(60), 20), "step": np.tile(np.arange(20), 60)})
    frame["y"] = rng.gamma(1, 10, 1_200) * np.exp(rng.normal(0, 1, 60))[frame["country"]]
    frame["y"] = frame.groupby("country")["y"].cumsum()
    order = rng.permutation(1_200) if shuffled else np.arange(1_200)
    given = from_frame(frame.iloc[order].reset_index(drop=True).assign(id=np.arange(1_200)), 900)
    assert found(given)[0] != "fail"


def test_a_trend_over_the_same_shops_in_each_month_passes() -> None:
    rng = np.random.default_rng(0)
    level = rng.gamma(2, 50, 40)
    frame = pd.DataFrame({"shop": np.tile(np.arange(40), 36), "number": np.repeat(np.arange(36), 40)})
    frame["y"] = level[frame["shop"]] * (1 + 0.02 * frame["number"] + rng.normal(0, 0.02, 36)[frame["number"]])
    mixed = frame.sample(frac=1, random_state=0).reset_index(drop=True).assign(id=np.arange(1_440))
    assert found(from_frame(mixed, 1_440, mixed.head(300).assign(id=np.arange(2_000, 2_300))))[0] == "pass"
