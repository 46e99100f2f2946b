"""Houses for the sample of house-prices: synthetic, with the columns, categories and missing values of Kaggle's files.

``NA`` is a category ("none") in columns such as Alley, PoolQC and Fence. It is a missing value in LotFrontage,
MasVnrArea and GarageYrBlt, and in single rows of other columns. Each function draws some columns, which may depend on
columns drawn before.

References
----------
- D. De Cock, Ames, Iowa: Alternative to the Boston Housing Data, Journal of Statistics Education 19(3), 2011: the names
  of columns and categories.
"""

from __future__ import annotations

import numpy as np

__all__ = ["COLUMNS", "tables"]

SEED = 20260303
TRAIN, TEST = 300, 150
ROWS = TRAIN + TEST

COLUMNS = """
Id MSSubClass MSZoning LotFrontage LotArea Street Alley LotShape LandContour Utilities LotConfig LandSlope Neighborhood
Condition1 Condition2 BldgType HouseStyle OverallQual OverallCond YearBuilt YearRemodAdd RoofStyle RoofMatl Exterior1st
Exterior2nd MasVnrType MasVnrArea ExterQual ExterCond Foundation BsmtQual BsmtCond BsmtExposure BsmtFinType1 BsmtFinSF1
BsmtFinType2 BsmtFinSF2 BsmtUnfSF TotalBsmtSF Heating HeatingQC CentralAir Electrical 1stFlrSF 2ndFlrSF LowQualFinSF
GrLivArea BsmtFullBath BsmtHalfBath FullBath HalfBath BedroomAbvGr KitchenAbvGr KitchenQual TotRmsAbvGrd Functional
Fireplaces FireplaceQu GarageType GarageYrBlt GarageFinish GarageCars GarageArea GarageQual GarageCond PavedDrive
WoodDeckSF OpenPorchSF EnclosedPorch 3SsnPorch ScreenPorch PoolArea PoolQC Fence MiscFeature MiscVal MoSold YrSold
SaleType SaleCondition SalePrice
""".split()

NEIGHBORHOODS = {  # name → mean quality, above the average, and mean year built
    "NAmes": (-0.6, 1960),
    "CollgCr": (0.4, 1998),
    "OldTown": (-0.9, 1922),
    "Edwards": (-0.8, 1955),
    "Somerst": (0.9, 2005),
    "Gilbert": (0.4, 1999),
    "NridgHt": (1.8, 2005),
    "Sawyer": (-0.7, 1965),
    "NWAmes": (0.1, 1976),
    "BrkSide": (-0.8, 1930),
    "Crawfor": (0.2, 1941),
    "IDOTRR": (-1.1, 1926),
}
GRADES = ("Po", "Fa", "TA", "Gd", "Ex")
NONE = "NA"  # the category "none" in Kaggle's files
MISSING = "NA"  # written in the same way as the category

Columns = dict[str, np.ndarray]


class Draw:
    """Draw columns of ROWS values from one stream of random numbers."""

    def __init__(self, random: np.random.RandomState) -> None:
        self.random = random

    def categories(self, **shares: float) -> np.ndarray:
        """Categories with given frequencies; the first one has the remaining frequency."""
        rest = [1 - sum(shares.values()) + next(iter(shares.values())), *list(shares.values())[1:]]
        return np.asarray(np.array(list(shares), dtype=object)[self.random.choice(len(shares), size=ROWS, p=rest)])

    def some(self, share: float) -> np.ndarray:
        return np.asarray(self.random.random_sample(ROWS) < share)

    def area(self, middle: float, spread: float) -> np.ndarray:
        """Log-normal areas in square feet, as integers."""
        return np.rint(middle * np.exp(self.random.normal(0, spread, ROWS))).astype(int)

    def grade(self, quality: np.ndarray, spread: float = 0.5) -> np.ndarray:
        """Po, Fa, TA, Gd or Ex, depending on a quality with mean 0 and standard deviation 1."""
        rank = np.clip(np.rint(2.3 + 0.7 * quality + self.random.normal(0, spread, ROWS)), 0, 4)
        return np.asarray(np.array(GRADES, dtype=object)[rank.astype(int)])


def where(present: np.ndarray, values: np.ndarray, absent: str = NONE) -> np.ndarray:
    """The values of houses that have the feature, and missing values for the others."""
    return np.where(present, values.astype(object), absent)


