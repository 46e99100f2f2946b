"""Nets from scratch: scikit-learn's contract, the notebook's draws, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from kpipe.core.values import Context
from kpipe.errors import TrainingError, UsageError
from kpipe.models import model
from kpipe.models.teaching.scratch import Layer, ScratchClassifier, Uniform
from tests.tables import survivors

NAMES = ("straight-line", "sigmoid", "shallow", "deep")
TWO = Context(task="classification", n_classes=2, seed=442)
each_name = pytest.mark.parametrize("name", NAMES)


@parametrize_with_checks([ScratchClassifier(random_state=0)])
def test_the_estimator_passes_scikit_learns_checks(estimator, check) -> None:
    check(estimator)


@each_name
def test_the_seed_is_torchs_seed_so_that_442_gives_the_notebooks_numbers(name: str) -> None:
    drawn = model(name, lr=1e-12, epochs=1)(TWO)[-1].fit(np.eye(12), np.arange(12) % 2)
    torch.manual_seed(442)
    first = torch.rand(*drawn.weights_[0].shape)
    layer = drawn.layers[0].weights
    np.testing.assert_allclose(
        drawn.weights_[0], (first - layer.shift) / layer.scale**-1 / first.shape[1], rtol=1e-5, atol=1e-7
    )


@each_name
def test_fit_restores_torchs_random_state_and_gives_the_same_bytes_again(name: str) -> None:
    made = survivors()
    X, y = made.train.drop(columns=["id", "survived"]), made.train["survived"]
    before = torch.get_rng_state()
    first, second = (model(name)(TWO).fit(X, y).predict_proba(X) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert first.tobytes() == second.tobytes()
    assert clone(model(name)(TWO)) is not None


@each_name
def test_the_prediction_of_a_row_does_not_depend_on_other_rows(name: str) -> None:
    made = survivors()
    X, y = made.train.drop(columns=["id", "survived"]), made.train["survived"]
    fitted = model(name)(TWO).fit(X, y)
    np.testing.assert_allclose(
        fitted.predict_proba(X.iloc[[7, 3]]), fitted.predict_proba(X)[[7, 3]], rtol=1e-12, atol=1e-15
    )


@each_name
@pytest.mark.parametrize(
    ("context", "given"),
    [
        (Context(task="regression"), "the task is regression"),
        (Context(task="classification", n_classes=10), "the target has 10"),
    ],
)
def test_anything_but_two_classes_is_refused(name: str, context: Context, given: str) -> None:
    with pytest.raises(UsageError, match=f"The model '{name}' needs two classes, but {given}"):
        model(name)(context)


def test_a_diverging_loss_is_an_error_that_names_the_epoch_and_a_smaller_learning_rate() -> None:
    line = ScratchClassifier(end="none", lr=1e38, epochs=5, random_state=0)
    with pytest.raises(TrainingError, match=r"in epoch [2-5] with lr=1e\+38\. Use a smaller learning rate"):
        line.fit(np.eye(4) * 1e3, [0, 1, 0, 1])


def test_weights_are_drawn_before_constants() -> None:
    layers = (Layer(3, Uniform(0.5)), Layer(1, Uniform(0.3), constant=Uniform(0.0)))
    drawn = ScratchClassifier(layers=layers, lr=1e-12, epochs=1, random_state=7).fit(np.eye(4), [0, 1, 0, 1])
    torch.manual_seed(7)
    wanted = [torch.rand(4, 3), torch.rand(3, 1), torch.rand(1)]
    np.testing.assert_allclose(drawn.constants_[1], wanted[2], rtol=1e-6)
    assert drawn.constants_[0] is None
