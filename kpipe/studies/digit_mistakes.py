"""The digit notebook's three mistakes, made once more with the same net, and what stops them in ``kpipe run``."""

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
from kpipe.core.plots import COLOURS, answer, canvas
from kpipe.core.values import Check, Context, Folds, Score
from kpipe.models import model
from kpipe.models.nets.fastai_conv import FastaiConv, fastai_conv
from kpipe.models.teaching.one_number import OneNumber
from kpipe.problem.competition import Factory
from kpipe.problem.problem import Problem
from kpipe.studies.findings import Section
from kpipe.submission import make_submission
from kpipe.training.baseline import predict_baseline
from kpipe.training.cross_validation import cross_validate
from kpipe.training.ensemble import fit_ensemble
from kpipe.training.folds import make_folds

__all__ = ["Broadcasting", "FromTrainingRows", "Mistake", "mistakes", "mistakes_section"]

_KAGGLE = 0.10217

_TEXT = (
    f"The notebook's leaderboard said {_KAGGLE}. Kaggle's answers are not ours to look at: the rows held out stand for "
    "the test rows.\n\n"
    "1. *The validation set was the training set*: the net is asked about the rows that it learned.\n"
    "2. *Test predictions were made from training rows*: 33,600 of them, cut to test's 28,000. The net is as good as "
    "before, and its answers belong to other pictures. `kpipe run` predicts test's rows and the validation rows by the "
    "same code: a model that looks elsewhere looks elsewhere there too, and is found out.\n"
    "3. *(256,) broadcast against (256, 1)*: a difference of predictions (256, 1) and labels (256,) has the shape "
    "(256, 256). Every prediction is pulled to every label, so to their mean. The net here is 784-30-1 with the "
    "learning rate 0.01.\n\n"
    "Each mistake was planted, and `kpipe run`'s checks were run on what came of it. What they said:\n"
)


class FromTrainingRows(FastaiConv):
    """The second mistake: whatever rows it is asked about, it predicts the first rows that it was trained on."""

    def fit(self, X: Any, y: Any) -> Self:
        self.remembered_ = X
        return super().fit(X, y)

    def predict_proba(self, X: Any) -> np.ndarray:
        """(n, k), of other rows than X."""
        return super().predict_proba(self.remembered_.iloc[np.arange(len(X)) % len(self.remembered_)])


class Broadcasting(OneNumber):
    """The third mistake: (n, 1) predictions minus (n,) labels are (n, n) differences."""

    @staticmethod
    def loss(predicted: Tensor, wanted: Tensor) -> Tensor:
        """The root of the mean over all pairs of a prediction and a label."""
        return (predicted - wanted).square().mean().sqrt()


def _remembering(context: Context, options: Mapping[str, Any]) -> FromTrainingRows:
    return FromTrainingRows(**{**fastai_conv(context).get_params(), **options})


@dataclass(frozen=True)
class OofPredictions:
    """What cross-validation made of a net: its score, and the checks that did not pass."""

    score: Score
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class Mistake:
    """A mistake of the notebook's and the right way with the same net."""

    name: str
    wrong: OofPredictions
    right: OofPredictions


def mistakes(problem: Problem, conv: Mapping[str, Any]) -> list[Mistake]:
    """The three mistakes. problem : with the notebook's split by row. conv : options of the convolutional net."""
    number = {"hidden": 30, "lr": 0.01, "epochs": conv["epochs"]}
    apart = make_folds(problem)
    same = Folds(train=apart.train, valid=(apart.train[0],))
    net: Factory = model("fastai-conv", **conv)
    right = _judged(problem, apart, net)
    return [
        Mistake("validation set = training set", _judged(problem, same, net), right),
        Mistake(
            "test predictions from training rows",
            _judged(problem, apart, lambda context: _remembering(context, conv)),
            right,
        ),
        Mistake(
            "(256,) against (256, 1)",
            _judged(problem, apart, lambda _: Broadcasting(**number, random_state=0)),
            _judged(problem, apart, model("one-number", **number)),
        ),
    ]


def _judged(problem: Problem, folds: Folds, factory: Factory) -> OofPredictions:
    predictions = cross_validate(problem, folds, models={"net": factory}, jobs=1)
    blended = fit_ensemble(predictions, folds, problem.metric)
    submission = make_submission(problem, blended)
    checks = run_checks(problem, folds, predictions, predict_baseline(problem, folds), blended, submission)
    told = tuple(check for check in checks if check.status != "pass" and check.name != "real data")
    return OofPredictions(evaluate(problem.metric, predictions.y, blended.oof), told)


def mistakes_section(made: Sequence[Mistake]) -> Section:
    """The mistakes in words, as a table and as a picture."""
    table = pd.DataFrame([
        {
            "mistake": mistake.name,
            "with the mistake": mistake.wrong.score.value,
            "the right way": mistake.right.score.value,
            "standard error": mistake.right.score.standard_error,
            "stopped by": ", ".join(f"{check.status}: {check.name}" for check in mistake.wrong.checks),
        }
        for mistake in made
    ])  # fmt: skip
    said = [
        f"- {mistake.name}: *{check.name}* ({check.status}). {check.detail}"
        for mistake in made
        for check in mistake.wrong.checks
    ]
    return Section(
        heading="Three mistakes, each with the right way beside it",
        text=f"{_TEXT}\n" + "\n".join(said),
        tables={"mistakes": table},
        figures={"mistakes": _picture(table)},
    )


def _picture(shown: pd.DataFrame) -> Figure:
    """Accuracy with each mistake and without it."""
    with canvas(1, 1, height=3.0) as (figure, axes):
        ax, place = axes[0, 0], np.arange(len(shown))[::-1]
        ax.hlines(place, shown["with the mistake"], shown["the right way"], color="#999999", linewidth=1)
        ax.scatter(
            shown["the right way"], place, color=COLOURS[0], marker="o", s=60, label="the right way, rows held out"
        )
        ax.scatter(shown["with the mistake"], place, color=COLOURS[1], marker="X", s=70, label="with the mistake")
        ax.axvline(_KAGGLE, color=COLOURS[4], linestyle=":", label=f"the notebook on Kaggle, {_KAGGLE}")
        ax.set_yticks(place, shown["mistake"])
        ax.set_xlim(0, 1.02)
        ax.set_ylim(-0.5, len(shown) - 0.5)
        ax.set_xlabel("accuracy")
        figure.legend(loc="outside lower center", ncols=3)
        first, second = shown["with the mistake"].iloc[0], shown["with the mistake"].iloc[1]
        answer(
            figure,
            f"The same net shows {first:.4f} on its own training rows, has {shown['the right way'].iloc[0]:.4f}, "
            f"and scores {second:.4f} when it answers for other rows",
        )
    return figure
