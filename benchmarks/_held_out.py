"""A fifth of a competition's train.csv, held out as a competition of its own; for scores.py."""

from __future__ import annotations

import io
import os
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold, StratifiedGroupKFold, StratifiedKFold

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks._command import Failure  # noqa: E402
from benchmarks.real_tables import TABLES  # noqa: E402
from kpipe.core.metrics import Metric, evaluate, get_metric  # noqa: E402
from kpipe.core.values import Score  # noqa: E402
from kpipe.problem.competition import class_columns  # noqa: E402

KAGGLE = Path(os.environ.get("KPIPE_TEST_DATA", ROOT.parent / "shared" / "kaggle"))
PARTS = 5
SEED = 7919  # of the first repeat; different from 0, the seed of kpipe's folds

Array = np.ndarray


@dataclass(frozen=True)
class Plan:
    """A competition, its metric, and the time limit of each system.

    Parameters
    ----------
    metric : str
        kpipe's name of the metric.
    autogluon, problem : str
        AutoGluon's names of the metric and the kind of problem.
    seconds : float
        Time limit.
    group_until : str
        Rows whose ids are equal up to this character form a group; "" for independent rows.
    """

    slug: str
    id: str
    target: str
    metric: str
    autogluon: str
    problem: str
    seconds: float
    group_until: str = ""

    @property
    def scorer(self) -> Metric:
        return get_metric(self.metric)

    def groups(self, ids: pd.Series) -> Array | None:
        return ids.str.partition(self.group_until)[0].to_numpy() if self.group_until else None


HOUSES, SERIES = "house-prices-advanced-regression-techniques", "playground-series-s3"
_ALL = (
    Plan("titanic", "PassengerId", "Survived", "accuracy", "accuracy", "binary", 240),
    Plan(HOUSES, "Id", "SalePrice", "log_rmse", "root_mean_squared_error", "regression", 240),  # of the logarithm
    Plan("spaceship-titanic", "PassengerId", "Transported", "accuracy", "accuracy", "binary", 120, group_until="_"),
    Plan(f"{SERIES}e26", "id", "Status", "log_loss", "log_loss", "multiclass", 120),
    Plan(f"{SERIES}e25", "id", "Hardness", "median_ae", "median_absolute_error", "regression", 120),
    Plan(f"{SERIES}e2", "id", "stroke", "auc", "roc_auc", "binary", 120),
)
_NAMES = {"rmse": "root_mean_squared_error", "rmsle": "root_mean_squared_error", "mae": "mean_absolute_error"}
_NAMES |= {"auc": "roc_auc", "log_loss": "log_loss", "accuracy": "accuracy"}
COMPETITIONS = tuple(plan.slug for plan in _ALL)
PLANS = {plan.slug: plan for plan in _ALL} | {
    slug: Plan(slug, "id", table.target, table.metric, _NAMES[table.metric], table.problem, 120)
    for slug, table in TABLES.items()
}


@dataclass(frozen=True, kw_only=True)
class HoldOut:
    """Four fifths of train.csv for training and one fifth for scoring; all cells are text, as in the file.

    Parameters
    ----------
    train : DataFrame
        With the target.
    test : DataFrame
        Without the target.
    sample : DataFrame
        In the format of the original sample submission.
    answers : Series
        (m,) targets of the test rows.
    """

    plan: Plan
    train: pd.DataFrame
    test: pd.DataFrame
    sample: pd.DataFrame
    answers: pd.Series

    @property
    def labels(self) -> list[str]:
        return [] if self.plan.scorer.task == "regression" else sorted(self.train[self.plan.target].unique())

    def evaluated(self, predicted: Array, *, train: bool = False) -> Score:
        """Score of predictions (n, k) for the test rows, or the train rows."""
        target, ids = (self.train[self.plan.target], self.train) if train else (self.answers, self.test)
        y, groups = truth(target, self.labels), self.plan.groups(ids[self.plan.id])
        return evaluate(self.plan.scorer, y, predicted, groups=groups)


def as_text(file: Any) -> pd.DataFrame:
    return pd.read_csv(file, dtype=str, keep_default_na=False)


def read(plan: Plan) -> tuple[pd.DataFrame, pd.DataFrame]:
    """train.csv and the sample submission in Kaggle's zip."""
    with zipfile.ZipFile(KAGGLE / f"{plan.slug}.zip") as archive:
        sample = next(name for name in archive.namelist() if name.endswith("_submission.csv"))
        train, sample = (as_text(io.BytesIO(archive.read(name))) for name in ("train.csv", sample))
    return train, sample


def hold_out(plan: Plan, train: pd.DataFrame, sample: pd.DataFrame, *, repeat: int, fifth: int) -> HoldOut:
    """Hold out a fifth. The five fifths of a repeat are disjoint, and the same arguments give the same rows."""
    kind: Any = KFold if plan.scorer.task == "regression" else StratifiedKFold
    splitter = (StratifiedGroupKFold if plan.group_until else kind)(PARTS, shuffle=True, random_state=SEED + repeat)
    kept, held = list(splitter.split(train, train[plan.target], plan.groups(train[plan.id])))[fifth]
    unseen = train.iloc[np.sort(held)].reset_index(drop=True)
    cells = {name: unseen[plan.id] if name == plan.id else sample[name].iloc[0] for name in sample.columns}
    return HoldOut(
        plan=plan,
        train=train.iloc[np.sort(kept)].reset_index(drop=True),
        test=unseen.drop(columns=plan.target),
        sample=pd.DataFrame(cells),
        answers=unseen[plan.target],
    )


def write(held: HoldOut, folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, frame in (("train", held.train), ("test", held.test), ("sample_submission", held.sample)):
        frame.to_csv(folder / f"{name}.csv", index=False)


def truth(target: pd.Series, labels: list[str]) -> Array:
    """(n,) codes into labels, or values."""
    return pd.Index(labels).get_indexer(target) if labels else target.astype(float).to_numpy()


def predictions(plan: Plan, labels: list[str], submitted: pd.DataFrame, ids: pd.Series) -> Array:
    """(n, k) predictions of a submission, in the order of ids. Raises Failure if it cannot be scored."""
    if submitted[plan.id].duplicated().any() or set(submitted[plan.id]) != set(ids):
        raise Failure("the ids of its submission differ from those of test.csv")
    values = submitted.set_index(plan.id).loc[ids]
    if plan.scorer.needs == "label":
        codes = pd.Index(labels).get_indexer(values.iloc[:, 0])
        if (codes < 0).any():
            raise Failure(f"train.csv lacks labels of its submission, such as {values.iloc[codes.argmin(), 0]!r}")
        return np.eye(len(labels))[codes]
    numbers = values.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
    if not np.isfinite(numbers).all():
        raise Failure("its submission has cells that are not finite numbers")
    if plan.scorer.needs == "value":
        return numbers
    if numbers.shape[1] == 1:
        return np.column_stack([1 - numbers, numbers])
    named = class_columns(list(values.columns), plan.target, labels) or []
    return numbers[:, [named.index(label) for label in labels]]
