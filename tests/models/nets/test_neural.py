from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import make_classification, make_friedman1
from sklearn.utils.estimator_checks import parametrize_with_checks

from kpipe.core.values import Context
from kpipe.errors import TrainingError, UsageError
from kpipe.models.nets.neural import NeuralClassifier, NeuralRegressor, neural

SMALL = {"epochs": 2, "min_steps": 4, "random_state": 0}
BOTH = pytest.mark.parametrize("kind", [NeuralClassifier, NeuralRegressor])


@parametrize_with_checks(
    [
        # the checks' tables have 20 to 200 rows and ask for accuracies of 0.8 to 0.9: small batches, two members
        NeuralClassifier(random_state=0, members=2, epochs=4, min_steps=30, batch_size=16, lr=0.02),
        NeuralRegressor(random_state=0, members=2, epochs=4, min_steps=30, batch_size=16, lr=0.02),
    ]
)
def test_the_estimators_pass_scikit_learns_checks(estimator, check):
    check(estimator)


def table(kind, rows=120):
    if kind is NeuralClassifier:
        return make_classification(rows, n_features=6, n_informative=4, n_classes=3, random_state=0)
    return make_friedman1(rows, n_features=6, random_state=0)


@BOTH
def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(kind):
    X, y = table(kind)
    first, again, other = (pickle.dumps(kind(**{**SMALL, "random_state": seed}).fit(X, y)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@BOTH
def test_a_pickled_estimator_predicts_the_same(kind):
    X, y = table(kind)
    fitted = kind(**SMALL).fit(X, y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(X), fitted.predict(X))


@BOTH
def test_fit_and_predict_restore_the_global_random_states(kind):
    X, y = table(kind)
    torch_state = torch.get_rng_state()
    np.random.seed(0)  # noqa: NPY002  # the legacy state is what must not be touched
    expected = np.random.RandomState(0).random()
    kind(**SMALL).fit(X, y).predict(X)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.random.random() == expected  # noqa: NPY002


def test_probabilities_are_one_row_each_and_sum_to_one():
    X, y = table(NeuralClassifier)
    proba = NeuralClassifier(**SMALL).fit(X, y).predict_proba(X[:7])
    assert proba.shape == (7, 3)
    assert proba.dtype == np.float64
    np.testing.assert_allclose(proba.sum(axis=1), 1)


def test_a_regression_is_equivariant_to_shift_and_scale_of_the_target():
    X, y = table(NeuralRegressor)
    plain, moved = (NeuralRegressor(**SMALL).fit(X, target).predict(X) for target in (y, 1e6 + 1e3 * y))
    np.testing.assert_allclose((moved - 1e6) / 1e3, plain, atol=1e-3)


def test_an_extreme_value_is_clipped_and_not_taken_for_the_mean():
    X, y = table(NeuralRegressor)
    fitted = NeuralRegressor(**SMALL).fit(X, y)
    far = np.repeat(X[:1], 2, axis=0)
    far[:, 0] = [1e10, 1e200]
    large, huge = fitted.predict(far)
    assert large == huge


def test_the_regressor_beats_a_straight_line_on_a_curved_target():
    X, y = table(NeuralRegressor, rows=600)
    # a linear regression gives 0.72 to 0.76 here, the true function without its noise 0.96
    assert NeuralRegressor(random_state=0).fit(X[:450], y[:450]).score(X[450:], y[450:]) > 0.85


@pytest.mark.parametrize("options", [{"batch_norm": True}, {"hidden": ()}, {"hidden": (8,)}, {"members": 1}], ids=str)
def test_a_network_of_each_shape_can_be_fitted(options):
    X, y = table(NeuralClassifier)
    assert NeuralClassifier(**SMALL, **options).fit(X, y).predict(X).shape == (120,)


@BOTH
def test_missing_values_are_refused(kind):
    X, y = table(kind)
    X[3, 2] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        kind(**SMALL).fit(X, y)


def test_a_diverging_learning_rate_is_a_training_error_that_names_a_smaller_one():
    X, y = table(NeuralRegressor)
    with pytest.raises(TrainingError, match=r"in epoch \d+ with lr=1e\+30. Use a smaller learning rate, such as"):
        NeuralRegressor(epochs=20, lr=1e30, random_state=0).fit(X, y)


def test_one_class_is_refused():
    with pytest.raises(ValueError, match=r"at least 2 classes, got \[1.0\]"):
        NeuralClassifier().fit(np.zeros((4, 2)), np.ones(4))


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"members": 0}, "members must be 1 or more, got 0"),
        ({"hidden": (64, 0)}, r"hidden must hold sizes of 1 or more, got \(64, 0\)"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1, got 1.0"),
        ({"epochs": 0}, "epochs must be 1 or more, got 0"),
        ({"lr": -1.0}, "lr must be above 0, got -1.0"),
    ],
    ids=str,
)
def test_a_parameter_out_of_range_is_refused_by_name_in_fit(option, words):
    estimator = NeuralClassifier(**option)
    with pytest.raises(ValueError, match=words):
        estimator.fit(*table(NeuralClassifier))


def test_an_unknown_device_is_refused_in_fit():
    with pytest.raises(UsageError, match="'abacus'"):
        NeuralClassifier(device="abacus").fit(*table(NeuralClassifier))


def test_the_factory_takes_task_seed_threads_and_device_from_the_context():
    classifier = neural(Context(task="classification", n_classes=2, seed=7, threads=2, device="cpu"), hidden=(8,))[-1]
    assert isinstance(classifier, NeuralClassifier)
    assert (
        clone(classifier).get_params().items()
        >= {"random_state": 7, "threads": 2, "device": "cpu", "hidden": (8,)}.items()
    )
    assert isinstance(neural(Context(task="regression"))[-1], NeuralRegressor)
