"""Study: Survived and Age at once, 100 nets in parallel, and what "the best over all runs" is worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.base import clone

from kpipe.core.devices import available_cores
from kpipe.core.metrics import evaluate, get_metric
from kpipe.core.plots import COLOURS, new_figure, set_title
from kpipe.core.values import Context
from kpipe.models import model
from kpipe.models.nets.machine import Machine, torch_session
from kpipe.models.teaching.two_targets import TwoTargets
from kpipe.pipeline import prepare
from kpipe.problem.problem import Problem
from kpipe.problem.settings import make_request
from kpipe.studies.protocol import PROTOCOL, cross_validation_table, describe_data, score_row
from kpipe.studies.result import StudyResult, StudySection
from kpipe.studies.titanic_table import notebook_table, with_notebook_columns
from kpipe.studies.titanic_two_targets_nets import (
    EPOCHS,
    MAIN_VARIANT,
    REPETITIONS,
    VARIANTS,
    Rows,
    Trained,
    initial_weights,
    rmse,
    speed_table,
    to_rows,
    train,
    train_on_age_only,
)
from kpipe.training.folds import make_folds

__all__ = ["run"]

_RUNS = 100
_SPLITS = 200  # random halves of the validation rows, over which the loss by choosing the best run is averaged


def run(*, data: Path | None, runs: int | None, epochs: int | None, on_progress: Callable[[str], None]) -> StudyResult:
    """Run the study.

    Parameters
    ----------
    data, epochs, on_progress
        As for :func:`kpipe.studies.study`.
    runs : int, optional
        The number of nets of each variant; default: 100.

    Returns
    -------
    StudyResult
    """
    problem = with_notebook_columns(prepare(make_request("titanic", {"data": data}, names=("data",))))
    tables = problem.tables
    rows = to_rows(notebook_table(tables.train))
    nets, epochs = runs or _RUNS, min(epochs or EPOCHS, EPOCHS)
    with torch_session(Machine(threads=available_cores()), seed=0):
        weights = {name: initial_weights(variant, nets) for name, variant in VARIANTS.items()}
        trained = {name: train(VARIANTS[name], weights[name], rows, epochs=epochs) for name in VARIANTS}
        on_progress(f"{nets} nets of each of {len(VARIANTS)} variants are trained. Next: Age alone, and timing.")
        alone = train_on_age_only(rows, nets=nets, epochs=epochs)
        speed = speed_table(weights[MAIN_VARIANT], rows, epochs=epochs)
    on_progress("Next: cross-validation.")
    scores = _scores(problem, nets=nets, epochs=epochs)
    return StudyResult(
        title="Titanic, two targets: Survived and Age at once",
        source='"Building a From-Scratch Deep Learning Model to Predict Two Variables"',
        data=describe_data(tables),
        sample=tables.source.origin == "sample",
        sections=(
            _published(_record(trained, rows), rows),
            _best_of_all(trained, rows),
            _age_alone(alone, rows),
            _in_parallel(speed),
            _cross_validation(scores, nets=nets),
        ),
    )


def _record(trained: Mapping[str, Trained], rows: Rows) -> pd.DataFrame:
    """The notebook's table: variant, run, epoch, trn_loss, val_loss, acc, rmse."""
    survived, age = rows.validation_targets
    tables = []
    for name, found in trained.items():
        runs, epochs = found.losses.shape
        probability, years = found.predicted[:, :, 0], found.predicted[:, :, 1]
        tables.append(pd.DataFrame({
            "variant": name,
            "run": np.repeat(np.arange(1, runs + 1), epochs),
            "epoch": np.tile(np.arange(1, epochs + 1), runs),
            "trn_loss": found.losses.ravel(),
            "val_loss": np.abs(found.predicted - rows.validation_targets).mean(axis=(2, 3)).ravel(),
            "acc": ((probability > 0.5) == survived).mean(axis=2).ravel(),
            "rmse": rmse(years, age).ravel(),
        }))  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def _mean_age_rmse(rows: Rows) -> float:
    """The RMSE of the training rows' mean age on the validation rows."""
    return float(rmse(float(rows.targets[1, : rows.trained].mean()), rows.validation_targets[1]))


