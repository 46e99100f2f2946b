"""The ensemble of a run, trained again on a fold.

A run keeps predictions, not models. What the report says about columns must be true of what was submitted, so all
models that carry the ensemble are trained again, by the code that trained them, and predict together with their
weights. Where that would take too long, they are trained on fewer of the fold's rows; a model of little weight never
stands in for the ensemble.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from kpipe.core.devices import resolve_device
from kpipe.core.time_limit import Steps
from kpipe.problem.problem import Problem
from kpipe.runs.loaded import LoadedModel, LoadedRun
from kpipe.runs.oof import OofPredictions
from kpipe.training.estimators import build_estimator, choose_models, make_context
from kpipe.training.stacking import STACKERS
from kpipe.training.worker import FitTask, TrainingData, fit, predict_quietly

__all__ = ["Member", "Members", "RefittedEnsemble", "choose_members", "names_of", "refit"]

_NEARLY_ALL = 0.99  # share of the ensemble's weight, once reached by the chosen models, that ends the choice
_MAX_OF_IT = 0.8  # the same, if the next model does not fit into the time left
_MIN_ROWS = 500  # training rows, below which another model than the run's is trained
_MAX_ROWS_FITTED = 20_000  # rows of predictions, on which a stacker's weight is shared out
_THREADS = 1  # as where folds are trained side by side; two threads on a busy machine wait for each other


@dataclass(frozen=True)
class Member:
    """A model that takes part: its weight, its seconds for a fold with one seed, the steps of shortened nets."""

    model: LoadedModel
    weight: float
    seconds: float
    steps: tuple[Steps, ...] = ()


@dataclass(frozen=True)
class Members:
    """The models to train again, the heaviest first.

    Parameters
    ----------
    members : tuple of Member
        Their weights sum to ``share``.
    share : float
        Of the ensemble's weight, that the members carry.
    rows : float
        The share of a fold's training rows that they are trained on: 1.0 where the time suffices.
    """

    members: tuple[Member, ...]
    share: float
    rows: float


@dataclass(frozen=True)
class RefittedEnsemble:
    """Fitted models that predict together, with their weights."""

    fitted: tuple[tuple[float, Any], ...]
    outputs: int

    def predict(self, frame: pd.DataFrame) -> np.ndarray:
        """The weighted mean of the models' predictions.

        Parameters
        ----------
        frame : DataFrame
            (n, columns) that the models see.

        Returns
        -------
        ndarray
            (n, outputs) float64.

        Raises
        ------
        TrainingError
            If a model fails.
        """
        parts = [
            weight * predict_quietly(model, frame, self.outputs, threads=_THREADS) for weight, model in self.fitted
        ]
        return np.asarray(np.sum(parts, axis=0) / sum(weight for weight, _ in self.fitted))


def choose_members(run: LoadedRun, oof: OofPredictions, *, seconds: float, rows: int) -> Members | str:
    """The models that carry the ensemble, and the share of the rows on which they can be trained in time.

    Parameters
    ----------
    run : LoadedRun
        The run.
    oof : OofPredictions
        Its out-of-fold predictions.
    seconds : float
        The time for training all of them on one fold.
    rows : int
        Training rows of a fold.

    Returns
    -------
    Members or str
        The models, or why there are none, as a sentence.
    """
    weights = _weights_of_columns(run, oof)
    folds = max(len(run.items("fold_scores")), 1)
    ranked = sorted((m for m in run.models if weights.get(m.name, 0.0) > 0), key=lambda m: -weights[m.name])
    if not ranked:
        return "the record names no model with a weight in the ensemble."
    members: list[Member] = []
    for model in ranked:
        share = sum(member.weight for member in members)
        needed = (model.seconds or 0.0) / folds / max(len(model.seeds), 1)
        in_time = needed + sum(member.seconds for member in members) <= seconds
        if share >= _NEARLY_ALL or (share >= _MAX_OF_IT and not in_time):
            break
        members.append(Member(model, weights[model.name], needed, _steps_of(run, model)))
    part = min(1.0, seconds / max(sum(member.seconds for member in members), 1e-9))
    if part < 1 and part * rows < _MIN_ROWS:
        names = ", ".join(member.model.name for member in members)
        return f"training {names} again on a fold takes longer than {seconds:.0f} s. Allow more time with --budget."
    return Members(tuple(members), sum(member.weight for member in members), part)


def _steps_of(run: LoadedRun, model: LoadedModel) -> tuple[Steps, ...]:
    """The (planned, taken) steps of each net of a fit that the run's budget shortened; none where it was not."""
    first = f"{model.name}-seed{(model.seeds or (0,))[0]}-fold"
    nets = next((nets for fit, nets in run.mapping("shortened").items() if fit.startswith(first)), None)
    steps = [tuple(of_net) for of_net in nets if isinstance(of_net, list)] if isinstance(nets, list) else []
    return tuple((planned, taken) for planned, taken in filter(_are_steps, steps))


