"""Study: digits from linear to convolutional nets, and why the notebook's leaderboard score was 0.10."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kpipe.core.devices import available_cores
from kpipe.core.plots import COLOURS, new_figure, set_title
from kpipe.core.values import Context, Ensemble
from kpipe.models import model
from kpipe.pipeline import prepare
from kpipe.problem.problem import Problem
from kpipe.problem.settings import make_request
from kpipe.problem.splitters import RowSplit
from kpipe.studies.digits_mistakes import make_mistakes, mistakes_section
from kpipe.studies.protocol import PROTOCOL, describe_data, score_table
from kpipe.studies.result import StudyResult, StudySection
from kpipe.submission import make_submission, to_csv
from kpipe.training.cross_validation import cross_validate
from kpipe.training.folds import make_folds

__all__ = ["run"]

_RUNS = 3
_PUBLISHED = (0.9736, 0.9896)  # "validation" accuracies, on the training rows; 0.10217 on the leaderboard


@dataclass(frozen=True)
class _Net:
    """A net of the notebook: a model of kpipe's catalogue and its options."""

    model: str
    options: dict[str, Any] = field(default_factory=dict)


_FIVE = {"channels": (4, 16, 32, 64), "batch_norm": False}
_CONV = _Net("fastai-conv", {**_FIVE, "epochs": 10, "lr": 0.2, "cycles": 0, "optimizer": "sgd"})
_HIDDEN = _Net("one-number", {"hidden": 30, "trainer": "learner", "lr": 0.0, "epochs": 10})  # 0.0: by the finder
_NETS = {
    "linear, by hand, lr 1e-4": _Net("one-number", {"lr": 1e-4, "epochs": 10}),
    "784-30-1, by hand, lr 1e-5": _Net("one-number", {"hidden": 30, "lr": 1e-5, "epochs": 10}),
    "784-30-1, Learner, lr 1e-5": _Net("one-number", {**_HIDDEN.options, "lr": 1e-5}),
    "784-30-1, Learner, lr found": _HIDDEN,
    "convolutions, fit(10, 0.2)": _CONV,
    "convolutions, then one cycle": _Net("fastai-conv", {**_CONV.options, "cycles": 1, "cycle_lr": 0.1}),
    "convolutions, fit_one_cycle(1)": _Net("fastai-conv", {**_FIVE, "cycles": 1, "cycle_lr": 0.01}),
}


@dataclass(frozen=True)
class _Digits:
    """The digits, split without shuffling: 33,600 and 8,400 of Kaggle's 42,000 rows."""

    X: pd.DataFrame
    y: pd.Series
    train: np.ndarray
    valid: np.ndarray


def run(*, data: Path | None, runs: int | None, epochs: int | None, on_progress: Callable[[str], None]) -> StudyResult:
    """Run the study.

    Parameters
    ----------
    data, epochs, on_progress
        As for :func:`kpipe.studies.study`.
    runs : int, optional
        The number of seeds, from 0 on; default: 3.

    Returns
    -------
    StudyResult
    """
    problem = prepare(make_request("digit-recognizer", {"data": data}, names=("data",)))
    digits = _split(problem)
    found = {name: _lr_find(net, digits) for name, net in (("784-30-1", _HIDDEN), ("convolutions", _CONV))}
    nets = {name: _complete(net, lr=found["784-30-1"].valley, epochs=epochs) for name, net in _NETS.items()}
    on_progress("The learning rates are found. Next: the notebook's nets.")
    by_seed = _train(nets, digits, seeds=range(runs or _RUNS))
    on_progress("Next: the notebook's mistakes, one by one.")
    by_row = replace(problem, splitter=RowSplit(0.8))
    mistakes = make_mistakes(by_row, _complete(_CONV, lr=0.0, epochs=epochs).options)
    on_progress("Next: cross-validation.")
    return StudyResult(
        title="Digits from scratch: linear nets, convolutions, and 0.10 on the leaderboard",
        source="Gurtaj's blog, the second submission to the digit recognizer",
        data=describe_data(problem.tables),
        sample=problem.tables.source.origin == "sample",
        sections=(
            _nets(by_seed, digits),
            _learning_rates(found),
            mistakes_section(mistakes),
            _cross_validation(problem, nets),
        ),
    )


def _split(problem: Problem) -> _Digits:
    train, valid = next(RowSplit(0.8).split(problem.X))
    return _Digits(problem.X, problem.tables.train[problem.targets[0]], train, valid)


def _complete(net: _Net, *, lr: float, epochs: int | None) -> _Net:
    """The net with a learning rate where it has none, and with a limit to its epochs."""
    options = {**net.options}
    if options.get("lr") == 0.0:
        options["lr"] = lr
    for name in ("epochs", "cycles"):
        if name in options:
            options[name] = min(epochs or options[name], options[name])
    return replace(net, options=options)


def _estimator(net: _Net, seed: int) -> Any:
    return model(net.model, **net.options)(
        Context(task="classification", n_classes=10, seed=seed, threads=available_cores())
    )


def _lr_find(net: _Net, digits: _Digits) -> Any:
    estimator = _estimator(_Net(net.model, {**net.options, "lr": 1e-3}), 0)
    return estimator.lr_find(digits.X.iloc[digits.train], digits.y.iloc[digits.train])