def place(draw: Draw) -> tuple[Columns, np.ndarray]:
    """Neighbourhood, age and overall quality, and the latent quality with mean 0 and standard deviation 1."""
    index = draw.random.choice(len(NEIGHBORHOODS), size=ROWS)
    means = np.array(list(NEIGHBORHOODS.values()))[index]
    quality = (means[:, 0] + draw.random.normal(0, 0.7, ROWS)) / 1.1
    built = np.clip(np.rint(means[:, 1] + draw.random.normal(0, 8, ROWS)), 1880, 2009).astype(int)
    remodelled = np.maximum(built, np.where(draw.some(0.4), draw.random.randint(1950, 2010, ROWS), built))
    return {
        "Neighborhood": np.array(list(NEIGHBORHOODS), dtype=object)[index],
        "OverallQual": np.clip(np.rint(6 + 1.3 * quality), 1, 10).astype(int),
        "OverallCond": np.clip(np.rint(draw.random.normal(5.5, 1.1, ROWS)), 1, 9).astype(int),
        "YearBuilt": built,
        "YearRemodAdd": np.maximum(remodelled, 1950),
        "YrSold": draw.random.randint(2006, 2011, ROWS),
        "MoSold": draw.random.randint(1, 13, ROWS),
    }, quality


def lot(draw: Draw) -> Columns:
    area = draw.area(9500, 0.35)
    frontage = np.rint(np.sqrt(area) * 0.7 * np.exp(draw.random.normal(0, 0.15, ROWS))).astype(int)
    return {
        "MSZoning": draw.categories(RL=0.78, RM=0.16, FV=0.04, RH=0.01, **{"C (all)": 0.01}),
        "LotFrontage": where(draw.some(0.82), frontage, MISSING),
        "LotArea": area,
        "Street": draw.categories(Pave=0.99, Grvl=0.01),
        "Alley": draw.categories(NA=0.93, Grvl=0.04, Pave=0.03),
        "LotShape": draw.categories(Reg=0.63, IR1=0.33, IR2=0.03, IR3=0.01),
        "LandContour": draw.categories(Lvl=0.9, Bnk=0.04, HLS=0.04, Low=0.02),
        "Utilities": draw.categories(AllPub=1.0),
        "LotConfig": draw.categories(Inside=0.72, Corner=0.18, CulDSac=0.07, FR2=0.03),
        "LandSlope": draw.categories(Gtl=0.95, Mod=0.04, Sev=0.01),
        "Condition1": draw.categories(Norm=0.86, Feedr=0.06, Artery=0.03, RRAn=0.02, PosN=0.03),
        "Condition2": draw.categories(Norm=0.99, Feedr=0.01),
    }


def building(draw: Draw, known: Columns) -> Columns:
    kind = draw.categories(**{"1Fam": 0.83, "TwnhsE": 0.08, "Duplex": 0.04, "Twnhs": 0.03, "2fmCon": 0.02})
    style = draw.categories(**{"1Story": 0.5, "2Story": 0.31, "1.5Fin": 0.11, "SLvl": 0.05, "SFoyer": 0.03})
    classes = {"1Story": 20, "2Story": 60, "1.5Fin": 50, "SLvl": 80, "SFoyer": 85}
    others = {"TwnhsE": 120, "Twnhs": 160, "Duplex": 90, "2fmCon": 190}
    cladding = draw.categories(
        VinylSd=0.36, HdBoard=0.15, MetalSd=0.15, **{"Wd Sdng": 0.14}, Plywood=0.08, BrkFace=0.12
    )
    return {
        "MSSubClass": np.array([others.get(k, classes[s]) for k, s in zip(kind, style, strict=True)]),
        "BldgType": kind,
        "HouseStyle": style,
        "RoofStyle": draw.categories(Gable=0.78, Hip=0.2, Flat=0.01, Gambrel=0.01),
        "RoofMatl": draw.categories(CompShg=0.98, WdShngl=0.01, **{"Tar&Grv": 0.01}),
        "Exterior1st": cladding,
        "Exterior2nd": np.where(draw.some(0.9), cladding, "Plywood"),
        "Foundation": np.where(known["YearBuilt"] > 1980, "PConc", np.where(draw.some(0.75), "CBlock", "BrkTil")),
    }


