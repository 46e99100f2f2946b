"""Select the models of a run, and build the estimator of each."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import make_pipeline

from kpipe.core.metrics import Metric
from kpipe.core.values import Context, Loss
from kpipe.errors import KpipeError, TrainingError
from kpipe.models import CATALOG, Model, model, unknown_model
from kpipe.models.on_sample import OnSample
from kpipe.models.per_target import PerTarget
from kpipe.problem.competition import Factory
from kpipe.problem.problem import Problem
from kpipe.training.inner_splits import with_inner_splits, without_families
from kpipe.training.stacking import STACKERS

__all__ = ["build_estimator", "choose_models", "make_context", "shortest_share", "uses_gpu", "wrap_estimator"]

# Networks that train for as long as their time limit allows (kpipe.models.nets.schedule), and the options that say how
# long they train without one.
_ELASTIC = ("convnet", "neural", "photo-net", "tabular-net")
_LENGTH = ("epochs", "min_steps")
_SHORTEST_SEED = {"photo-net": 0.5}  # model → what ``shortest_share`` returns
_OF_DEVICES = ("device", "device_type", "task_type")  # parameters of estimators
# Integers are counts if they have more than the first number of distinct values, and are at most the second.
_COUNTS = (20, 10_000)


def choose_models(problem: Problem, names: Sequence[str] = (), *, budget: float | None = None) -> dict[str, Factory]:
    """Return the models of a run, by name.

    Parameters
    ----------
    problem : Problem
    names : sequence of str
        A name is looked up among the competition's own models first, then in the catalogue. By default the
        competition's default models.
    budget : float, optional
        Seconds of the run. With a budget, the default models are followed by those that the competition reserves for
        budgets, unless ``problem.budget_order`` is another; the stacking layer comes last. A default network is omitted
        if a reserved model is the same network with a longer training.

    Returns
    -------
    dict of str to Factory

    Raises
    ------
    UsageError
        If there is no model of a name.
    """
    own = {**STACKERS, **problem.models}
    further = problem.budgeted if budget is not None else ()
    short = {name for name in problem.default if _is_short(name, further, problem.models)}
    usual = [name for name in (problem.default if budget is None else problem.budget_order) if name not in short]
    above = STACKERS if budget is not None and len(usual) > 1 else ()
    chosen = dict.fromkeys(names or [*usual, *above])
    for name in chosen:
        if name not in own and name not in CATALOG:
            raise unknown_model(name, list(dict.fromkeys([*problem.models, *CATALOG])))
    return {name: own[name] if name in own else model(name) for name in chosen}


def _is_short(name: str, further: Sequence[str], models: Mapping[str, Factory]) -> bool:
    """Whether further models hold the same network with a longer training.

    The longer one trains for as long as there is time, and one training that uses all of the time learns more than two
    that share it (docs/decisions/0017-pictures.md).
    """
    short = models.get(name)
    longer = (models.get(other) for other in further)
    return isinstance(short, Model) and any(isinstance(one, Model) and _extends(one, short) for one in longer)


def _extends(model: Model, short: Model) -> bool:
    if model.name != short.name or model.name not in _ELASTIC:
        return False
    epochs = [each.options.get("epochs", 0) for each in (model, short)]
    others = [{name: each.options[name] for name in each.options if name not in _LENGTH} for each in (model, short)]
    return epochs[0] > epochs[1] and others[0] == others[1]


def shortest_share(factory: Factory) -> float:
    """Return the share of a model's training time from which an additional seed is trained in the time left.

    Parameters
    ----------
    factory : callable
        Context → estimator.

    Returns
    -------
    float
        1, except for networks that fit the number of their steps to the time left: the mean of two is better than one,
        even if the second was trained for half as long.
    """
    return _SHORTEST_SEED.get(factory.name, 1.0) if isinstance(factory, Model) else 1.0


def make_context(problem: Problem, *, seed: int, threads: int, device: str) -> Context:
    """Return the ``Context`` for a model factory.

    Parameters
    ----------
    problem : Problem
    seed : int
    threads : int
        CPU threads that a fit may use.
    device : str
        "cpu", "cuda" or "mps".

    Returns
    -------
    Context
        For an ordinal scale, the task is a regression on the class codes.
    """
    regression = problem.is_ordinal or problem.task == "regression"
    several = problem.y.ndim > 1
    return Context(
        task="regression" if regression else "classification",
        loss="squared" if problem.is_ordinal else _loss(problem.metric, problem.y),
        n_classes=0 if regression else 2 if several else problem.n_outputs,
        seed=seed,
        threads=threads,
        device=device,
        weights=problem.weights,
    )


def build_estimator(name: str, factory: Factory, problem: Problem, context: Context) -> BaseEstimator:
    """Return the unfitted estimator of a model, with the competition's features and the scale of the metric.

    Parameters
    ----------
    name : str
        For messages.
    factory : callable
        Context → estimator.
    problem : Problem
    context : Context

    Returns
    -------
    BaseEstimator

    Raises
    ------
    TrainingError
        If the factory fails.
    """
    try:
        estimator = factory(context)
    except KpipeError:
        raise
    except Exception as error:
        failure = TrainingError(
            f"Model {name!r} could not be created: {type(error).__name__}: {error}", code="model-not-created"
        )
        failure.add_note(traceback.format_exc())
        raise failure from None
    return wrap_estimator(problem, estimator)


def uses_gpu(estimator: BaseEstimator, device: str) -> bool:
    """Return whether an estimator computes on the GPU, by its parameters.

    Parameters
    ----------
    estimator : BaseEstimator
        As ``build_estimator`` returns it. kpipe's networks and XGBoost have a parameter ``device``, LightGBM
        ``device_type``, CatBoost ``task_type``.
    device : str
        "cpu", "cuda" or "mps": that of the run.

    Returns
    -------
    bool
        False if the run uses the CPU; True if the parameters cannot be read.
    """
    if device == "cpu":
        return False
    try:
        parameters = estimator.get_params()
    except Exception:  # the user's class may raise anything
        return True
    named = [value for name, value in parameters.items() if name.rpartition("__")[2] in _OF_DEVICES]
    return any(str(value).lower() not in ("cpu", "none") for value in named)


def wrap_estimator(problem: Problem, estimator: BaseEstimator) -> BaseEstimator:
    """Return an estimator that gets the competition's features, and learns the target on the metric's scale.

    Parameters
    ----------
    problem : Problem
    estimator : BaseEstimator
        With the attribute ``raw = True`` it gets the columns unchanged.

    Returns
    -------
    BaseEstimator
        It learns log(1 + y) if the metric is a squared error on that scale. Several targets are learned separately,
        unless all are known in every row and the estimator has a method ``joint`` that returns an estimator for all.
    """
    if isinstance(estimator, OnSample):  # features are fitted on the sample, too
        quick = without_families(clone(problem.features)) if problem.features is not None else None
        inner = wrap_estimator(replace(problem, features=quick), estimator.estimator)
        return OnSample(inner, rows=estimator.rows, random_state=estimator.random_state)
    if problem.features is not None and not getattr(estimator, "raw", False):
        estimator = make_pipeline(with_inner_splits(clone(problem.features), problem), estimator)
    if problem.metric.log_target:
        estimator = TransformedTargetRegressor(estimator, func=np.log1p, inverse_func=np.expm1, check_inverse=False)
    if len(problem.targets) == 1:
        return estimator
    joint = getattr(estimator, "joint", None)
    return PerTarget(estimator) if joint is None or np.isnan(problem.y).any() else joint()


def _loss(metric: Metric, y: np.ndarray) -> Loss:
    """Return the loss that a regression minimises: the metric's own one, or Poisson's where the target is a count."""
    if metric.loss != "squared" or metric.log_target or y.ndim > 1 or y.dtype.kind != "f":
        return metric.loss
    few, most = _COUNTS
    is_count = y.min() >= 0 and y.max() <= most and bool((y % 1 == 0).all()) and len(np.unique(y)) > few
    return "poisson" if is_count else "squared"
