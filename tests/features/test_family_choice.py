from __future__ import annotations

import math
import pickle
import time
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from kpipe.core.time_limit import TimeLimit, limit_time
from kpipe.features import known_choices
from kpipe.features.automatic import AutomaticFeatures
from kpipe.features.families import FAMILIES, Candidate
from kpipe.features.family_choice import choose_families

N = 3000


def made() -> pd.DataFrame:
    draw = np.random.default_rng(0)
    numbers = {name: draw.normal(size=N) for name in ("a", "b", "c", "d")}
    return pd.DataFrame(
        {**numbers, "shop": draw.choice([f"s{n}" for n in range(40)], N), "code": draw.integers(0, 90, N)}
    )


def chosen(X: pd.DataFrame, y: np.ndarray, families: Sequence[str] = tuple(FAMILIES)) -> dict[str, list[Candidate]]:
    found = choose_families(lambda: AutomaticFeatures(families=()), X, y, families=families, random_state=0)
    assert found is not None
    return {name: choice.candidates for name, choice in found.items()}


def test_numbers_that_act_by_their_difference_get_arithmetic_and_the_difference_comes_first() -> None:
    X = made()
    y = np.sign(X["a"] - X["b"]) + 0.3 * np.random.default_rng(1).normal(size=N)
    kept = chosen(X, y.to_numpy(), families=["arithmetic", "digits"])
    assert list(kept) == ["arithmetic"]
    assert kept["arithmetic"][0] == ("a", "b", "-")


def test_a_number_that_is_a_category_gets_target_statistics() -> None:
    X = made()
    effect = np.random.default_rng(1).normal(size=90)[X["code"]]
    y = (effect + np.random.default_rng(2).normal(size=N) > 0).astype(int)
    assert ("code",) in chosen(X, y, families=["target statistics"])["target statistics"]


def test_nothing_is_kept_where_the_target_is_noise() -> None:
    assert chosen(made(), np.random.default_rng(10).normal(size=N)) == {}


@pytest.mark.parametrize(
    "y",
    [np.zeros((N, 2)), np.zeros(N, dtype=int), np.arange(N) == 7, np.arange(N) // 2],
    ids=["2-d", "1", "rare", "many"],
)
def test_a_target_without_two_classes_of_some_rows_gets_none(y: np.ndarray) -> None:
    assert chosen(made(), y) == {}


def test_a_class_that_is_too_rare_to_be_split_is_left_out_of_the_comparison() -> None:
    X = made()
    y = np.where(np.arange(N) < 2, 2, X["a"] > X["b"])
    assert "arithmetic" in chosen(X, y, families=["arithmetic"])


def test_small_tables_get_none() -> None:
    X = made().head(300)
    assert chosen(X, (X["a"] > X["b"]).to_numpy().astype(int)) == {}


def test_the_choice_for_the_same_rows_is_made_once() -> None:
    X = made()
    y = (X["a"] > X["b"]).to_numpy().astype(int)
    features = AutomaticFeatures(families=["arithmetic"]).fit(X, y)
    start = time.process_time()
    again = clone(features).fit(X.copy(), y.copy())
    assert time.process_time() - start < 0.5
    assert [family.candidates for family in again.families_] == [family.candidates for family in features.families_]
    assert clone(features).fit(X, y[::-1]).families_ == []


def test_without_the_time_to_choose_none_is_kept_and_the_fit_can_be_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_choices, "_IN_PROCESS", {})
    X = made()
    y = (X["a"] > X["b"]).to_numpy().astype(int)
    features = AutomaticFeatures(families=["arithmetic"])
    short, enough = TimeLimit(time.monotonic() + 1e-3), TimeLimit(time.monotonic() + 3600)
    with limit_time(short):
        assert clone(features).fit(X, y).families_ == []
    assert short.shortened
    monkeypatch.setattr(known_choices, "_IN_PROCESS", {})
    with limit_time(TimeLimit(math.inf, repeated=short.taken)):
        assert clone(features).fit(X, y).families_ == []
    with limit_time(enough):
        assert clone(features).fit(X, y).families_ != []
    assert not enough.shortened


def test_features_of_kept_families_are_further_columns_of_any_rows() -> None:
    X = made()
    y = (X["a"] - X["b"] + 0.1 * np.random.default_rng(1).normal(size=N)).to_numpy()
    features = AutomaticFeatures(families=["arithmetic"])
    fitted = features.fit_transform(X, y)
    assert "a b -: 0" in fitted
    pd.testing.assert_frame_equal(features.transform(X.iloc[5:7]), features.transform(X).iloc[5:7])
    assert list(features.transform(X)) == list(fitted)
    assert pickle.loads(pickle.dumps(features)).transform(X).equals(features.transform(X))