def _are_steps(steps: tuple[Any, ...]) -> bool:
    return len(steps) == 2 and all(isinstance(one, int) for one in steps) and 0 < steps[1] <= steps[0]


def _weights_of_columns(run: LoadedRun, oof: OofPredictions) -> dict[str, float]:
    """The weight of each model that learns from columns. The weight of stackers is shared out among them.

    A stacker learns from their predictions. Non-negative least squares shows how its own predictions, times its weight,
    are composed of theirs.
    """
    weights = {model.name: model.weight or 0.0 for model in run.models}
    base = {name: weight for name, weight in weights.items() if name not in STACKERS}
    above = {name: weight for name, weight in weights.items() if name in STACKERS and weight > 0 and name in oof.models}
    parts = [name for name in base if name in oof.models]
    if above and parts:
        rows = np.flatnonzero(oof.is_predicted)[:_MAX_ROWS_FITTED]
        columns = np.stack([oof.models[name][rows].ravel() for name in parts], axis=1)
        stacked = np.sum([weight * oof.models[name][rows] for name, weight in above.items()], axis=0).ravel()
        known = ~np.isnan(columns).any(axis=1) & ~np.isnan(stacked)
        for name, more in zip(parts, nnls(columns[known], stacked[known])[0].tolist(), strict=True):
            base[name] += more
    total = sum(base.values())
    return {name: weight / total for name, weight in base.items()} if total > 0 else {}


def refit(problem: Problem, members: Members, train: np.ndarray) -> RefittedEnsemble:
    """The models, trained on rows of train.

    Parameters
    ----------
    problem : Problem
        The run's problem.
    members : Members
        The models.
    train : ndarray
        (n,) positions of the training rows of a fold.

    Returns
    -------
    RefittedEnsemble

    Raises
    ------
    KpipeError
        If a model fails.
    """
    data = TrainingData(X=problem.X, y=problem.y, X_test=problem.X.iloc[:0], outputs=problem.n_outputs)
    rows = np.sort(np.random.default_rng(0).permutation(train)[: max(round(members.rows * len(train)), 1)])
    chosen = rows if members.rows < 1 else train
    fitted = [(one.weight, fit(_task(problem, one, chosen, part=members.rows), data)) for one in members.members]
    return RefittedEnsemble(tuple(fitted), problem.n_outputs)


def _task(problem: Problem, member: Member, train: np.ndarray, *, part: float) -> FitTask:
    model = member.model
    seed = (model.seeds or (0,))[0]
    context = make_context(problem, seed=seed, threads=_THREADS, device=resolve_device("auto"))
    factory = choose_models(problem, [model.name])[model.name]
    estimator = build_estimator(model.name, factory, problem, context)
    valid = np.arange(0)
    steps = tuple((max(round(part * planned), 1), max(round(part * taken), 1)) for planned, taken in member.steps)
    return FitTask(
        model=model.name,
        fold=0,
        seed=seed,
        threads=_THREADS,
        estimator=estimator,
        train=train,
        valid=valid,
        steps=steps,
    )


def names_of(members: Sequence[Member]) -> str:
    """The models with their weights in the ensemble.

    Parameters
    ----------
    members : sequence of Member
        The models.

    Returns
    -------
    str

    Examples
    --------
    >>> names_of([Member(LoadedModel(name="boosting"), 0.86, 1.0), Member(LoadedModel(name="linear"), 0.14, 1.0)])
    'boosting 0.86, linear 0.14'
    """
    return ", ".join(f"{member.model.name} {member.weight:.2f}" for member in members)
