from __future__ import annotations

import numpy as np
import pandas as pd

from kpipe.features.automatic import AutomaticFeatures
from kpipe.features.parts import LabelParts

RNG = np.random.default_rng(0)
N = 300
CODES = pd.Series(
    [f"{RNG.choice(list('LMH'))}{RNG.integers(10_000, 99_999)}/{RNG.choice(['P', 'Q'])}" for _ in range(N)]
)
TITLES = pd.Series([f"{RNG.choice(['gold', 'used'])} {RNG.choice(['ring', 'watch'])} {n:x}z" for n in range(N)])


def test_the_pieces_between_marks_are_labels_and_numbers() -> None:
    parts = LabelParts.fit(CODES.rename("code"))
    assert parts is not None
    found = parts.transform(pd.Series(["L47181/P", "other", None], name="code"))
    assert found["code: part 1"].tolist()[0] == "L"
    assert found["code: part 2"].tolist()[0] == 47181
    assert found["code: part 3"].tolist()[0] == "P"
    assert all(values.isna().tolist() == [False, True, True] for values in found.values())


def test_frequent_words_of_short_titles_are_flags() -> None:
    parts = LabelParts.fit(TITLES.rename("title"))
    assert parts is not None
    found = parts.transform(pd.Series(["Gold ring new", "golden", None], name="title"))
    assert found["title: gold"].tolist() == [1, 0, 0]
    assert found["title: ring"].tolist() == [1, 0, 0]


def test_labels_without_a_part_in_common_have_none() -> None:
    assert LabelParts.fit(pd.Series([f"{RNG.integers(2**60):x}" for _ in range(N)])) is None
    assert LabelParts.fit(pd.Series([f"ID_{number:05}" for number in range(N)])) is None


def test_identifiers_become_their_parts_and_others_are_named_as_left_out() -> None:
    X = pd.DataFrame({"code": CODES, "hash": [f"{RNG.integers(2**60):x}" for _ in range(N)], "x": RNG.normal(size=N)})
    X = X.assign(constant=1, copy=X["x"])
    features = AutomaticFeatures()
    found = features.fit_transform(X, RNG.normal(size=N))
    assert {"code: part 1", "code: part 2", "code: part 3"} <= set(found.columns)
    assert not {"code", "hash", "constant", "copy"} & set(found.columns)
    assert set(features.left_out(X)) == {"hash", "constant", "copy"}
    assert features.left_out(X)["copy"] == "it is a copy of x"
    pd.testing.assert_frame_equal(features.transform(X.head(3)), features.transform(X).head(3))


def test_derived_features_never_replace_a_column_of_the_same_name() -> None:
    towns = RNG.choice([f"t{n}" for n in range(30)], size=N)
    own = ["town: rows", "when: month", "when: days", "statistic 0", "gaps", "nothing"]
    X = pd.DataFrame({"town": towns, "when": pd.date_range("2020-01-01", periods=N).astype(str).astype("str")})
    X = X.assign(
        **{name: RNG.normal(size=N) for name in own},
        **{f"m{n}": np.where(RNG.random(N) < 0.5, 1, np.nan) for n in range(3)},
    )
    found = AutomaticFeatures().fit_transform(X, RNG.normal(size=N))
    assert found.columns.is_unique
    for name in own:
        np.testing.assert_array_equal(found[name], X[name])
    assert {f"{name} (derived)" for name in own[:-1]} <= set(found.columns)
