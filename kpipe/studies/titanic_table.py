"""Titanic's table as the notebooks prepared it: imputed, encoded and scaled over all of train.csv, then split."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch

from kpipe.errors import DataError
from kpipe.features import ModeImputer
from kpipe.problem.problem import Problem

__all__ = ["COLUMNS", "NotebookTable", "notebook_table", "with_notebook_columns"]

COLUMNS = """
    Age SibSp Parch LogFare Sex_male Sex_female Pclass_1 Pclass_2 Pclass_3 Embarked_C Embarked_Q Embarked_S
""".split()


@dataclass(frozen=True)
class NotebookTable:
    """The notebooks' table.

    Parameters
    ----------
    X : ndarray
        (n, 12) float64, ``COLUMNS`` divided by their maxima.
    age, survived : ndarray
        (n,) float64; missing ages are imputed.
    train, valid : ndarray
        Row positions: 713 and 178 of Kaggle's 891 rows.
    """

    X: np.ndarray
    age: np.ndarray
    survived: np.ndarray
    train: np.ndarray
    valid: np.ndarray


def with_notebook_columns(problem: Problem) -> Problem:
    """Titanic with the notebooks' seven columns and imputation, without the features that kpipe has added since.

    Parameters
    ----------
    problem : Problem
        Titanic.

    Returns
    -------
    Problem
    """
    columns = ("Sex", "Pclass", "Embarked", "Age", "SibSp", "Parch", "LogFare")
    return replace(problem, columns=columns, features=ModeImputer())


def notebook_table(train: pd.DataFrame) -> NotebookTable:
    """Prepare train.csv as the notebooks did.

    Missing values become the mode of their column, the fare becomes ``log(Fare + 1)``, categories become dummies, and
    all columns are divided by their maxima; then fastai's ``RandomSplitter(seed=42)`` holds out a fifth of the rows.

    Parameters
    ----------
    train : DataFrame
        train.csv.

    Returns
    -------
    NotebookTable

    Raises
    ------
    DataError
        If a column has no category of the notebooks', or no positive finite numbers.

    References
    ----------
    Jeremy Howard, "Linear model and neural net from scratch" (Kaggle, 2022).
    """
    filled = train.fillna(train.mode().iloc[0])
    filled["LogFare"] = np.log(filled["Fare"] + 1)
    X = _scaled(pd.get_dummies(filled.astype({"Pclass": str}), columns=["Sex", "Pclass", "Embarked"]))
    age, survived = (filled[name].to_numpy(dtype=np.float64) for name in ("Age", "Survived"))
    return NotebookTable(X, age, survived, *_split(len(X)))


def _scaled(dummies: pd.DataFrame) -> np.ndarray:
    """(n, 12): the notebooks' columns, divided by their maxima."""
    absent = [name for name in COLUMNS if name not in dummies]
    if absent:
        raise DataError(
            f"train.csv has no passenger for the notebook's column {absent[0]!r}: too few rows.",
            code="other-data",
            file="train.csv",
            column=absent[0],
        )
    X = dummies[COLUMNS].to_numpy(dtype=np.float64)
    unusable = ~(X.max(axis=0) > 0) | ~np.isfinite(X).all(axis=0)
    if unusable.any():
        name = COLUMNS[int(unusable.argmax())]
        raise DataError(
            f"train.csv: the notebook's column {name!r} must hold finite numbers, some of them above 0.",
            code="other-data",
            file="train.csv",
            column=name,
        )
    return X / X.max(axis=0)


def _split(rows: int) -> tuple[np.ndarray, np.ndarray]:
    from fastai.data.transforms import RandomSplitter

    with torch.random.fork_rng(devices=[]):  # the splitter sets torch's global seed
        train, valid = RandomSplitter(seed=42)(range(rows))
    return np.asarray(train), np.asarray(valid)
