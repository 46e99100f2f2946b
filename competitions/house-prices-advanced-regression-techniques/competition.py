"""House Prices: predict the sale price of houses in Ames. Scored by the root mean squared error of the log price.

``README.md`` reports how much the columns and models contribute, and names their sources.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin, clone
from sklearn.linear_model import LassoCV
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVR
from sklearn.utils.validation import check_is_fitted

from kpipe import Competition, Context, model, row_by_row
from kpipe.features import dummies
from kpipe.problem.competition import Factory

# All columns of train.csv except the id and the price, so that kpipe refuses a file without one of them.
NUMBERS = """
    LotFrontage LotArea OverallQual OverallCond YearBuilt YearRemodAdd MasVnrArea BsmtFinSF1 BsmtFinSF2 BsmtUnfSF
    TotalBsmtSF 1stFlrSF 2ndFlrSF LowQualFinSF GrLivArea BsmtFullBath BsmtHalfBath FullBath HalfBath BedroomAbvGr
    KitchenAbvGr TotRmsAbvGrd Fireplaces GarageYrBlt GarageCars GarageArea WoodDeckSF OpenPorchSF EnclosedPorch
    3SsnPorch ScreenPorch PoolArea MiscVal MoSold YrSold
""".split()
CATEGORIES = """
    MSSubClass MSZoning Street Alley LotShape LandContour Utilities LotConfig LandSlope Neighborhood Condition1
    Condition2 BldgType HouseStyle RoofStyle RoofMatl Exterior1st Exterior2nd MasVnrType ExterQual ExterCond Foundation
    BsmtQual BsmtCond BsmtExposure BsmtFinType1 BsmtFinType2 Heating HeatingQC CentralAir Electrical KitchenQual
    Functional FireplaceQu GarageType GarageFinish GarageQual GarageCond PavedDrive PoolQC Fence MiscFeature SaleType
    SaleCondition
""".split()

# Ordered categories, from worst to best, as in the data description.
GRADES = {"Po": 1, "Fa": 2, "TA": 3, "Gd": 4, "Ex": 5}
FINISHES = {"Unf": 1, "LwQ": 2, "Rec": 3, "BLQ": 4, "ALQ": 5, "GLQ": 6}
ORDERED = {
    "Street": {"Grvl": 1, "Pave": 2},
    "Alley": {"Grvl": 1, "Pave": 2},
    "LotShape": {"IR3": 1, "IR2": 2, "IR1": 3, "Reg": 4},
    "LandSlope": {"Sev": 1, "Mod": 2, "Gtl": 3},
    "ExterQual": GRADES,
    "ExterCond": GRADES,
    "BsmtQual": GRADES,
    "BsmtCond": GRADES,
    "BsmtExposure": {"No": 1, "Mn": 2, "Av": 3, "Gd": 4},
    "BsmtFinType1": FINISHES,
    "BsmtFinType2": FINISHES,
    "HeatingQC": GRADES,
    "CentralAir": {"N": 0, "Y": 1},
    "KitchenQual": GRADES,
    "Functional": {"Sal": 1, "Sev": 2, "Maj2": 3, "Maj1": 4, "Mod": 5, "Min2": 6, "Min1": 7, "Typ": 8},
    "FireplaceQu": GRADES,
    "GarageFinish": {"Unf": 1, "RFn": 2, "Fin": 3},
    "GarageQual": GRADES,
    "GarageCond": GRADES,
    "PavedDrive": {"N": 1, "P": 2, "Y": 3},
    "PoolQC": GRADES,
}
# NA means in these columns, by the data description, that the house has none; for numbers of basement and garage, too.
NONE_IS_ZERO = """
    Alley BsmtQual BsmtCond BsmtExposure BsmtFinType1 BsmtFinType2 FireplaceQu GarageFinish GarageQual GarageCond PoolQC
    MasVnrArea BsmtFinSF1 BsmtFinSF2 BsmtUnfSF TotalBsmtSF BsmtFullBath BsmtHalfBath GarageCars GarageArea
