"""The three mistakes of the digit notebook, made with the same net, and the checks that report them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from torch import Tensor

from kpipe.checks import run_checks
from kpipe.core.metrics import evaluate
from kpipe.core.plots import COLOURS, new_figure, set_title
from kpipe.core.values import Check, Context, Folds, Score
from kpipe.models import model
from kpipe.models.nets.fastai_conv import FastaiConv, fastai_conv
from kpipe.models.teaching.one_number import OneNumber
from kpipe.problem.competition import Factory
from kpipe.problem.problem import Problem
from kpipe.studies.result import StudySection
from kpipe.submission import make_submission
from kpipe.training.baseline import predict_baseline
from kpipe.training.cross_validation import cross_validate
from kpipe.training.ensemble import fit_ensemble
from kpipe.training.folds import make_folds

__all__ = [
    "Broadcasting",
    "CheckedScore",
    "FromTrainingRows",
    "Mistake",
    "make_mistakes",
    "mistakes_plot",
    "mistakes_section",
]

_LEADERBOARD = 0.10217

_TEXT = (
    f"The notebook's score on the leaderboard was {_LEADERBOARD}. Since the labels of Kaggle's test rows are not "
    "public, the validation rows stand for them here.\n\n"
    "1. *The validation set is the training set*: the net is scored on the rows that it was trained on.\n"
    "2. *Test predictions are made from training rows*: 33,600 of them, cut to the 28,000 test rows. The net is as "
    "good as before, but its predictions belong to other images. `kpipe run` predicts test rows and validation rows "
    "by the same code, so a model that predicts other rows does so for validation rows too, which a check reports.\n"
    "3. *(256,) broadcasts against (256, 1)*: the difference of predictions (256, 1) and labels (256,) has the shape "
    "(256, 256). The loss pulls every prediction towards every label, and so to their mean. The net here is 784-30-1 "
    "with the learning rate 0.01.\n\n"
    "Each mistake was made on purpose, and the checks of `kpipe run` were run on the result. They report:\n"
)


class FromTrainingRows(FastaiConv):
    """The second mistake: a net that predicts its first training rows instead of the given rows."""

    def fit(self, X: Any, y: Any) -> Self:
        self.remembered_ = X
        return super().fit(X, y)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict probabilities of other rows than X.

        Parameters
        ----------
        X : DataFrame
            (n, pixels); only the number of rows matters.

        Returns
        -------
        ndarray
            (n, k).
        """
        return super().predict_proba(self.remembered_.iloc[np.arange(len(X)) % len(self.remembered_)])


class Broadcasting(OneNumber):
    """The third mistake: a net whose loss subtracts (n,) labels from (n, 1) predictions."""

    @staticmethod
    def loss(predicted: Tensor, wanted: Tensor) -> Tensor:
        """The root of the mean squared difference over all pairs of a prediction and a label.

        Parameters
        ----------
        predicted : Tensor
            (n, 1).
        wanted : Tensor
            (n,).

        Returns
        -------
        Tensor
        """
        return (predicted - wanted).square().mean().sqrt()


@dataclass(frozen=True)
class CheckedScore:
    """The out-of-fold score of a net, and the checks that it did not pass."""

    score: Score
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class Mistake:
    """A mistake of the notebook beside the corrected code with the same net."""

    name: str
    wrong: CheckedScore
    corrected: CheckedScore


def make_mistakes(problem: Problem, conv: Mapping[str, Any]) -> list[Mistake]:
    """Train and check nets with each of the three mistakes.

    Parameters
    ----------
    problem : Problem
        The digits, with the notebook's split by row.
    conv : mapping of str to Any
        The options of the convolutional net.

    Returns
    -------
    list of Mistake
    """
    number = {"hidden": 30, "lr": 0.01, "epochs": conv["epochs"]}
    split = make_folds(problem)
    same_rows = Folds(train=split.train, valid=(split.train[0],))
    net: Factory = model("fastai-conv", **conv)
    corrected = _check(problem, split, net)
    return [
        Mistake("validation set = training set", _check(problem, same_rows, net), corrected),
        Mistake(
            "test predictions from training rows",
            _check(problem, split, lambda context: _from_training_rows(context, conv)),
            corrected,
        ),
        Mistake(
            "(256,) against (256, 1)",
            _check(problem, split, lambda _: Broadcasting(**number, random_state=0)),
            _check(problem, split, model("one-number", **number)),
        ),
    ]


def _from_training_rows(context: Context, options: Mapping[str, Any]) -> FromTrainingRows:
    return FromTrainingRows(**{**fastai_conv(context).get_params(), **options})


def _check(problem: Problem, folds: Folds, factory: Factory) -> CheckedScore:
    predictions = cross_validate(problem, folds, models={"net": factory}, jobs=1)
    ensemble = fit_ensemble(predictions, folds, problem.metric)
    submission = make_submission(problem, ensemble)
    checks = run_checks(problem, folds, predictions, predict_baseline(problem, folds), ensemble, submission)
    failed = tuple(check for check in checks if check.status != "pass" and check.name != "real data")
    return CheckedScore(evaluate(problem.metric, predictions.y, ensemble.oof), failed)


def mistakes_section(mistakes: Sequence[Mistake]) -> StudySection:
    """The section about the mistakes.

    Parameters
    ----------
    mistakes : sequence of Mistake
        The mistakes.

    Returns
    -------
    StudySection
    """
    table = pd.DataFrame([
        {
            "mistake": mistake.name,
            "with the mistake": mistake.wrong.score.value,
            "corrected": mistake.corrected.score.value,
            "standard error": mistake.corrected.score.standard_error,
            "reported by": ", ".join(f"{check.status}: {check.name}" for check in mistake.wrong.checks),
        }
        for mistake in mistakes
    ])  # fmt: skip
    reports = [
        f"- {mistake.name}: *{check.name}* ({check.status}). {check.detail}"
        for mistake in mistakes
        for check in mistake.wrong.checks
    ]
    return StudySection(
        heading="Three mistakes, each beside the corrected code",
        text=f"{_TEXT}\n" + "\n".join(reports),
        tables={"mistakes": table},
        figures={"mistakes": mistakes_plot(table)},
    )


def mistakes_plot(table: pd.DataFrame) -> Figure:
    """Plot the accuracy with each mistake and without it.

    Parameters
    ----------
    table : DataFrame
        Columns mistake, with the mistake, corrected.

    Returns
    -------
    Figure
    """
    wrong, corrected = table["with the mistake"], table["corrected"]
    with new_figure(1, 1, height=3.0) as (figure, axes):
        ax, y = axes[0, 0], np.arange(len(table))[::-1]
        ax.hlines(y, wrong, corrected, color="#999999", linewidth=1)
        ax.scatter(corrected, y, color=COLOURS[0], marker="o", s=60, label="corrected, validation rows")
        ax.scatter(wrong, y, color=COLOURS[1], marker="X", s=70, label="with the mistake")
        ax.axvline(_LEADERBOARD, color=COLOURS[4], linestyle=":", label=f"the notebook's leaderboard, {_LEADERBOARD}")
        ax.set_yticks(y, table["mistake"])
        ax.set_xlim(0, 1.02)
        ax.set_ylim(-0.5, len(table) - 0.5)
        ax.set_xlabel("accuracy")
        figure.legend(loc="outside lower center", ncols=3)
        set_title(
            figure,
            f"The same net has an accuracy of {corrected.iloc[0]:.4f}; it appears to have {wrong.iloc[0]:.4f} on its "
            f"own training rows, and scores {wrong.iloc[1]:.4f} when it predicts other rows",
        )
    return figure
