from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from sklearn.base import BaseEstimator, clone
from sklearn.preprocessing import MaxAbsScaler

from kpipe.features import ModeImputer, NativeCategories, dummies

TRAIN = pd.DataFrame(
    {
        "port": ["S", "C", "S", None, "S", "C"],
        "age": [20.0, np.nan, 40.0, 30.0, 20.0, 10.0],
        "alone": [True, False, True, True, False, False],
        "odd name {": [1, 2, 3, 4, 5, 6],
        "asleep": pd.array([True, None, False, True, None, True], dtype="boolean"),
        "empty": [np.nan] * 6,
    }
).astype({"port": "str"})
NEW = TRAIN.head(2).assign(port=pd.Series(["Mars", None], dtype="str"), age=[np.nan, 1e9])

ENCODINGS = {
    "modes": ModeImputer(),
    "dummies": dummies(),
    "dummies by maxima": dummies(MaxAbsScaler()),
    "native": NativeCategories(),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_an_encoding_is_the_same_after_a_second_fit_clone_and_pickle(name: str) -> None:
    once = clone(ENCODINGS[name]).fit(TRAIN)
    again = pickle.loads(pickle.dumps(clone(once).fit(NEW).fit(TRAIN)))
    np.testing.assert_array_equal(
        pd.DataFrame(once.transform(NEW)).astype(object).fillna("missing"),
        pd.DataFrame(again.transform(NEW)).astype(object).fillna("missing"),
    )


@pytest.mark.parametrize("name", ENCODINGS)
def test_the_encoding_of_a_row_does_not_depend_on_other_rows(name: str) -> None:
    fitted = clone(ENCODINGS[name]).fit(TRAIN)
    alone = pd.DataFrame(fitted.transform(TRAIN.iloc[[3]])).astype(object).fillna("missing").to_numpy()
    beside = pd.DataFrame(fitted.transform(TRAIN)).astype(object).fillna("missing").to_numpy()[[3]]
    np.testing.assert_array_equal(alone, beside)


def test_unseen_and_missing_categories_become_finite_numbers() -> None:
    encoded = dummies().fit(TRAIN).transform(NEW)
    assert encoded.shape[0] == 2
    assert np.isfinite(encoded).all()


def test_numbers_divided_by_their_maxima_lie_within_1() -> None:
    encoded = dummies(MaxAbsScaler()).fit_transform(TRAIN[["age", "odd name {"]])
    np.testing.assert_allclose(encoded[:, 1], np.arange(1, 7) / 6)


def test_native_categories_are_those_of_fitting_in_columns_with_names_that_lightgbm_accepts() -> None:
    fitted = NativeCategories().fit(TRAIN)
    encoded = fitted.transform(NEW)
    assert encoded["port_0"].isna().all()
    assert encoded["port_0"].cat.categories.tolist() == ["C", "S"]
    assert encoded.columns.tolist() == fitted.get_feature_names_out().tolist()
    assert all(name.isascii() and name.isidentifier() for name in encoded.columns)
    LGBMClassifier(n_estimators=2, min_child_samples=1, verbosity=-1).fit(fitted.transform(TRAIN), [0, 1] * 3)


def test_rare_and_unseen_categories_share_one_column() -> None:
    frame = pd.DataFrame({"ticket": ["a", "a", "b", "b", "c", "d", "e"]}, dtype="str")
    encoded = dummies().fit(frame).transform(pd.DataFrame({"ticket": ["c", "new"]}, dtype="str"))
    np.testing.assert_array_equal(encoded[0], encoded[1])


COLUMNS = {
    "text": pd.Series(["a", "b", "a", None, "b", "a"], dtype="str"),
    "missing text": pd.Series([None] * 6, dtype="str"),
    "missing numbers": pd.Series([np.nan] * 6),
    "booleans": pd.Series([True, False] * 3),
    "booleans with missing values": pd.Series([True, None] * 3, dtype="boolean"),
    "bytes": pd.Series([0, 255] * 3, dtype="uint8"),
    "integers": pd.Series([2**40, -1, 0, 1, 2, 3]),
    "categories": pd.Series(["a", "b", "a", "b", "a", "b"], dtype="category"),
}


@pytest.mark.parametrize("encoding", [dummies(), NativeCategories()], ids=["dummies", "native"])
@pytest.mark.parametrize("kind", COLUMNS)
def test_a_table_of_one_column_of_any_dtype_is_encoded_in_new_rows_too(kind: str, encoding: BaseEstimator) -> None:
    frame = pd.DataFrame({kind: COLUMNS[kind]})
    encoded = encoding.fit(frame).transform(frame.iloc[[5, 0]])
    assert len(encoded) == 2
    if isinstance(encoded, np.ndarray):
        assert np.isfinite(encoded).all()
    else:
        assert encoded.index.tolist() == [5, 0]


@pytest.mark.parametrize("encoding", [ModeImputer(), dummies(), NativeCategories()], ids=["modes", "dummies", "native"])
def test_an_encoding_does_not_change_the_table_that_it_is_given(encoding: BaseEstimator) -> None:
    frame = pd.DataFrame(COLUMNS)
    before = frame.copy(deep=True)
    encoding.fit(frame).transform(frame)
    pd.testing.assert_frame_equal(frame, before)