""".split()
PORCHES = ["WoodDeckSF", "OpenPorchSF", "EnclosedPorch", "3SsnPorch", "ScreenPorch"]
MAIN_GRADES = ["ExterQual", "KitchenQual", "BsmtQual", "HeatingQC", "GarageQual"]
AREAS = ["LotArea", "GrLivArea", "TotalSF", "1stFlrSF", "FinishedSF", "LotFrontage"]


def clean(frame: pd.DataFrame) -> pd.DataFrame:
    """Read the type of dwelling as text, since it is a code.

    All other features are in ``add_features``, because a study uses Kaggle's original columns.

    Parameters
    ----------
    frame : DataFrame
        Rows of train.csv or test.csv.

    Returns
    -------
    DataFrame
        The same columns.
    """
    return frame.assign(MSSubClass=frame["MSSubClass"].astype(str))


def add_features(frame: pd.DataFrame) -> pd.DataFrame:
    """Features of a single row: grades as numbers, missing values that mean "none", ages and totals.

    Parameters
    ----------
    frame : DataFrame
        Cleaned rows.

    Returns
    -------
    DataFrame
        With the new columns. Other missing values remain; models impute them.
    """
    house = frame.assign(**{name: frame[name].map(order).astype(float) for name, order in ORDERED.items()})
    house[NONE_IS_ZERO] = house[NONE_IS_ZERO].fillna(0.0)
    area = house["TotalBsmtSF"] + house["1stFlrSF"] + house["2ndFlrSF"]
    return house.assign(
        # "Assume typical unless deductions are warranted."
        Functional=house["Functional"].fillna(float(ORDERED["Functional"]["Typ"])),
        # One garage in test.csv was built in 2207. Houses without a garage get the year of the house.
        GarageYrBlt=house["GarageYrBlt"].clip(upper=house["YrSold"]).fillna(house["YearBuilt"]),
        Age=house["YrSold"] - house["YearBuilt"],
        SinceRemodel=house["YrSold"] - house["YearRemodAdd"],
        Remodelled=house["YearRemodAdd"] != house["YearBuilt"],
        New=house["YrSold"] <= house["YearBuilt"] + 1,
        TotalSF=area,
        FinishedSF=house["GrLivArea"] + house["BsmtFinSF1"] + house["BsmtFinSF2"],
        TotalBath=house["FullBath"] + house["BsmtFullBath"] + 0.5 * (house["HalfBath"] + house["BsmtHalfBath"]),
        TotalPorch=house[PORCHES].sum(axis=1),
        Quality=house["OverallQual"] + house["OverallCond"],
        QualityArea=house["OverallQual"] * area,
        Grades=house[MAIN_GRADES].sum(axis=1),
        HasBasement=house["TotalBsmtSF"] > 0,
        HasGarage=house["GarageArea"] > 0,
        HasFireplace=house["Fireplaces"] > 0,
        HasSecondFloor=house["2ndFlrSF"] > 0,
        HasPool=house["PoolArea"] > 0,
        HasDeck=house["WoodDeckSF"] > 0,
        HasPorch=house["OpenPorchSF"] > 0,
        HasMasonry=house["MasVnrArea"] > 0,
        AreaPerRoom=house["GrLivArea"] / house["TotRmsAbvGrd"],
        LotShare=house["GrLivArea"] / house["LotArea"],
    )


def add_nonlinear_terms(house: pd.DataFrame) -> pd.DataFrame:
    """Logarithms, squares and products of columns, for linear models and support vector machines; trees need none.

    Parameters
    ----------
    house : DataFrame
        Rows with the columns of ``add_features``.

    Returns
    -------
    DataFrame
        With the new columns.
    """
    size = np.log1p(house["TotalSF"])
    return house.assign(
        **{f"Log{name}": np.log1p(house[name]) for name in AREAS},
        SquaredLogSF=size**2,
        SquaredAge=house["Age"] ** 2,
        SquaredQual=house["OverallQual"] ** 2,
        CubedQual=house["OverallQual"] ** 3,
        QualLogSF=house["OverallQual"] * size,
        CondLogAge=house["OverallCond"] * np.log1p(house["Age"].clip(lower=0)),
    )


class NeighborhoodFrontageImputer(TransformerMixin, BaseEstimator):
    """Impute a missing LotFrontage with the median of its neighbourhood, or of all rows if that has none."""

    medians_: pd.Series
    median_: float

    def fit(self, X: pd.DataFrame, y: object = None) -> Self:
        """Compute the medians."""
        self.medians_ = X.groupby("Neighborhood")["LotFrontage"].median().dropna()
        self.median_ = X["LotFrontage"].median()
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """The table, with LotFrontage imputed."""
        check_is_fitted(self)
        medians = X["Neighborhood"].map(self.medians_).astype(float)
        return X.assign(LotFrontage=X["LotFrontage"].fillna(medians).fillna(self.median_))


def is_large_unfinished(house: pd.DataFrame) -> np.ndarray:
    """Whether a house has more than 4,000 square feet and was sold before it was finished.

    Parameters
    ----------
    house : DataFrame
        Rows with the columns GrLivArea and SaleCondition.

    Returns
    -------
    ndarray
        (n,) bool.
    """
    return ((house["GrLivArea"] > 4000) & (house["SaleCondition"] == "Partial")).to_numpy(dtype=bool)


class UnfinishedHouseDiscount(RegressorMixin, BaseEstimator):
    """Fit a regressor without large unfinished houses, and predict these with a constant discount.

    Two of the 1,460 houses in train.csv are large and unfinished, and were sold for a quarter to a third of the price
    that models predict. As training rows, these outliers distort every fit; without them, models overestimate such
    houses. The score still includes all rows.

    Parameters
    ----------
    estimator : regressor
        Fitted on all other rows. The discount is its mean residual on the large unfinished houses.
    """

    estimator_: BaseEstimator
    discount_: float

    def __init__(self, estimator: BaseEstimator) -> None:
        self.estimator = estimator

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> Self:
        """Fit the estimator on the other rows, then compute the discount; 0 if no row is a large unfinished house."""
        y, large = np.asarray(y), is_large_unfinished(X)
        self.estimator_ = clone(self.estimator).fit(X[~large], y[~large])
        self.discount_ = float(np.mean(y[large] - self.estimator_.predict(X[large]))) if large.any() else 0.0
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """(n,) predicted logarithms of the price."""
        check_is_fitted(self)
        return np.asarray(self.estimator_.predict(X) + self.discount_ * is_large_unfinished(X))


@dataclass(frozen=True)
class with_discount:  # a class, so that it can be pickled; used like a function: with_discount(model("catboost"))
    """A factory whose estimators are wrapped in ``UnfinishedHouseDiscount``."""

    factory: Factory

    def __call__(self, context: Context) -> BaseEstimator:
        """The wrapped estimator."""
        return UnfinishedHouseDiscount(self.factory(context))


def svr(context: Context) -> BaseEstimator:
    """Support vector regression with a wide Gaussian kernel."""
    return make_pipeline(FunctionTransformer(add_nonlinear_terms), dummies(), SVR(C=5.0, epsilon=0.03, gamma=0.0015))


def lasso(context: Context) -> BaseEstimator:
    """Lasso, with its penalty chosen by cross-validation on the rows that it is fitted on."""
    alphas = np.logspace(-4, -2.3, 10)
    return make_pipeline(
        FunctionTransformer(add_nonlinear_terms), dummies(), LassoCV(alphas=alphas, cv=5, max_iter=20_000)
    )


competition = Competition(
    slug="house-prices-advanced-regression-techniques",
    id="Id",
    target="SalePrice",
    task="regression",
    metric="log_rmse",
    columns=(*NUMBERS, *CATEGORIES),
    clean=row_by_row(clean),
    features=make_pipeline(FunctionTransformer(add_features), NeighborhoodFrontageImputer()),
    # By row: train and test were drawn at random, and no column groups the houses.
    splitter=KFold(10, shuffle=True, random_state=0),
    models={
        "svr": with_discount(svr),
        "catboost": with_discount(
            model(
                "catboost",
                iterations=3000,
                learning_rate=0.0125,
                depth=4,
                rsm=0.2,
                one_hot_max_size=30,
                l2_leaf_reg=3.0,
            )
        ),
        "lasso": with_discount(lasso),
        "boosting": with_discount(
            model(
                "boosting",
                n_estimators=1200,
                learning_rate=0.02,
                num_leaves=6,
                min_child_samples=5,
                colsample_bytree=0.2,
            )
        ),
    },
    default=("svr", "catboost"),
)
