"""The plain net: scikit-learn's contract, repeatable to the byte, and each option does what it says."""

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
from kpipe.models import model
from kpipe.models.teaching.mlp import PlainClassifier, PlainRegressor
from tests.tables import survivors

BOTH = pytest.mark.parametrize("kind", [PlainClassifier, PlainRegressor])
SMALL = {"hidden": (8,), "epochs": 3, "random_state": 0}


@parametrize_with_checks([
    # the checks' tables have 20 to 200 rows and ask for accuracies of 0.8 to 0.9: small batches, long steps
    PlainClassifier(hidden=(16,), batch_size=16, lr=0.02, random_state=0),
    PlainRegressor(hidden=(16,), batch_size=16, lr=0.02, random_state=0),
])  # fmt: skip
def test_the_estimators_pass_scikit_learns_checks(estimator, check) -> None:
    check(estimator)


def table(kind: type, rows: int = 120) -> tuple[np.ndarray, np.ndarray]:
    if kind is PlainClassifier:
        return make_classification(rows, n_features=6, n_informative=4, n_classes=3, random_state=0)
    return make_friedman1(rows, n_features=6, random_state=0)


def fitted(kind: type, **options: object) -> PlainClassifier | PlainRegressor:
    return kind(**{**SMALL, **options}).fit(*table(kind))


@BOTH
def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(kind: type) -> None:
    options = {"dropout": 0.5}
    first, again, other = (pickle.dumps(fitted(kind, random_state=seed, **options)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@BOTH
def test_fit_and_predict_restore_torchs_random_state(kind: type) -> None:
    before = torch.get_rng_state()
    fitted(kind, dropout=0.5).predict(table(kind)[0])
    assert torch.equal(torch.get_rng_state(), before)


@BOTH
def test_a_pickled_estimator_predicts_the_same(kind: type) -> None:
    X, net = table(kind)[0], fitted(kind)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(net)).predict(X), net.predict(X))
    assert clone(net).get_params() == net.get_params()


@BOTH
def test_the_prediction_of_a_row_depends_neither_on_other_rows_nor_on_dropout(kind: type) -> None:
    X, net = table(kind)[0], fitted(kind, dropout=0.5)
    predict = net.predict_proba if kind is PlainClassifier else net.predict
    assert predict(X).dtype == np.float64
    np.testing.assert_allclose(predict(X[[7, 3]]), predict(X)[[7, 3]], rtol=1e-12)


def test_probabilities_are_one_row_each_and_sum_to_one() -> None:
    proba = fitted(PlainClassifier).predict_proba(table(PlainClassifier)[0][:7])
    assert proba.shape == (7, 3)
    np.testing.assert_allclose(proba.sum(axis=1), 1)


@BOTH
def test_watched_rows_are_predicted_after_every_epoch_and_change_nothing(kind: type) -> None:
    X, y = table(kind)
    blind, seeing = kind(**SMALL, dropout=0.5).fit(X, y), kind(**SMALL, dropout=0.5).fit(X, y, watched=X[:9])
    predict = seeing.predict_proba if kind is PlainClassifier else seeing.predict
    assert not hasattr(blind, "watched_")
    assert seeing.watched_.shape[:2] == (3, 9)
    np.testing.assert_allclose(seeing.watched_[-1], predict(X[:9]), rtol=1e-4)
    assert all((blind.weights_[name] == seeing.weights_[name]).all() for name in blind.weights_)


@BOTH
def test_the_loss_of_every_epoch_is_kept_and_falls(kind: type) -> None:
    history = fitted(kind, epochs=20).loss_curve_
    assert history.shape == (20,)
    assert history[-1] < history[0]


def test_a_linear_net_learns_the_least_squares_solution() -> None:
    X, y = table(PlainRegressor)
    wanted = np.linalg.lstsq(np.c_[X, np.ones(len(X))], y, rcond=None)[0]
    line = PlainRegressor(lr=0.01, epochs=3000, batch_size=len(X), random_state=0).fit(X, y)
    np.testing.assert_allclose(line.predict(X), np.c_[X, np.ones(len(X))] @ wanted, atol=0.01)


def test_a_standardised_target_moves_with_its_shift_and_scale_and_a_raw_one_is_taken_as_it_is() -> None:
    X, y = table(PlainRegressor)
    plain, moved = (PlainRegressor(**SMALL).fit(X, target).predict(X) for target in (y, 1e6 + 1e3 * y))
    np.testing.assert_allclose((moved - 1e6) / 1e3, plain, atol=1e-3)
    assert PlainRegressor(**SMALL, target="raw").fit(X, 1e6 + 1e3 * y).predict(X).max() < 1e3


