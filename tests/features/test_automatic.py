from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from kpipe.features.automatic import AutomaticFeatures

RNG = np.random.default_rng(0)
N = 300


def made() -> pd.DataFrame:
    words = np.array(["ship", "harbour", "storm", "captain", "sail", "rope", "anchor", "night", "lantern", "crew"])
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "row": np.arange(N),
            "name": [f"person {number}" for number in range(N)],
            "constant": 7,
            "size": rng.normal(size=N),
            "copy": np.nan,
            "town": rng.choice([f"town {number}" for number in range(25)], size=N),
            "sex": rng.choice(["female", "male"], size=N),
            "when": pd.date_range("2020-01-01", periods=N).strftime("%Y-%m-%d"),
            "story": [" ".join(rng.choice(words, size=8)) for _ in range(N)],
        }
    ).assign(copy=lambda frame: frame["size"])


def test_each_column_becomes_the_features_of_its_type() -> None:
    y = RNG.integers(2, size=N)
    found = AutomaticFeatures().fit_transform(made(), y)
    for dropped in ("row", "name", "constant", "copy", "when", "story"):
        assert dropped not in found.columns
    assert {
        "size",
        "town",
        "sex",
        "when: year",
        "when: day_of_week",
        "when: days",
        "story: topic 0",
        "story: words",
    } <= {*found.columns}
    assert {"town: rows", "statistic 0"} <= set(found.columns)
    assert found["when: days"].tolist() == list(range(N))


def test_other_rows_get_the_same_features_whatever_they_hold() -> None:
    features = AutomaticFeatures().fit(made(), RNG.integers(2, size=N))
    other = made().head(5).assign(town="Atlantis", when="no date", story=None, size=np.nan, sex=None)
    found = features.transform(other)
    assert list(found.columns) == list(features.transform(made()).columns)
    assert (found["town: rows"] == 0).all()
    assert found["when: days"].isna().all()
    pd.testing.assert_frame_equal(found.iloc[[2]], features.transform(other.iloc[[2]]))


def test_the_statistics_of_a_row_do_not_use_its_own_target() -> None:
    """Towns that carry no information about the target must not reveal it in the fitting rows."""
    rng = np.random.default_rng(5)
    X = pd.DataFrame({"town": rng.choice([f"t{number}" for number in range(400)], size=1500), "x": 1.0})
    y = rng.integers(2, size=1500)
    features = AutomaticFeatures()
    within = features.fit_transform(X, y)["statistic 0"]
    assert abs(np.corrcoef(within, y)[0, 1]) < 0.15
    assert np.corrcoef(features.transform(X)["statistic 0"], y)[0, 1] > 0.4  # what a model must not be trained on


@pytest.mark.parametrize("y", [RNG.normal(size=N), RNG.integers(2, size=N), RNG.integers(4, size=N), None])
def test_any_target_gets_the_statistics_that_it_allows(y: np.ndarray | None) -> None:
    found = AutomaticFeatures().fit_transform(made(), y)
    count = 0 if y is None else 4 if len(np.unique(y)) == 4 else 1
    assert sum(str(name).startswith("statistic") for name in found.columns) == count


def test_a_table_of_categorical_integers_becomes_a_table_of_labels() -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({name: rng.choice(rng.integers(0, 90_000, size=50), size=1000) for name in ("a", "b")})
    found = AutomaticFeatures().fit_transform(X, rng.integers(2, size=1000))
    assert not pd.api.types.is_numeric_dtype(found["a"])
    mixed = X[["a"]].assign(x=rng.normal(size=1000), z=rng.normal(size=1000))
    assert pd.api.types.is_numeric_dtype(AutomaticFeatures().fit_transform(mixed, rng.integers(2, size=1000))["a"])


def test_a_table_without_information_gives_one_constant_feature() -> None:
    assert list(AutomaticFeatures().fit_transform(made()[["row", "constant"]]).columns) == ["nothing"]


