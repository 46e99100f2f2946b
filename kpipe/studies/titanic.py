"""Titanic's table as the notebooks made it: filled, dummied and divided over all of train.csv, then split."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch

from kpipe.errors import DataError
from kpipe.features import ModeImputer
from kpipe.problem.problem import Problem

__all__ = ["COLUMNS", "Notebook", "notebook", "with_notebooks_columns"]

COLUMNS = """
    Age SibSp Parch LogFare Sex_male Sex_female Pclass_1 Pclass_2 Pclass_3 Embarked_C Embarked_Q Embarked_S
""".split()


@dataclass(frozen=True)
class Notebook:
    """The notebooks' table.

    X : (n, 12) float64, ``COLUMNS`` divided by their maxima. age, survived : (n,) float64; gaps in age are filled.
    train, valid : row positions: 713 and 178 of Kaggle's 891 rows.
    """

    X: np.ndarray
    age: np.ndarray
    survived: np.ndarray
    train: np.ndarray
    valid: np.ndarray


def with_notebooks_columns(problem: Problem) -> Problem:
    """Titanic with the seven columns and the fills that the notebooks had; since then it has learned of parties."""
    columns = ("Sex", "Pclass", "Embarked", "Age", "SibSp", "Parch", "LogFare")
    return replace(problem, columns=columns, features=ModeImputer())


def notebook(train: pd.DataFrame) -> Notebook:
    """Modes, ``log(Fare + 1)``, dummies and maxima, all of train.csv; then fastai's ``RandomSplitter(seed=42)``.

    References: Jeremy Howard, "Linear model and neural net from scratch" (Kaggle, 2022).
    """
    from fastai.data.transforms import RandomSplitter

    filled = train.fillna(train.mode().iloc[0])
    filled["LogFare"] = np.log(filled["Fare"] + 1)
    wide = pd.get_dummies(filled.astype({"Pclass": str}), columns=["Sex", "Pclass", "Embarked"])
    absent = [name for name in COLUMNS if name not in wide]
    if absent:
        raise DataError(f"train.csv has no passenger for the notebook's column {absent[0]!r}: too few rows.")
    X = wide[COLUMNS].to_numpy(dtype=np.float64)
    flat = [name for name, most in zip(COLUMNS, X.max(axis=0), strict=True) if not most > 0]
    if flat or not np.isfinite(X).all():
        fault = flat[0] if flat else COLUMNS[int((~np.isfinite(X)).any(axis=0).argmax())]
        raise DataError(f"train.csv: the notebook's column {fault!r} must hold finite numbers, some of them above 0.")
    with torch.random.fork_rng(devices=[]):  # the splitter sets torch's global seed
        rows = [np.asarray(part) for part in RandomSplitter(seed=42)(range(len(wide)))]
    age, survived = (filled[name].to_numpy(dtype=np.float64) for name in ("Age", "Survived"))
    return Notebook(X=X / X.max(axis=0), age=age, survived=survived, train=rows[0], valid=rows[1])
