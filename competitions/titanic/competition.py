"""Titanic: who survived? Columns, fills and the logarithm as in the notebooks that kpipe came from.

References: Jeremy Howard, "Linear model and neural net from scratch" (Kaggle, 2022); Pranath Fernando, "From Machine
Learning to Deep Learning From Scratch" (2022).
"""

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import MaxAbsScaler

from kpipe import Competition, model, row_by_row
from kpipe.features import FillModes


def clean(frame: pd.DataFrame) -> pd.DataFrame:
    """Fares over a few decades become their logarithm, and the class a name: third is not three times first."""
    return frame.assign(LogFare=np.log1p(frame["Fare"]), Pclass=frame["Pclass"].astype(str))


competition = Competition(
    slug="titanic",
    id="PassengerId",
    target="Survived",
    task="classification",
    metric="accuracy",
    columns=("Sex", "Pclass", "Embarked", "Age", "SibSp", "Parch", "LogFare"),
    clean=row_by_row(clean),
    features=FillModes(),
    # By row, not by ticket: 36 % of the test rows share a ticket with train, and 34 % of the validated rows do.
    splitter=StratifiedKFold(5, shuffle=True, random_state=0),
    models={
        "linear": model("linear", scaler=MaxAbsScaler()),
        "boosting": model("boosting"),
        "neural": model("neural", scaler=MaxAbsScaler()),
    },
)
