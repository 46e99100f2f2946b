from __future__ import annotations

import numpy as np
import pandas as pd

from kpipe.features.one_hot import find_one_hot, one_hot_labels


def made() -> pd.DataFrame:
    kinds = np.random.default_rng(0).integers(0, 5, 200)
    one_hot = {f"soil_type_{n}": (kinds == n).astype(int) for n in range(5)}
    return pd.DataFrame({**one_hot, "flag_1": 1, "flag_2": 0, "flag_3": 1, "soil_depth": kinds, "kind": kinds})


def test_columns_of_which_one_is_1_are_found_by_their_names_and_give_their_label_back() -> None:
    X = made()
    assert find_one_hot(X) == {"soil_type": [f"soil_type_{n}" for n in range(5)]}
    labels = one_hot_labels(X, find_one_hot(X)["soil_type"])
    assert labels.tolist() == [f"soil_type_{n}" for n in X["kind"]]


def test_words_name_columns_too_and_rows_without_a_1_have_an_empty_label() -> None:
    names = ["home_own", "home_rent", "home_other"]
    X = pd.DataFrame(np.eye(3, dtype=int).repeat(30, axis=0), columns=names)
    X.loc[0] = 0
    assert find_one_hot(X) == {"home": names}
    assert one_hot_labels(X, ["home_own", "home_rent", "home_other"])[:2].tolist() == ["", "home_own"]


def test_flags_that_are_1_together_or_missing_are_no_labels() -> None:
    draw = np.random.default_rng(0)
    flags = pd.DataFrame(draw.integers(0, 2, (100, 3)), columns=["f1", "f2", "f3"])
    assert find_one_hot(flags) == {}
    assert find_one_hot(pd.DataFrame(np.eye(3)).add_prefix("x").assign(x2=[np.nan, 0, 1])) == {}
