"""fastai's tabular learner: it learns, it is seeded, and missing values and unseen categories do not stop it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier, is_regressor

from kpipe.core.values import Context, Task
from kpipe.models import model

RNG = np.random.default_rng(0)
X = pd.DataFrame({"x": RNG.normal(size=400), "z": RNG.normal(size=400), "town": RNG.choice(["a", "b", "c"], size=400)})
SIGNAL = X["x"] + (X["town"] == "a") * 2
TARGETS = {"classification": (SIGNAL > 0.7).to_numpy().astype(int), "regression": SIGNAL.to_numpy() * 50 + 1000}
BOTH = pytest.mark.parametrize("task", TARGETS)


def fitted(task: Task, seed: int = 0):
    context = Context(task=task, n_classes=2, seed=seed)
    return clone(model("fastai-tabular")(context)).fit(X[:300], TARGETS[task][:300])


@BOTH
def test_it_learns_from_numbers_and_categories(task: Task) -> None:
    net = fitted(task)
    assert is_classifier(net) == (task == "classification")
    assert is_regressor(net) == (task == "regression")
    assert net.score(X[300:], TARGETS[task][300:]) > 0.8


@BOTH
def test_the_same_seed_gives_the_same_bytes(task: Task) -> None:
    once, again, other = (fitted(task, seed).predict(X[300:]) for seed in (1, 1, 2))
    assert once.tobytes() == again.tobytes()
    if task == "regression":
        assert once.tobytes() != other.tobytes()


def test_infinite_values_are_missing_values() -> None:
    rows = X[:300].assign(x=X["x"].where(X.index > 5, np.inf))
    predicted = model("fastai-tabular")(Context(task="regression")).fit(rows, TARGETS["regression"][:300]).predict(rows)
    assert np.isfinite(predicted).all()


@BOTH
def test_missing_values_and_unseen_categories_get_finite_predictions(task: Task) -> None:
    strange = X[:3].assign(x=[np.nan, 1e300, -1e300], town=[None, "nowhere", "a"])
    net = fitted(task)
    found = net.predict_proba(strange) if task == "classification" else net.predict(strange)
    assert np.isfinite(found).all()
