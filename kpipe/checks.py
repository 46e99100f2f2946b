"""The honesty checks that run with every run. Each ends pass, warn or fail, with its evidence in a sentence."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from kpipe.competition import Competition
from kpipe.kinds import dates_in
from kpipe.metrics import Metric, evaluate
from kpipe.models.baseline import baseline
from kpipe.shift import told_apart
from kpipe.values import Blend, Check, Folds, Predictions, Status, Submission, Tables

__all__ = ["run_checks"]

# Two standard errors: a difference that chance alone exceeds once in twenty times.
_CLEAR = 2.0
# A column counts as one that repeats (a ticket, a group) when it has so many rows per value, at least and at most.
_FEWEST_ROWS_PER_VALUE, _MOST_ROWS_PER_VALUE = 1.15, 20.0
# Predictions that differ by less, relative to their size, are one prediction and its rounding.
_CONSTANT = 1e-9
# AUC from which train and test are said to be drawn differently.
_TOLD_APART = 0.6
# Shares of rows whose value was seen in fitting may differ by so much before the folds are said to mirror test badly.
_SHARE_APART = 0.15


def run_checks(
    competition: Competition,
    tables: Tables,
    folds: Folds,
    predictions: Predictions,
    blended: Blend,
    submission: Submission,
) -> tuple[Check, ...]:
    """All cheap checks, in a fixed order."""
    assert isinstance(competition.metric, Metric)  # resolved
    return (
        _folds_apart(folds),
        _copies_apart(competition, tables, folds),
        _beats_baseline(competition.metric, predictions, blended, folds, groups=_groups(competition, tables)),
        _not_constant(blended),
        *_classes_trained(predictions, folds),
        _levels_seen(competition, tables),
        _folds_mirror_test(competition, tables, folds),
        *_drawn_alike(competition, tables),
        _real_data(submission),
    )


def _folds_apart(folds: Folds) -> Check:
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


def _copies_apart(competition: Competition, tables: Tables, folds: Folds) -> Check:
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


def _groups(competition: Competition, tables: Tables) -> np.ndarray | None:
    return None if competition.groups is None else tables.train[competition.groups].to_numpy()


def _beats_baseline(
    metric: Metric, predictions: Predictions, blended: Blend, folds: Folds, *, groups: np.ndarray | None
) -> Check:
    name, dummy = baseline(metric, predictions.y, folds, outputs=blended.oof.shape[1])
    theirs = evaluate(metric, predictions.y, dummy, groups=groups)
    ours = evaluate(metric, predictions.y, blended.oof, groups=groups)
    gain = (ours.value - theirs.value) * (1 if metric.greater_is_better else -1)
    error = float(np.hypot(np.nan_to_num(ours.standard_error), np.nan_to_num(theirs.standard_error)))
    status: Status = "pass" if gain > _CLEAR * error else "warn" if gain > 0 else "fail"
    words = {"pass": "clearly better than", "warn": "hardly better than", "fail": "no better than"}[status]
    detail = (
        f"{metric.name} {ours.value:.5g} is {words} the {name}'s {theirs.value:.5g} (error of the gap {error:.2g})."
    )
    return Check(name="beats the baseline", status=status, detail=detail)


def _not_constant(blended: Blend) -> Check:
    spread, expected = blended.test.std(axis=0).max(), np.nanstd(blended.oof, axis=0).max()
    name = "predictions vary"
    if len(blended.test) > 1 and spread <= _CONSTANT * np.abs(blended.test).max():
        return Check(name=name, status="fail", detail="Every test row has the same prediction.")
    detail = f"Predictions spread by {spread:.3g} over test rows and {expected:.3g} over out-of-fold rows."
    # Fewer than 30 test rows say little about a spread.
    apart = len(blended.test) >= 30 and not 1 / 3 < spread / max(expected, 1e-12) < 3
    return Check(name=name, status="warn" if apart else "pass", detail=detail)


def _classes_trained(predictions: Predictions, folds: Folds) -> Iterator[Check]:
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


def _levels_seen(competition: Competition, tables: Tables) -> Check:
    unseen = {
        column: share
        for column in competition.columns or ()
        if not pd.api.types.is_numeric_dtype(tables.train[column])
        and _repeats(tables.train[column])
        and dates_in(tables.train[column]) is None
        and (share := float((~tables.test[column].isin(tables.train[column].unique())).mean())) > 0
    }
    if not unseen:
        return Check(
            name="levels seen",
            status="pass",
            detail="Every category of test that repeats in train is known from train.",
        )
    worst = max(unseen, key=lambda column: unseen[column])
    status: Status = "warn" if unseen[worst] > 0.05 else "pass"
    detail = (
        f"{len(unseen)} columns have test rows with levels that train lacks, most {worst}: {unseen[worst]:.1%} of rows."
    )
    return Check(name="levels seen", status=status, detail=detail)


def _repeats(column: pd.Series) -> bool:
    """Whether a text column's values mostly stand for more than one row."""
    return column.nunique() * _FEWEST_ROWS_PER_VALUE < max(column.notna().sum(), 1)


def _folds_mirror_test(competition: Competition, tables: Tables, folds: Folds) -> Check:
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


def _drawn_alike(competition: Competition, tables: Tables) -> Iterator[Check]:
    """Adversarial validation; nothing is said of tables too small for it, nor of pixels."""
    columns = list(competition.columns or ())
    if not columns or bool((tables.train[columns].dtypes == np.uint8).all()):
        return
    by = competition.groups
    groups = [] if by is None or by not in tables.test.columns else [tables.train[by], tables.test[by]]
    found = told_apart(tables.train[columns], tables.test[columns], groups=groups)
    if found is None:
        return
    auc, error, telling = found
    apart = auc > max(_TOLD_APART, 0.5 + 3 * error)
    detail = f"A classifier tells test rows from train rows with an AUC of {auc:.2f} (0.5: not at all)."
    if apart:
        detail += f" {', '.join(telling)} tell most. Validate on rows like test's (--split), or drop them (--drop)."
    yield Check(name="train and test alike", status="warn" if apart else "pass", detail=detail)


def _real_data(submission: Submission) -> Check:
    if submission.sendable:
        return Check(
            name="real data", status="pass", detail="The predictions were made from the competition's own files."
        )
    detail = (
        "The predictions were made from the embedded sample, which is not Kaggle's data: they can never be submitted."
    )
    return Check(name="real data", status="warn", detail=detail)
