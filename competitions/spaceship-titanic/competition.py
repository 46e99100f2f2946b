"""Spaceship Titanic: who was transported? Cabins, groups and what people paid for, as the public kernels read them.

``README.md`` says which columns pay, measured, and where they come from.
"""

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from kpipe import Competition, model, row_by_row

ROOM, FOOD, SHOPS, SPA, VR = AMENITIES = ["RoomService", "FoodCourt", "ShoppingMall", "Spa", "VRDeck"]
CHILD = 12  # the oldest that nobody bills: of 8,693 passengers none of at most 12 years has paid for anything

# Every passenger with a cabin on these decks comes from the one planet; the other decks mix planets.
PLANET_OF_DECK = {"A": "Europa", "B": "Europa", "C": "Europa", "T": "Europa", "G": "Earth"}


def read(frame: pd.DataFrame) -> pd.DataFrame:
    """What one row says by itself: the parts of its texts, and what sleep and bills tell of each other."""
    cabin = frame["Cabin"].str.extract(r"(?P<Deck>\w+)/(?P<CabinNumber>\d+)/(?P<Side>\w+)")
    paid = frame[AMENITIES].sum(axis=1) > 0
    cannot_pay = frame["CryoSleep"].astype("boolean").fillna(False) | (frame["Age"] <= CHILD)
    bills = frame[AMENITIES].mask(frame[AMENITIES].isna() & cannot_pay.to_numpy(dtype=bool)[:, None], 0.0)
    asleep = frame["CryoSleep"].astype("Float64").mask(frame["CryoSleep"].isna() & paid, 0.0)
    # Of those over 12 that paid nothing 96 % sleep.
    asleep = asleep.mask(asleep.isna() & ~paid & (frame["Age"] > CHILD), 1.0)
    return frame.assign(
        **bills,
        Group=frame["PassengerId"].str.split("_").str[0],
        HomePlanet=frame["HomePlanet"].fillna(cabin["Deck"].map(PLANET_OF_DECK)),
        Deck=cabin["Deck"],
        CabinNumber=cabin["CabinNumber"].astype("Float64").to_numpy(dtype=float, na_value=np.nan),
        Side=cabin["Side"],
        CryoSleep=asleep.to_numpy(dtype=float, na_value=np.nan),
    )


def combine(frame: pd.DataFrame) -> pd.DataFrame:
    """Sums of bills, and places joined to one category: trees cut one column at a time."""
    bills = frame[AMENITIES].fillna(0)
    luxury, needs = bills[[ROOM, SPA, VR]].sum(axis=1), bills[[FOOD, SHOPS]].sum(axis=1)
    roots = np.sqrt(bills)
    deck_side = frame["Deck"].str.cat(frame["Side"])
    return frame.assign(
        Total=luxury + needs,
        Luxury=np.log1p(luxury) - np.log1p(needs),
        RootLuxury=roots[ROOM] + roots[SPA] + roots[VR] - roots[FOOD] - roots[SHOPS],
        DeckSide=deck_side,
        PlanetDeck=frame["HomePlanet"].str.cat(frame["Deck"]),
        SleepDeckSide=deck_side.str.cat(frame["CryoSleep"].map({0.0: " awake", 1.0: " asleep"})),
    )


def clean(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows one by one: what groups and surnames tell of other rows was measured to pay nothing."""
    return combine(read(frame))


competition = Competition(
    slug="spaceship-titanic",
    id="PassengerId",
    target="Transported",
    task="classification",
    metric="accuracy",
    columns=(
        "HomePlanet",
        "CryoSleep",
        "Destination",
        "Age",
        "VIP",
        "Deck",
        "CabinNumber",
        "Side",
        *AMENITIES,
        "Total",
        "Luxury",
        "RootLuxury",
        "DeckSide",
        "PlanetDeck",
        "SleepDeckSide",
    ),
    clean=row_by_row(clean),
    # No group is in both of Kaggle's files, so none may be in both sides of a fold.
    groups="Group",
    splitter=StratifiedGroupKFold(5, shuffle=True, random_state=0),
    # Fixed numbers of trees: an inner split that counts them would part groups. Kaggle's levels are few enough for
    # CatBoost to take each as a column of its own.
    models={
        "boosting": model("boosting", n_estimators=400, colsample_bytree=0.5, min_child_samples=20),
        "catboost": model("catboost", iterations=400, learning_rate=0.05, one_hot_max_size=40),
        "linear": model("linear"),
    },
    default=("boosting", "catboost"),
)