def test_it_survives_clone_and_pickle() -> None:
    features = clone(AutomaticFeatures(random_state=3)).fit(made(), RNG.integers(2, size=N))
    again = pickle.loads(pickle.dumps(features))
    pd.testing.assert_frame_equal(again.transform(made()), features.transform(made()))


def test_numbers_written_as_text_among_a_few_words_become_numbers() -> None:
    X = made()[["size"]].assign(total=[" " if n % 30 == 0 else f"{n}.5" for n in range(N)])
    features = AutomaticFeatures().fit(X, RNG.integers(2, size=N))
    found = features.transform(X.assign(total="4+").head(2))
    assert found["total"].isna().all()
    assert features.transform(X)["total"].iloc[1] == 1.5


@pytest.mark.parametrize(("strength", "kept"), [(1.0, True), (0.0, False)])
def test_the_words_of_titles_are_features_only_if_they_lower_the_loss_on_inner_splits(
    strength: float, kept: bool
) -> None:
    rng = np.random.default_rng(0)
    genres, counts = rng.integers(0, 4, 2_000), rng.integers(2, 5, 2_000)
    names = [
        [f"{genre}{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(150)] for genre in ("war", "love", "sci", "pet")
    ]
    titles = [" ".join(rng.choice(names[genre], count)) for genre, count in zip(genres, counts, strict=True)]
    X = pd.DataFrame({"title": titles, "x": rng.normal(size=2_000)})
    y = X["x"].to_numpy() + strength * genres + rng.normal(size=2_000)
    fitted = AutomaticFeatures(families=("words",)).fit(X, y)
    assert [family.name for family in fitted.families_] == ["words"] * kept
    assert fitted.transform(X.head(3)).shape[1] > 2 if kept else fitted.transform(X.head(3)).columns.tolist() == ["x"]
    assert fitted.left_out(X) == {}


def test_a_copy_of_a_column_of_titles_or_names_is_left_out() -> None:
    titles = pd.Series([f"old house {chr(97 + n // 26)}x{chr(97 + n % 26)}" for n in range(200)], dtype="str")
    names = pd.concat([titles.head(120), titles.head(80)], ignore_index=True)
    X = pd.DataFrame({"title": titles, "title again": titles, "name": names, "name again": names})
    assert AutomaticFeatures().left_out(X) == {
        "title again": "it is a copy of title",
        "name again": "it is a copy of name",
    }
    assert AutomaticFeatures(families=()).fit(X, np.arange(200) % 2).titles_ == ["title"]


def test_an_empty_column_and_a_constant_one_are_left_out_with_their_own_reasons() -> None:
    left_out = AutomaticFeatures().left_out(made().assign(nothing=np.nan, words=pd.Series([None] * N, dtype="str")))
    assert left_out["constant"] == "it holds the same value in every row"
    assert left_out["nothing"] == left_out["words"] == "it is empty in every row"


LABELS = "red|Blue|yes|no|inf|nan|Jan|May|lundi|Mon|3|007|1.5|12k|5 May|2015-01-31|\uff15 May|3/4|a b c d e f|x-1"


@settings(max_examples=50)
@given(
    st.lists(
        st.sampled_from(LABELS.split("|")),
        min_size=1,
        max_size=10,
        unique=True,
    ),
    st.integers(1, 60),
    st.booleans(),
)
def test_few_labels_give_the_features_that_a_look_at_every_type_finds(labels: list, rows: int, gaps: bool) -> None:
    cells = [labels[number % len(labels)] for number in range(rows)]
    cells[::3] = [None if gaps else cell for cell in cells[::3]]
    frame = pd.DataFrame({"a": pd.Series(cells, dtype="str"), "b": np.arange(rows) % 7 / 2})
    quick = AutomaticFeatures().fit_transform(frame)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kpipe.features.automatic._short_labels", lambda X: frozenset())
        pd.testing.assert_frame_equal(quick, AutomaticFeatures().fit_transform(frame))
