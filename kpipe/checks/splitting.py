"""Whether the folds tell the truth: rows apart, copies apart, held-out rows that stand to the fitted as test does."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from kpipe.competition import Competition
from kpipe.values import Check, Folds, Predictions, Status, Tables

__all__ = ["classes_trained", "copies_apart", "folds_apart", "folds_mirror_test"]

# A column counts as one that repeats (a ticket, a group) when it has so many rows per value, at least and at most.
_FEWEST_ROWS_PER_VALUE, _MOST_ROWS_PER_VALUE = 1.15, 20.0
# Shares of rows whose value was seen in fitting may differ by so much before the folds are said to mirror test badly.
_SHARE_APART = 0.15


def folds_apart(folds: Folds) -> Check:
    """Whether a fold validates rows that it trains on."""
    name = "folds apart"
    for number, (train, valid) in enumerate(zip(folds.train, folds.valid, strict=True), start=1):
        shared = np.intersect1d(train, valid)
        if len(shared):
            detail = (
                f"Fold {number} validates {len(shared)} rows that it trains on, first row {shared[0] + 1} of train.csv."
            )
            return Check(name=name, status="fail", detail=detail)
    rows = len(np.unique(np.concatenate(folds.valid)))
    return Check(name=name, status="pass", detail=f"No fold validates a row it trains on; {rows} rows are validated.")


def copies_apart(competition: Competition, tables: Tables, folds: Folds) -> Check:
    """Whether rows that are copies of one another, in every column but the id, stand on both sides of a fold."""
    name = "copies apart"
    whole = tables.train.drop(columns=competition.id or [], errors="ignore")
    hashed = pd.util.hash_pandas_object(whole, index=False).to_numpy()
    copies = [np.isin(hashed[v], hashed[t]).mean() for t, v in zip(folds.train, folds.valid, strict=True)]
    share = float(np.mean(copies))
    # Tables of few columns have honest twins; a tenth of all rows is more than coincidence explains.
    status: Status = "warn" if share > 0.1 else "pass"
    detail = f"{share:.1%} of the validated rows have an exact copy (all columns but the id) among the rows trained on."
    return Check(name=name, status=status, detail=detail)


def folds_mirror_test(competition: Competition, tables: Tables, folds: Folds) -> Check:
    """Whether values that repeat (tickets, groups) are as often known in validation as they will be in test."""
    apart = sorted(_shares_apart(competition, tables, folds), reverse=True)
    if not apart:
        return Check(name="folds mirror test", status="pass", detail="No column repeats values in small groups.")
    difference, column, validated, tested = apart[0]
    status: Status = "warn" if difference > _SHARE_APART else "pass"
    detail = (
        f"Of {column}, {validated:.0%} of the validated rows have a value known from the rows trained on; "
        f"in test it is {tested:.0%}."
    )
    return Check(name="folds mirror test", status=status, detail=detail)


def _shares_apart(competition: Competition, tables: Tables, folds: Folds) -> Iterator[tuple[float, str, float, float]]:
    for column in tables.train.columns:
        if column in (competition.id, *competition.targets) or column not in tables.test.columns:
            continue
        values = tables.train[column]
        if pd.api.types.is_numeric_dtype(values) or not _small_groups(values):
            continue
        pairs = zip(folds.train, folds.valid, strict=True)
        validated = float(np.mean([values.iloc[v].isin(values.iloc[t].unique()).mean() for t, v in pairs]))
        tested = float(tables.test[column].isin(values.unique()).mean())
        yield abs(validated - tested), str(column), validated, tested


def _small_groups(values: pd.Series) -> bool:
    rows = int(values.notna().sum()) / max(values.nunique(), 1)
    return _FEWEST_ROWS_PER_VALUE <= rows <= _MOST_ROWS_PER_VALUE


def classes_trained(predictions: Predictions, folds: Folds) -> Iterator[Check]:
    """Whether every fold trains on every class; said only where one does not."""
    if predictions.classes is None:
        return
    codes = np.arange(len(predictions.classes))
    absent = [np.setdiff1d(codes, predictions.y[train]) for train in folds.train]
    labels = [str(predictions.classes[code]) for code in np.unique(np.concatenate(absent))]
    if labels:
        folds_without = sum(len(codes) > 0 for codes in absent)
        named = ", ".join(labels[:5])
        detail = f"{folds_without} folds train on no row of {named}, which has too few: they give it no chance."
        yield Check(name="classes trained", status="warn", detail=detail)