def _train(nets: Mapping[str, _Net], digits: _Digits, *, seeds: range) -> pd.DataFrame:
    """The accuracy of every net and seed on the training and validation rows."""
    rows = []
    for name, net in nets.items():
        for seed in seeds:
            started = time.perf_counter()
            fitted = _estimator(net, seed).fit(digits.X.iloc[digits.train], digits.y.iloc[digits.train])
            seconds = time.perf_counter() - started
            train, valid = (
                (fitted.predict(digits.X.iloc[part]) == digits.y.iloc[part].to_numpy()).mean()
                for part in (digits.train, digits.valid)
            )
            rows.append({"net": name, "seed": seed, "seconds": seconds, "train": train, "validation": valid})
    return pd.DataFrame(rows)


def _nets(by_seed: pd.DataFrame, digits: _Digits) -> StudySection:
    by_net = by_seed.groupby("net", sort=False)
    validation = by_net["validation"].mean()
    table = pd.DataFrame({
        "training accuracy": by_net["train"].mean(),
        "validation accuracy": validation,
        "standard error": np.sqrt(validation * (1 - validation) / len(digits.valid)),
        "standard deviation over seeds": by_net["validation"].std(ddof=0),
        "seconds": by_net["seconds"].median(),
    }).reset_index()  # fmt: skip
    return StudySection(
        heading="From linear nets to convolutions",
        text=f"{len(digits.train):,} training rows and {len(digits.valid):,} validation rows, in the order of the "
        "file. The first nets predict the digit as one number: `sigmoid_range(0, 9.5)`, with the root mean squared "
        "error as loss, and the nearest digit as prediction. Pixels are numbers from 0 to 255, initial weights are "
        "small, and training takes 10 epochs with batches of 256. With so small a learning rate these nets hardly "
        "change, and with any learning rate one number does not represent ten classes well. The other nets have five "
        "convolutions of stride 2, 1-4-16-32-64-10, and minimise the cross-entropy by fastai's `Learner`: `fit(10, "
        "lr=0.2)`, the same followed by `fit_one_cycle(1)`, and `fit_one_cycle(1)` alone (the rates of the cycles, 0.1 "
        f"and 0.01, are ours).\n\nThe notebook reported {_PUBLISHED[0]} and {_PUBLISHED[1]} for its convolutions. Its "
        "validation set was its training set, so these are training accuracies, to be compared with the first column.",
        tables={"nets": table, "seeds": by_seed},
    )


def _learning_rates(found: Mapping[str, Any]) -> StudySection:
    table = pd.concat(
        [pd.DataFrame({"net": name, "lr": curve.lrs, "loss": curve.losses}) for name, curve in found.items()],
        ignore_index=True,
    )
    return StudySection(
        heading="The learning rate finder",
        text="`Learner.lr_find` trains by SGD with a learning rate that grows from 1e-7 to 10 in 100 steps, and "
        "smooths the loss. The suggestion is fastai's *valley*.",
        tables={"lr_find": table},
        figures={"lr_find": _lr_plot(found)},
    )


def _lr_plot(found: Mapping[str, Any]) -> Figure:
    with new_figure(1, 2, height=3.2) as (figure, axes):
        for ax, (name, curve) in zip(axes.flat, found.items(), strict=True):
            _draw_lr_curve(ax, curve)
            ax.set_ylabel("RMSE" if name == "784-30-1" else "cross-entropy, nats")
            ax.set_title(name)
        rates = ", ".join(f"{curve.valley:.2g} for {name}" for name, curve in found.items())
        set_title(figure, f"lr_find suggests {rates}; the notebook used 1e-5 and 0.2")
    return figure


def _draw_lr_curve(ax: Axes, curve: Any) -> None:
    ax.plot(curve.lrs, curve.losses, color=COLOURS[0])
    ax.axvline(curve.valley, color=COLOURS[1], linestyle="--", label=f"valley: {curve.valley:.2g}")
    ax.set_xscale("log")
    lowest, highest = float(curve.losses.min()), min(float(curve.losses.max()), 1.5 * float(curve.losses[0]))
    ax.set_ylim(lowest - 0.1 * (highest - lowest), highest + 0.1 * (highest - lowest))
    ax.set_xlabel("learning rate")
    ax.legend()


def _cross_validation(problem: Problem, nets: Mapping[str, _Net]) -> StudySection:
    """Out-of-fold scores, and the submission of the last net: the mean of its folds' probabilities."""
    chosen = ("linear, by hand, lr 1e-4", "784-30-1, Learner, lr found", "convolutions, fit(10, 0.2)")
    folds = make_folds(problem)
    n_folds = len(folds.valid)
    factories = {name: model(nets[name].model, **nets[name].options) for name in chosen}
    predictions = cross_validate(problem, folds, models=factories)
    last = predictions.models[-1]
    submission = make_submission(problem, Ensemble(weights={last.name: 1.0}, oof=last.oof, test=last.test))
    sendable = "you can submit it" if submission.sendable else "made from sample data, it cannot be submitted"
    return StudySection(
        heading="Cross-validation by kpipe run",
        text=f"{PROTOCOL}\n\n{n_folds} folds over all rows. `submission.csv` has the {len(problem.tables.test):,} "
        "predictions for the test rows, with the ids of the sample submission in its order: the mean of the "
        f"convolutional nets of the {n_folds} folds ({sendable}). Its leaderboard score should equal that of the last "
        f"net below within the standard error, or be slightly better, since it averages {n_folds} nets.",
        tables={"cross_validation": score_table(problem, folds, predictions)},
        files={"submission.csv": to_csv(submission)},
    )
