"""Features of House Prices, and that its transformers learn only from the rows that they are fitted on."""

from __future__ import annotations

import pickle
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.linear_model import LinearRegression

from kpipe.core.values import Context
from kpipe.data.loading import load

SLUG = "house-prices-advanced-regression-techniques"
house_prices = import_module(f"kpipe.competitions.{SLUG}.competition")
SAMPLE = Path(__file__).parents[2] / "competitions" / SLUG / "sample"
CONTEXT = Context(task="regression")


@pytest.fixture(scope="module")
def sample() -> pd.DataFrame:
    tables = house_prices.competition.clean(load(SLUG, path=SAMPLE))
    return tables.train


def house(sample: pd.DataFrame, **cells: object) -> pd.Series:
    """Features of the first house of the sample, with some of its cells replaced."""
    row = sample.iloc[[0]][list(house_prices.competition.columns)].assign(**cells)
    return house_prices.add_features(row).iloc[0]


def test_ages_are_years_until_the_sale(sample: pd.DataFrame) -> None:
    found = house(sample, YrSold=2008, YearBuilt=1978, YearRemodAdd=1998)
    assert (found["Age"], found["SinceRemodel"], found["Remodelled"], found["New"]) == (30, 10, True, False)
    found = house(sample, YrSold=2008, YearBuilt=2007, YearRemodAdd=2007)
    assert (found["Age"], found["SinceRemodel"], found["Remodelled"], found["New"]) == (1, 1, False, True)


def test_totals_add_up(sample: pd.DataFrame) -> None:
    areas = {"TotalBsmtSF": 800, "1stFlrSF": 1000, "2ndFlrSF": 500, "GrLivArea": 1500, "LotArea": 6000}
    finished = {"BsmtFinSF1": 300, "BsmtFinSF2": 50, "TotRmsAbvGrd": 6, "OverallQual": 7, "OverallCond": 5}
    baths = {"FullBath": 2, "HalfBath": 1, "BsmtFullBath": 1, "BsmtHalfBath": 1}
    porches = {"WoodDeckSF": 1, "OpenPorchSF": 20, "EnclosedPorch": 300, "3SsnPorch": 4000, "ScreenPorch": 50000}
    found = house(sample, **areas, **finished, **baths, **porches)
    expected = {
        "TotalSF": 2300,
        "FinishedSF": 1850,
        "TotalBath": 4.0,
        "TotalPorch": 54321,
        "Quality": 12,
        "QualityArea": 16100,
        "AreaPerRoom": 250,
        "LotShare": 0.25,
    }
    assert {name: found[name] for name in expected} == expected
    assert found[["HasBasement", "HasSecondFloor", "HasDeck", "HasPorch"]].all()


def test_grades_are_numbers_in_their_order(sample: pd.DataFrame) -> None:
    for name, levels in house_prices.ORDERED.items():
        values = [house(sample, **{name: level})[name] for level in levels]
        assert values == sorted(set(values)), name
    assert house(sample, KitchenQual="Ex")["KitchenQual"] == 5
    assert house(sample, BsmtFinType1="GLQ")["BsmtFinType1"] == 6
    names = ["ExterQual", "KitchenQual", "BsmtQual", "HeatingQC", "GarageQual"]
    assert house(sample, **dict.fromkeys(names, "Gd"))["Grades"] == 20


def test_every_category_of_an_ordered_column_has_a_number(sample: pd.DataFrame) -> None:
    for name, levels in house_prices.ORDERED.items():
        assert set(sample[name].dropna()) <= set(levels), name


def test_missing_means_none_in_the_columns_that_the_data_description_names(sample: pd.DataFrame) -> None:
    none = dict.fromkeys(["BsmtQual", "BsmtExposure", "GarageFinish", "GarageQual", "FireplaceQu", "PoolQC", "Alley"])
    gaps = dict.fromkeys(["TotalBsmtSF", "BsmtFullBath", "GarageArea", "GarageCars", "MasVnrArea"], np.nan)
    found = house(sample, **none, **gaps)
    assert (found[[*none, *gaps]] == 0).all()
    assert not found[["HasBasement", "HasGarage", "HasMasonry"]].any()
    assert np.isfinite(found["TotalSF"])
    assert house(sample, Functional=None)["Functional"] == house_prices.ORDERED["Functional"]["Typ"]
    unknown = house(sample, KitchenQual=None, MSZoning=None, LotFrontage=np.nan)
    assert unknown[["KitchenQual", "MSZoning", "LotFrontage"]].isna().all()


def test_the_year_of_the_garage_is_at_most_that_of_the_sale_and_imputed_by_that_of_the_house(
    sample: pd.DataFrame,
) -> None:
    years = {"YearBuilt": 1990, "YrSold": 2007}
    assert house(sample, GarageYrBlt=2207.0, **years)["GarageYrBlt"] == 2007
    assert house(sample, GarageYrBlt=np.nan, **years)["GarageYrBlt"] == 1990
    assert house(sample, GarageYrBlt=1995.0, **years)["GarageYrBlt"] == 1995


