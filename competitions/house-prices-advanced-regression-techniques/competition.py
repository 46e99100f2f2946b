"""House Prices: what did a house in Ames sell for? Scored by the root mean squared error of the log price."""

import pandas as pd
from sklearn.model_selection import KFold

from kpipe import Competition, model, row_by_row

# Every column of train.csv but the id and the price, so that a file that lacks one is refused.
NUMBERS = """
    LotFrontage LotArea OverallQual OverallCond YearBuilt YearRemodAdd MasVnrArea BsmtFinSF1 BsmtFinSF2 BsmtUnfSF
    TotalBsmtSF 1stFlrSF 2ndFlrSF LowQualFinSF GrLivArea BsmtFullBath BsmtHalfBath FullBath HalfBath BedroomAbvGr
    KitchenAbvGr TotRmsAbvGrd Fireplaces GarageYrBlt GarageCars GarageArea WoodDeckSF OpenPorchSF EnclosedPorch
    3SsnPorch ScreenPorch PoolArea MiscVal MoSold YrSold
""".split()
LEVELS = """
    MSSubClass MSZoning Street Alley LotShape LandContour Utilities LotConfig LandSlope Neighborhood Condition1
    Condition2 BldgType HouseStyle RoofStyle RoofMatl Exterior1st Exterior2nd MasVnrType ExterQual ExterCond Foundation
    BsmtQual BsmtCond BsmtExposure BsmtFinType1 BsmtFinType2 Heating HeatingQC CentralAir Electrical KitchenQual
    Functional FireplaceQu GarageType GarageFinish GarageQual GarageCond PavedDrive PoolQC Fence MiscFeature SaleType
    SaleCondition
""".split()


def clean(frame: pd.DataFrame) -> pd.DataFrame:
    """The kind of dwelling is a code, not a number."""
    return frame.assign(MSSubClass=frame["MSSubClass"].astype(str))


competition = Competition(
    slug="house-prices-advanced-regression-techniques",
    id="Id",
    target="SalePrice",
    task="regression",
    metric="log_rmse",
    columns=(*NUMBERS, *LEVELS),
    clean=row_by_row(clean),
    # By row: houses were put into train and test at random, and no column groups them.
    splitter=KFold(5, shuffle=True, random_state=0),
    models={
        "linear": model("linear"),
        "boosting": model(
            "boosting", n_estimators=1500, learning_rate=0.02, num_leaves=6, min_child_samples=5, colsample_bytree=0.2
        ),
        "neural": model("neural"),
    },
)