@pytest.mark.parametrize(
    ("initialisation", "deviation"), [("normal", 0.01), ("xavier", (2 / (400 + 300)) ** 0.5), ("default", 1200**-0.5)]
)
def test_first_weights_have_the_deviation_of_their_initialisation(initialisation: str, deviation: float) -> None:
    X = np.random.default_rng(0).normal(size=(4, 400))
    net = PlainRegressor(hidden=(300,), initialisation=initialisation, lr=1e-12, epochs=1, random_state=0)
    weights = net.fit(X, X[:, 0]).weights_
    assert weights["0.weight"].std() == pytest.approx(deviation, rel=0.02)
    assert (np.abs(weights["0.bias"]).max() < 1e-9) == (initialisation != "default")


@BOTH
def test_weight_decay_shrinks_the_weights(kind: type) -> None:
    sizes = [np.abs(fitted(kind, weight_decay=decay, epochs=30).weights_["0.weight"]).sum() for decay in (0, 0.1, 1)]
    assert sizes[0] > sizes[1] > sizes[2]


@BOTH
@pytest.mark.parametrize(
    "options",
    [{"activation": "sigmoid"}, {"activation": "tanh"}, {"dropout": 0.5}, {"optimizer": "sgd"}, {"hidden": (8, 8)}],
    ids=str,
)
def test_each_option_changes_the_predictions(kind: type, options: dict[str, object]) -> None:
    assert fitted(kind, **options).loss_curve_[-1] != fitted(kind).loss_curve_[-1]


def test_without_a_hidden_layer_dropout_and_activation_have_no_effect() -> None:
    first, second = fitted(PlainRegressor, hidden=()), fitted(PlainRegressor, hidden=(), dropout=0.5, activation="tanh")
    assert first.loss_curve_.tobytes() == second.loss_curve_.tobytes()


@BOTH
@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"hidden": (8, 0)}, r"hidden must hold sizes of 1 or more, got \(8, 0\)"),
        ({"activation": "relo"}, "activation must be 'relu', 'sigmoid' or 'tanh', got 'relo'"),
        ({"initialisation": "zero"}, "initialisation must be 'default', 'xavier' or 'normal', got 'zero'"),
        ({"optimizer": "lion"}, "optimizer must be 'adam' or 'sgd', got 'lion'"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1, got 1.0"),
        ({"weight_decay": -1.0}, "weight_decay must be 0 or more, got -1.0"),
        ({"lr": 0.0}, "lr must be above 0, got 0.0"),
        ({"batch_size": 0}, "batch_size must be 1 or more, got 0"),
        ({"epochs": 0}, "epochs must be 1 or more, got 0"),
    ],
    ids=str,
)
def test_a_parameter_out_of_range_is_refused_by_name_in_fit(kind: type, option: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        fitted(kind, **option)


def test_an_unknown_target_scale_is_refused_in_fit() -> None:
    with pytest.raises(ValueError, match="target must be 'standardised' or 'raw', got 'log'"):
        fitted(PlainRegressor, target="log")


@BOTH
def test_a_diverging_loss_is_an_error_that_names_the_epoch_and_a_smaller_learning_rate(kind: type) -> None:
    with pytest.raises(TrainingError, match=r"in epoch \d+ with lr=1e\+30. Use a smaller learning rate, such as"):
        fitted(kind, lr=1e30, epochs=20)


def test_one_class_and_a_missing_device_are_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 2 classes, got \[1.0\]"):
        PlainClassifier().fit(np.zeros((4, 2)), np.ones(4))
    with pytest.raises(UsageError, match="'abacus'"):
        fitted(PlainClassifier, device="abacus")


def test_the_factory_encodes_a_table_and_takes_task_seed_threads_and_device_from_the_context() -> None:
    made = survivors()
    X, y = made.train.drop(columns=["id", "survived"]), made.train["survived"]
    net = model("mlp", hidden=(8,))(Context(task="classification", n_classes=2, seed=7, threads=2)).fit(X, y)
    assert net.predict_proba(X).shape == (len(X), 2)
    assert net[-1].get_params().items() >= {"random_state": 7, "threads": 2, "device": "cpu", "hidden": (8,)}.items()
    assert isinstance(model("mlp")(Context(task="regression"))[-1], PlainRegressor)
