from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pytest

from kpipe.features.automatic import AutomaticFeatures
from kpipe.features.interactions import category_codes, find_interactions

ROWS = 60_000


def table(seed: int = 0) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    labels = {name: pd.Series(draw.integers(0, k, ROWS)).map("v{}".format) for name, k in {"a": 12, "b": 20}.items()}
    return pd.DataFrame({**labels, "c": "w", "number": draw.integers(0, 300, ROWS), "smooth": draw.normal(size=ROWS)})


def effects(X: pd.DataFrame) -> np.ndarray:
    """Of a cross of two labels, a number that is a category, single labels and a smooth number."""
    draw = np.random.default_rng(1)
    a, b = (X[name].str[1:].astype(int) for name in ("a", "b"))
    found: np.ndarray = draw.normal(size=(12, 20))[a, b] + draw.normal(size=300)[X["number"]] + draw.normal(size=12)[a]
    return found + np.sin(X["smooth"].to_numpy())


EXPECTED = [("a", "b"), ("number",)]


@pytest.mark.parametrize("task", ["regression", "two classes", "three classes"])
def test_a_number_that_is_a_category_and_a_pair_of_labels_that_act_together_are_found_and_nothing_else(
    task: str,
) -> None:
    X = table()
    y = effects(X) + np.random.default_rng(2).normal(size=ROWS)
    target = {"regression": y, "two classes": (y > 0).astype(int), "three classes": np.digitize(y, [-1.0, 1.0])}[task]
    assert sorted(find_interactions(X, target, random_state=0)) == EXPECTED


def test_nothing_is_found_where_effects_add_up_or_there_are_none() -> None:
    X, draw = table(), np.random.default_rng(3)
    noise = draw.normal(size=ROWS)
    a = X["a"].str[1:].astype(int).to_numpy()
    assert find_interactions(X, draw.normal(size=12)[a] + np.sin(X["smooth"].to_numpy()) + noise, random_state=0) == []
    assert find_interactions(X, noise, random_state=0) == []


def test_many_classes_and_several_targets_are_left_alone() -> None:
    X = table()
    assert find_interactions(X, np.arange(ROWS) % 11, random_state=0) == []
    assert find_interactions(X, np.zeros((ROWS, 2)), random_state=0) == []


@pytest.mark.parametrize("rare", [0, 1, 2])
def test_a_class_that_a_half_of_the_rows_lacks_is_no_obstacle(rare: int) -> None:
    X = table().head(2_000)
    assert find_interactions(X, (np.arange(len(X)) < rare).astype(int), random_state=0) == []


def test_a_table_without_columns_and_a_column_that_is_nearly_always_missing_are_no_obstacle() -> None:
    X = table().head(2_000)
    y = np.random.default_rng(0).normal(size=len(X))
    assert find_interactions(X[[]], y, random_state=0) == []
    seldom = np.where(np.arange(len(X)) == 7, 1.0, np.nan)
    assert find_interactions(X.assign(seldom=seldom), y, random_state=0) == []


def test_a_pair_is_found_in_a_wide_table_without_looking_at_every_pair() -> None:
    X = table().head(6_000)
    draw = np.random.default_rng(0)
    switches = pd.DataFrame(draw.integers(0, 2, (len(X), 100)), index=X.index).add_prefix("switch")
    wide = pd.concat([X[["a"]], switches, X[["b"]]], axis=1)
    tracemalloc.start()
    found = find_interactions(wide, 3 * effects(table())[: len(X)], random_state=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == [("a", "b")]
    assert peak < 100e6


def test_equal_values_have_equal_codes_in_every_table_whatever_their_dtype() -> None:
    one = pd.DataFrame({"x": [1, 0, 2], "y": pd.Series(["a", None, "b"], dtype="str")})
    other = pd.DataFrame({"x": [2.0, -0.0, np.nan, 1.0], "y": pd.Series(["b", None, "a", "b"], dtype="str")})
    codes, others = (category_codes(frame, [("x",), ("x", "y")]) for frame in (one, other))
    assert codes["x"].tolist()[:2] == [others["x"][3], others["x"][1]]
    assert codes["x x y"][2] == others["x x y"][0]
    assert codes["x x y"][1] == others["x x y"][1]
    assert others["x x y"].nunique() == 4


def test_a_table_gets_statistics_of_what_is_found() -> None:
    X = table().head(9_000)
    features = AutomaticFeatures(families=["crosses"]).fit(X, effects(table())[: len(X)])
    [crosses] = features.families_
    assert sorted(crosses.candidates) == EXPECTED
    assert {"a b: 0", "number: 0"} <= {*features.transform(X.head(5))}
    assert AutomaticFeatures().fit(X, None).families_ == []
