"""An honest module of a competition, in which tests plant mistakes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

import kpipe
from kpipe.checks import modules_of_checks, refit
from kpipe.core.values import Check, Context, Tables
from tests.tables import survivors, write

SLOW = pytest.mark.slow  # CI runs these too: make slow

Stash = dict[str, Any]
STASH: Stash = {}


class Logistic(LogisticRegression):
    """An honest model of x and of sex, 0 or 1."""


def logistic(context: Context) -> BaseEstimator:
    return Logistic()


def clean(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(female=(frame["sex"] == "female").astype(float), double=2 * frame["x"])


HONEST = kpipe.Competition(
    slug="made-by-hand",
    id="id",
    target="survived",
    metric="accuracy",
    clean=kpipe.row_by_row(clean),
    columns=("x", "female", "double"),
    models={"logistic": logistic},
)


def write_files(folder: Path) -> Path:
    """The files of a competition of 400 rows, in a folder."""
    return write(survivors(n=400, m=120), folder)


def findings(files: Path, *, fresh: bool = False, **planted: Any) -> dict[str, Check]:
    """The checks of the honest module with some fields replaced that do not pass, by name.

    fresh : whether fresh processes are started, which takes seconds.
    """
    STASH.clear()
    checks = [check for check in refit.REFIT_CHECKS if fresh or check.name != "memory between fits"]
    with patch.object(refit, "REFIT_CHECKS", checks):
        found = kpipe.check(replace(HONEST, **planted), data=files, folds=3, jobs=1, fresh=True)
    return {check.name: check for check in found if check.status != "pass"}


def finding(files: Path, name: str, **planted: Any) -> Check:
    """The check of that name of the honest module with some fields replaced, made without the other checks."""
    STASH.clear()
    with ExitStack() as stack:
        for module in modules_of_checks():
            for kind in ("TABLE_CHECKS", "PREDICTION_CHECKS", "REFIT_CHECKS"):
                checks = [check for check in getattr(module, kind, ()) if check.name == name]
                stack.enter_context(patch.object(module, kind, checks, create=True))
        found = kpipe.check(replace(HONEST, **planted), data=files, folds=3, jobs=1, fresh=True)
    return next(check for check in found if check.name == name)


def model(made: type[BaseEstimator]) -> dict[str, Any]:
    return {"models": {"logistic": lambda context: made()}}


def on_tables(change: Callable[[Tables], Tables]) -> Callable[[Tables], Tables]:
    """A ``clean`` that changes whole tables after the honest one."""
    return lambda tables: change(kpipe.row_by_row(clean)(tables))