def finish(draw: Draw, quality: np.ndarray) -> Columns:
    veneer = draw.categories(None_=0.59, BrkFace=0.31, Stone=0.1)
    veneer[veneer == "None_"] = "None"
    area = np.where(veneer == "None", 0, draw.area(180, 0.6))
    missing = draw.some(0.012)
    return {
        "MasVnrType": where(~missing, veneer, MISSING),
        "MasVnrArea": where(~missing, area, MISSING),
        "ExterQual": draw.grade(quality),
        "ExterCond": draw.grade(np.zeros(ROWS), 0.35),
        "Heating": draw.categories(GasA=0.98, GasW=0.02),
        "HeatingQC": draw.grade(quality + 1, 0.9),
        "CentralAir": np.where(quality + draw.random.normal(0, 0.7, ROWS) > -1.5, "Y", "N"),
        "Electrical": draw.categories(SBrkr=0.91, FuseA=0.07, FuseF=0.02),
        "KitchenQual": draw.grade(quality),
        "Functional": draw.categories(Typ=0.93, Min1=0.03, Min2=0.03, Mod=0.01),
        "PavedDrive": draw.categories(Y=0.92, N=0.06, P=0.02),
    }


def floors(draw: Draw, known: Columns, quality: np.ndarray) -> Columns:
    first = np.maximum(480, np.rint(draw.area(1080, 0.24) * np.exp(0.1 * quality))).astype(int)
    upper = np.isin(known["HouseStyle"], ["2Story", "1.5Fin"])
    second = np.where(upper, np.rint(first * draw.random.uniform(0.5, 1.0, ROWS)), 0).astype(int)
    living = first + second
    rooms = np.clip(np.rint(living / 240 + draw.random.normal(0, 0.8, ROWS)), 3, 12).astype(int)
    fires = draw.random.binomial(2, np.clip(0.25 + 0.12 * quality, 0.02, 0.8))
    return {
        "1stFlrSF": first,
        "2ndFlrSF": second,
        "LowQualFinSF": np.where(draw.some(0.015), draw.random.randint(80, 500, ROWS), 0),
        "GrLivArea": living,
        "FullBath": np.clip(np.rint(living / 950 + 0.2 * quality), 1, 3).astype(int),
        "HalfBath": (upper & draw.some(0.7)).astype(int),
        "BedroomAbvGr": np.clip(rooms // 2, 1, 6),
        "KitchenAbvGr": np.where(known["BldgType"] == "Duplex", 2, 1),
        "TotRmsAbvGrd": rooms,
        "Fireplaces": fires,
        "FireplaceQu": where(fires > 0, draw.grade(quality)),
    }


def basement(draw: Draw, known: Columns, quality: np.ndarray) -> Columns:
    present = draw.some(0.97)
    total = np.where(present, np.rint(known["1stFlrSF"] * draw.random.uniform(0.75, 1.0, ROWS)), 0).astype(int)
    unfinished = draw.some(0.3)
    finished = np.where(unfinished, 0, np.rint(total * draw.random.uniform(0.2, 0.9, ROWS))).astype(int)
    second = np.where(draw.some(0.12), (total - finished) // 3, 0)
    kinds = draw.categories(GLQ=0.4, ALQ=0.22, BLQ=0.15, Rec=0.13, LwQ=0.1)
    return {
        "BsmtQual": where(present, draw.grade(quality)),
        "BsmtCond": where(present, draw.grade(np.zeros(ROWS), 0.35)),
        "BsmtExposure": where(present, draw.categories(No=0.66, Av=0.15, Gd=0.1, Mn=0.09)),
        "BsmtFinType1": where(present, np.where(unfinished, "Unf", kinds)),
        "BsmtFinSF1": finished,
        "BsmtFinType2": where(present, np.where(second > 0, "Rec", "Unf")),
        "BsmtFinSF2": second,
        "BsmtUnfSF": total - finished - second,
        "TotalBsmtSF": total,
        "BsmtFullBath": (present & draw.some(0.4)).astype(int),
        "BsmtHalfBath": (present & draw.some(0.06)).astype(int),
    }


def garage(draw: Draw, known: Columns, quality: np.ndarray) -> Columns:
    present = draw.some(0.94)
    cars = np.clip(np.rint(1.8 + 0.4 * quality + draw.random.normal(0, 0.4, ROWS)), 1, 3).astype(int) * present
    year = known["YearBuilt"] + np.where(draw.some(0.2), draw.random.randint(0, 20, ROWS), 0)
    return {
        "GarageType": where(present, draw.categories(Attchd=0.62, Detchd=0.28, BuiltIn=0.07, Basment=0.03)),
        "GarageYrBlt": where(present, np.minimum(year, 2010), MISSING),
        "GarageFinish": where(present, draw.categories(Unf=0.43, RFn=0.31, Fin=0.26)),
        "GarageCars": cars,
        "GarageArea": np.rint(cars * 255 * np.exp(draw.random.normal(0, 0.12, ROWS))).astype(int),
        "GarageQual": where(present, draw.grade(np.zeros(ROWS), 0.3)),
        "GarageCond": where(present, draw.grade(np.zeros(ROWS), 0.3)),
    }


def yard(draw: Draw) -> Columns:
    def built(share: float, middle: float) -> np.ndarray:
        return np.where(draw.some(share), draw.area(middle, 0.5), 0)

    pool, extra = draw.some(0.01), draw.some(0.04)
    return {
        "WoodDeckSF": built(0.48, 170),
        "OpenPorchSF": built(0.55, 60),
        "EnclosedPorch": built(0.14, 130),
        "3SsnPorch": built(0.02, 180),
        "ScreenPorch": built(0.08, 180),
        "PoolArea": np.where(pool, draw.area(560, 0.2), 0),
        "PoolQC": where(pool, draw.categories(Gd=0.5, Ex=0.3, Fa=0.2)),
        "Fence": draw.categories(NA=0.81, MnPrv=0.1, GdPrv=0.04, GdWo=0.04, MnWw=0.01),
        "MiscFeature": where(extra, draw.categories(Shed=0.9, Gar2=0.1)),
        "MiscVal": np.where(extra, draw.area(600, 0.5), 0),
    }


def sale(draw: Draw, known: Columns, quality: np.ndarray) -> Columns:
    """Sale type and log-normal price, with a mean from area, quality and age and a standard deviation of 0.11."""
    condition = draw.categories(Normal=0.83, Partial=0.08, Abnorml=0.06, Family=0.03)
    log_price = (
        12.0
        + 0.55 * np.log(known["GrLivArea"] / 1450)
        + 0.11 * (known["OverallQual"] - 6)
        + 0.03 * (known["OverallCond"] - 5)
        + 0.00015 * (known["TotalBsmtSF"] - 1000)
        + 0.08 * np.log(known["LotArea"] / 9500)
        + 0.002 * (known["YearBuilt"] - 1970)
        + 0.05 * (known["GarageCars"] - 2)
        + 0.04 * known["Fireplaces"]
        + 0.04 * quality
        - 0.12 * (condition == "Abnorml")
        + draw.random.normal(0, 0.11, ROWS)
    )
    return {
        "SaleType": np.where(condition == "Partial", "New", draw.categories(WD=0.95, COD=0.03, CWD=0.02)),
        "SaleCondition": condition,
        "SalePrice": (np.rint(np.exp(log_price) / 100) * 100).astype(int),
    }


def houses(draw: Draw) -> Columns:
    """All columns except Id, for train and test together."""
    known, quality = place(draw)
    known |= lot(draw)
    known |= building(draw, known)
    known |= finish(draw, quality)
    known |= floors(draw, known, quality)
    known |= basement(draw, known, quality)
    known |= garage(draw, known, quality)
    known |= yard(draw)
    return known | sale(draw, known, quality)


def add_missing_values(draw: Draw, columns: dict[str, list[object]]) -> None:
    """Add a missing value to train, and to integer columns of test that are complete in train, which become floats."""
    columns["Electrical"][draw.random.randint(TRAIN)] = MISSING
    for name in ("MSZoning", "KitchenQual", "SaleType", "TotalBsmtSF", "GarageCars", "BsmtFullBath"):
        columns[name][TRAIN + draw.random.randint(TEST)] = MISSING


def tables() -> dict[str, dict[str, list[object]]]:
    """The files train, test and sample_submission: 300 and 150 rows."""
    draw = Draw(np.random.RandomState(SEED))  # not default_rng: see make_samples
    drawn = {"Id": np.arange(1, ROWS + 1)} | houses(draw)
    columns: dict[str, list[object]] = {name: list(drawn[name].tolist()) for name in COLUMNS}
    add_missing_values(draw, columns)
    train = {name: values[:TRAIN] for name, values in columns.items()}
    test = {name: values[TRAIN:] for name, values in columns.items() if name != "SalePrice"}
    # As in Kaggle's file: a rough estimate from the area of the lot and the number of bedrooms, with decimals.
    lots, bedrooms = drawn["LotArea"][TRAIN:], drawn["BedroomAbvGr"][TRAIN:]
    guesses = np.round(170000 + 0.9 * lots + 3333.3 * bedrooms, 4).tolist()
    return {"train": train, "test": test, "sample_submission": {"Id": test["Id"], "SalePrice": guesses}}