def test_features_of_a_row_depend_on_no_other_row(sample: pd.DataFrame) -> None:
    rows = sample[list(house_prices.competition.columns)]
    whole = house_prices.add_nonlinear_terms(house_prices.add_features(rows))
    alone = pd.concat(
        [house_prices.add_nonlinear_terms(house_prices.add_features(rows.iloc[[row]])) for row in range(20)]
    )
    pd.testing.assert_frame_equal(whole.iloc[:20], alone, check_dtype=False)


def test_a_house_that_was_sold_before_it_was_built_has_finite_nonlinear_terms(sample: pd.DataFrame) -> None:
    early = house(sample, YrSold=2007, YearBuilt=2008, YearRemodAdd=2009)
    curves = house_prices.add_nonlinear_terms(early.to_frame().T.infer_objects())
    assert curves["CondLogAge"].item() == 0


def test_frontages_are_imputed_with_the_median_of_fitted_rows_of_the_neighbourhood() -> None:
    seen = pd.DataFrame({"Neighborhood": ["a", "a", "a", "b", "c"], "LotFrontage": [10.0, 20.0, 60.0, 80.0, np.nan]})
    new = pd.DataFrame({"Neighborhood": ["a", "b", "c", "d", "a"], "LotFrontage": [np.nan] * 4 + [500.0]})
    filled = house_prices.NeighborhoodFrontageImputer().fit(seen).transform(new)
    assert filled["LotFrontage"].tolist() == [20.0, 80.0, 40.0, 40.0, 500.0]


class OfArea(RegressorMixin, BaseEstimator):
    """A linear regression on the living area, which stores the number of rows that it was fitted on."""

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> OfArea:
        self.rows_ = len(X)
        self.line_ = LinearRegression().fit(X[["GrLivArea"]], y)
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        return self.line_.predict(X[["GrLivArea"]])


def houses() -> tuple[pd.DataFrame, np.ndarray]:
    area = np.array([1000.0, 2000.0, 3000.0, 4500.0, 5000.0, 6000.0])
    kind = ["Normal", "Partial", "Normal", "Normal", "Partial", "Partial"]
    return pd.DataFrame({"GrLivArea": area, "SaleCondition": kind}), area / 1000 - [0, 0, 0, 0, 2, 3]


def test_large_unfinished_houses_are_not_fitted_and_get_their_mean_discount() -> None:
    X, y = houses()
    model = house_prices.UnfinishedHouseDiscount(OfArea()).fit(X, y)
    assert house_prices.is_large_unfinished(X).tolist() == [False] * 4 + [True] * 2
    assert model.estimator_.rows_ == 4
    assert model.discount_ == pytest.approx(-2.5)
    assert model.predict(X) == pytest.approx([1.0, 2.0, 3.0, 4.5, 2.5, 3.5])  # every row has a prediction


def test_without_large_unfinished_houses_in_fitting_the_discount_is_0() -> None:
    X, y = houses()
    model = house_prices.UnfinishedHouseDiscount(OfArea()).fit(X[:4], y[:4])
    assert model.discount_ == 0
    assert model.predict(X) == pytest.approx(X["GrLivArea"] / 1000)


@pytest.mark.parametrize("name", ["svr", "lasso"])
def test_nothing_is_learned_from_validation_rows(sample: pd.DataFrame, name: str) -> None:
    competition = house_prices.competition
    X, y = sample[list(competition.columns)], np.log1p(sample["SalePrice"].to_numpy(dtype=float))
    train, valid = next(competition.splitter.split(X))
    strange = X.iloc[valid].assign(LotFrontage=1e6, LotArea=1e9, Neighborhood="Elsewhere", GrLivArea=9999)
    features, estimator = clone(competition.features), competition.models[name](CONTEXT)
    estimator.fit(features.fit_transform(X.iloc[train]), y[train])
    row = X.iloc[valid[:1]]
    alone = estimator.predict(features.transform(row))
    beside = estimator.predict(features.transform(pd.concat([row, strange])))[:1]
    assert beside == pytest.approx(alone, rel=1e-12)


def test_models_can_be_pickled_and_the_default_ones_exist() -> None:
    competition = house_prices.competition
    assert set(competition.default) <= set(competition.models)
    for factory in pickle.loads(pickle.dumps(competition)).models.values():
        pickle.dumps(factory(CONTEXT))


def test_the_studys_79_columns_are_as_kaggle_gives_them(sample: pd.DataFrame) -> None:
    raw = load(SLUG, path=SAMPLE).train
    assert len(house_prices.competition.columns) == 79
    assert sample["MSSubClass"].tolist() == raw["MSSubClass"].astype(str).tolist()
    pd.testing.assert_frame_equal(sample.drop(columns="MSSubClass"), raw.drop(columns="MSSubClass"))