def _published(record: pd.DataFrame, rows: Rows) -> StudySection:
    survived, age = rows.validation_targets
    die, mean_rmse = float((survived == 0).mean()), _mean_age_rmse(rows)
    mean_age = float(rows.targets[1, : rows.trained].mean())
    constants = pd.DataFrame([
        {"prediction": "nobody survives", "accuracy": die, "RMSE": None},
        {"prediction": "everybody survives", "accuracy": 1 - die, "RMSE": None},
        {"prediction": f"mean age of the training rows, {mean_age:.1f}", "accuracy": None, "RMSE": mean_rmse},
        {"prediction": "age 0 (a dead ReLU)", "accuracy": None, "RMSE": float(rmse(0, age))},
    ])  # fmt: skip
    return StudySection(
        heading="The notebook reproduced, beside constant predictions",
        text="The inputs are eleven columns without Age; the targets Survived and Age have the shape (n, 2). The nets "
        "have two hidden layers of 10, a sigmoid for the first output and ReLU for the second, and minimise the mean "
        "absolute error over both targets by full-batch gradient descent. The notebook set no seed, so the "
        "distribution of its results can be reproduced, but not its digits; our nets are drawn from seed 0. *Best* is "
        "over all runs and all epochs, as published; *last* is the median run's after the last epoch.\n\n"
        f"Predicting that everybody survives has an accuracy of {1 - die:.4f}, that nobody does {die:.4f}. Predicting "
        f"the mean age for everyone has an RMSE of {mean_rmse:.3f}: a net that is not well below it has learned "
        "nothing about age. Age is in years and Survived is 0 or 1, so the loss depends almost entirely on age, and "
        "most runs learn nothing about survival.",
        tables={"variants": _variants_table(record, die), "constants": constants, "runs": record.round(6)},
        figures={"runs": _runs_plot(record[record["variant"] == MAIN_VARIANT], die=die, mean=mean_rmse)},
    )


def _variants_table(record: pd.DataFrame, die: float) -> pd.DataFrame:
    lines = []
    for name, variant in VARIANTS.items():
        part = record[record["variant"] == name]
        last = part[part["epoch"] == part["epoch"].max()]
        lines.append({
            "variant": name,
            "best acc": part["acc"].max(),
            "published acc": variant.accuracy,
            "best RMSE": part["rmse"].min(),
            "published RMSE": variant.rmse,
            "last acc": last["acc"].median(),
            "last RMSE": last["rmse"].median(),
            "runs at nobody": int((last["acc"].round(9) == round(die, 9)).sum()),
            "runs at everybody": int((last["acc"].round(9) == round(1 - die, 9)).sum()),
        })  # fmt: skip
    return pd.DataFrame(lines)


def _runs_plot(record: pd.DataFrame, *, die: float, mean: float) -> Figure:
    panels = {
        "trn_loss": ("training loss (MAE)", {}),
        "val_loss": ("validation loss (MAE)", {}),
        "acc": ("validation accuracy", {"nobody survives": die, "everybody survives": 1 - die}),
        "rmse": ("validation RMSE of age, years", {"mean age": mean}),
    }
    last = record[record["epoch"] == record["epoch"].max()]
    with new_figure(2, 2, height=3.0) as (figure, axes):
        for ax, (column, (label, lines)) in zip(axes.flat, panels.items(), strict=True):
            wide = record.pivot_table(index="epoch", columns="run", values=column)
            ax.plot(wide.index, wide.to_numpy(), color=COLOURS[0], alpha=0.25, linewidth=0.8)
            for (name, value), style in zip(lines.items(), ("--", ":"), strict=False):
                ax.axhline(value, color=COLOURS[1], linestyle=style, label=name)
            if lines:
                ax.legend()
            ax.set_xlabel("epoch")
            ax.set_ylabel(label)
        set_title(
            figure,
            f"{last['run'].nunique()} runs of variant {MAIN_VARIANT}: the result depends on the initial weights. After "
            f"the last epoch the accuracies lie between {last['acc'].min():.3f} and {last['acc'].max():.3f}, "
            f"the RMSEs between {last['rmse'].min():.1f} and {last['rmse'].max():.1f}",
        )
    return figure


def _best_of_all(trained: Mapping[str, Trained], rows: Rows) -> StudySection:
    """Choose the best run and epoch on one half of the validation rows, and measure it on the other."""
    n = len(rows.validation_targets[1])
    halves = np.random.default_rng(0).permuted(np.tile(np.arange(n) % 2 == 0, (_SPLITS, 1)), axis=1).T
    table = pd.DataFrame([{"variant": name, **_bests(found, rows, halves)} for name, found in trained.items()])
    loss = (table["acc, same rows"] - table["acc, other rows"]).max()
    return StudySection(
        heading="Selection bias of the best over all runs and epochs",
        text="The best run and epoch are chosen on the rows on which they are measured, so their result is too good. "
        "Here they are chosen on one half of the validation rows and measured on the same half and on the other one, "
        f"over {_SPLITS} random splits: on other rows, the accuracy is up to {loss:.3f} lower.",
        tables={"chosen": table},
    )


