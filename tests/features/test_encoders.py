from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from sklearn.base import clone
from sklearn.preprocessing import MaxAbsScaler

from kpipe.features.encoders import FillModes, NativeCategories, dummies, over_255, standardised

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
    "modes": FillModes(),
    "dummies": dummies(),
    "dummies by maxima": dummies(MaxAbsScaler()),
    "native": NativeCategories(),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_an_encoding_is_fitted_again_the_same_and_survives_clone_and_pickle(name: str) -> None:
    once = clone(ENCODINGS[name]).fit(TRAIN)
    again = pickle.loads(pickle.dumps(clone(once).fit(NEW).fit(TRAIN)))
    np.testing.assert_array_equal(
        pd.DataFrame(once.transform(NEW)).astype(object).fillna("gap"),
        pd.DataFrame(again.transform(NEW)).astype(object).fillna("gap"),
    )


@pytest.mark.parametrize("name", ENCODINGS)
def test_a_rows_encoding_does_not_depend_on_the_rows_beside_it(name: str) -> None:
    fitted = clone(ENCODINGS[name]).fit(TRAIN)
    alone = pd.DataFrame(fitted.transform(TRAIN.iloc[[3]])).astype(object).fillna("gap").to_numpy()
    beside = pd.DataFrame(fitted.transform(TRAIN)).astype(object).fillna("gap").to_numpy()[[3]]
    np.testing.assert_array_equal(alone, beside)


def test_gaps_are_filled_with_the_mode_of_the_rows_fitted_on() -> None:
    filled = FillModes().fit(TRAIN).transform(NEW)
    assert filled["port"].tolist() == ["Mars", "S"]
    assert filled["age"].tolist() == [20.0, 1e9]
    assert filled["empty"].isna().all()


def test_unseen_and_missing_levels_become_finite_numbers() -> None:
    encoded = dummies().fit(TRAIN).transform(NEW)
    assert encoded.shape[0] == 2
    assert np.isfinite(encoded).all()


def test_no_standardised_number_is_further_out_than_3() -> None:
    encoded = standardised().fit_transform(np.array([[0.0]] * 99 + [[1e12]]))
    assert encoded.max() < 3


def test_numbers_divided_by_their_maxima_lie_within_1() -> None:
    encoded = dummies(MaxAbsScaler()).fit_transform(TRAIN[["age", "odd name {"]])
    np.testing.assert_allclose(encoded[:, 1], np.arange(1, 7) / 6)


def test_pixels_are_divided_by_255() -> None:
    pixels = pd.DataFrame(np.array([[0, 255], [51, 102]], dtype=np.uint8), columns=["a", "b"])
    encoded = dummies(over_255()).fit_transform(pixels)
    assert encoded.dtype == np.float32
    np.testing.assert_allclose(encoded, [[0, 1], [0.2, 0.4]], rtol=1e-6)


def test_boosters_get_categories_of_fitting_and_names_they_can_take() -> None:
    fitted = NativeCategories().fit(TRAIN)
    encoded = fitted.transform(NEW)
    assert encoded["port_0"].isna().all()
    assert encoded["port_0"].cat.categories.tolist() == ["C", "S"]
    assert encoded.columns.tolist() == fitted.get_feature_names_out().tolist()
    assert all(name.isascii() and name.isidentifier() for name in encoded.columns)
    LGBMClassifier(n_estimators=2, min_child_samples=1, verbosity=-1).fit(fitted.transform(TRAIN), [0, 1] * 3)


def test_rare_levels_share_one_dummy() -> None:
    frame = pd.DataFrame({"ticket": ["a", "a", "b", "b", "c", "d", "e"]}, dtype="str")
    encoded = dummies().fit(frame).transform(pd.DataFrame({"ticket": ["c", "new"]}, dtype="str"))
    np.testing.assert_array_equal(encoded[0], encoded[1])