def _bests(found: Trained, rows: Rows, halves: np.ndarray) -> dict[str, float]:
    """Mean accuracy and RMSE of the runs that are best on a half, there and on the other half."""
    survived, age = rows.validation_targets
    correct = ((found.predicted[:, :, 0] > 0.5) == survived).reshape(-1, len(age)).astype(float)
    squares = ((found.predicted[:, :, 1] - age) ** 2).reshape(-1, len(age)).astype(float)
    same, other = (correct @ half / half.sum(axis=0) for half in (halves, ~halves))
    best = same.argmax(axis=0), np.arange(_SPLITS)
    same_error, other_error = (np.sqrt(squares @ half / half.sum(axis=0)) for half in (halves, ~halves))
    least = same_error.argmin(axis=0), np.arange(_SPLITS)
    return {
        "acc, same rows": same[best].mean(),
        "acc, other rows": other[best].mean(),
        "RMSE, same rows": same_error[least].mean(),
        "RMSE, other rows": other_error[least].mean(),
    }


def _age_alone(alone: pd.DataFrame, rows: Rows) -> StudySection:
    return StudySection(
        heading="Age alone, through 100 · sigmoid",
        text="The notebook's last experiment has one output, and an RMSE near 13.9. Predicting the mean age for "
        f"everyone has {_mean_age_rmse(rows):.3f}. The learning rates are ours, since the notebook does not give one.",
        tables={"age_alone": alone},
    )


def _in_parallel(speed: pd.DataFrame) -> StudySection:
    return StudySection(
        heading="Training in parallel",
        text="All nets of a variant are trained as one product of matrices for each layer "
        "(`kpipe.models.teaching.batched_nets`), against the notebook's loop over nets. Both start from the same "
        f"weights and are timed {REPETITIONS} times in turn; the table has medians. In float64 both agree to rounding "
        "in every epoch. In float32 they agree to rounding at first; then the error of a row changes its sign one step "
        "earlier or later, and some nets diverge, as with any other order of summation.",
        tables={"speed": speed},
    )


def _scores(problem: Problem, *, nets: int, epochs: int) -> pd.DataFrame:
    """Out-of-fold scores of both targets."""
    options = {
        name: {"shift": v.shift, "scale": v.scale, "constants": v.constants, "lr": v.lr, "nets": nets, "epochs": epochs}
        for name, v in VARIANTS.items()
    }
    factories = {name: model("two-targets", **chosen) for name, chosen in options.items()}
    survived = cross_validation_table(problem, factories)
    survived["model"] = [name if name.startswith("baseline") else f"{name}: Survived" for name in survived["model"]]
    context = Context(task="classification", n_classes=2, threads=available_cores())
    years = _age_scores(problem, {name: factory(context) for name, factory in factories.items()})
    return pd.concat([survived, years], ignore_index=True)


def _age_scores(problem: Problem, estimators: Mapping[str, TwoTargets]) -> pd.DataFrame:
    """Scores of the second target of the same nets on the same folds, over the rows of train.csv that have an age."""
    assert problem.features is not None  # the notebook's imputation
    folds = make_folds(problem)
    X, y = problem.X, problem.tables.train["Survived"].to_numpy()
    oof = {name: np.full((len(X), 1), np.nan) for name in (*estimators, "baseline: mean age")}
    for train_rows, valid_rows in zip(folds.train, folds.valid, strict=True):
        imputer = clone(problem.features).fit(X.iloc[train_rows])
        X_train, X_valid = imputer.transform(X.iloc[train_rows]), imputer.transform(X.iloc[valid_rows])
        for name, estimator in estimators.items():
            oof[name][valid_rows, 0] = clone(estimator).fit(X_train, y[train_rows]).predict_both(X_valid)[1]
        oof["baseline: mean age"][valid_rows, 0] = X["Age"].iloc[train_rows].mean()
    known = X["Age"].notna().to_numpy()
    metric = get_metric("rmse")
    ages = X["Age"].to_numpy(dtype=np.float64)[known]
    return pd.DataFrame([
        score_row(name if name.startswith("baseline") else f"{name}: Age", metric, evaluate(metric, ages, years[known]))
        for name, years in oof.items()
    ])  # fmt: skip


def _cross_validation(scores: pd.DataFrame, *, nets: int) -> StudySection:
    return StudySection(
        heading="Cross-validation by kpipe run",
        text=f"{PROTOCOL}\n\nPredictions are the mean of {nets} nets after the last epoch; no run and no epoch is "
        "chosen. Age is scored on the rows that have one; the notebook also scored the ages that it had imputed, which "
        "are all equal. `kpipe run titanic --model two-targets` trains such nets on the columns that the competition "
        "has now.",
        tables={"cross_validation": scores},
    )
