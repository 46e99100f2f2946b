from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import log_loss
from sklearn.utils.estimator_checks import parametrize_with_checks

from kpipe.core.values import Context
from kpipe.errors import TrainingError
from kpipe.models.nets.tabular_net import TabularNetClassifier, TabularNetRegressor, tabular_net

SMALL = {"hidden": 16, "members": 3, "epochs": 2, "min_steps": 4, "random_state": 0}
BOTH = pytest.mark.parametrize("kind", [TabularNetClassifier, TabularNetRegressor])


@parametrize_with_checks(
    [
        TabularNetClassifier(random_state=0, hidden=32, members=2, batch_size=32, lr=0.02, epochs=5, min_steps=25),
        TabularNetRegressor(random_state=0, hidden=32, members=2, batch_size=32, lr=0.02, epochs=5, min_steps=25),
    ]
)
def test_the_estimators_pass_scikit_learns_checks(estimator, check):
    check(estimator)


def mixed(rows=200, seed=0):
    """A table with a column of every dtype, and the signal of which the target is made."""
    rng = np.random.default_rng(seed)
    many = rng.integers(0, 30, rows)
    frame = pd.DataFrame(
        {
            "number": rng.normal(size=rows),
            "skew": rng.lognormal(sigma=2, size=rows),
            "whole": rng.integers(0, 5, rows),
            "flag": rng.random(rows) < 0.5,
            "constant": 1.0,
            "empty": np.nan,
            "few": rng.choice(["a", "b", "c"], rows),
            "many": np.char.add("category ", many.astype(str)),
            "category": pd.Categorical(rng.choice(["x", "y"], rows)),
            "mostly": pd.array(np.where(rng.random(rows) < 0.2, None, rng.random(rows) < 0.5), dtype="boolean"),
        }
    )
    signal = frame["number"] + (frame["few"] == "a") + 0.5 * frame["flag"] + (many % 3 - 1)
    for name in ("number", "few"):
        frame.loc[rng.random(rows) < 0.1, name] = None
    return frame, signal.to_numpy()


def targets(kind, signal):
    return np.digitize(signal, [-0.5, 1.0]) if kind is TabularNetClassifier else signal


def answers(model, X):
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


@BOTH
def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(kind):
    X, signal = mixed()
    first, again, other = (
        pickle.dumps(kind(**{**SMALL, "random_state": seed}).fit(X, targets(kind, signal))) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


@BOTH
def test_the_prediction_of_a_row_does_not_depend_on_other_rows(kind):
    X, signal = mixed()
    model = kind(**SMALL).fit(X, targets(kind, signal))
    together = answers(model, X)
    alone = np.concatenate([answers(model, X.iloc[[row]]) for row in range(8)])
    np.testing.assert_allclose(alone, together[:8], rtol=0, atol=1e-12)
    np.testing.assert_allclose(answers(model, X.iloc[::-1])[::-1], together, rtol=0, atol=1e-12)


@BOTH
def test_a_pickled_or_cloned_estimator_predicts_the_same(kind):
    X, signal = mixed()
    y = targets(kind, signal)
    fitted = kind(**SMALL).fit(X, y)
    np.testing.assert_array_equal(answers(pickle.loads(pickle.dumps(fitted)), X), answers(fitted, X))
    np.testing.assert_array_equal(answers(clone(fitted).fit(X, y), X), answers(fitted, X))


@BOTH
def test_unseen_categories_new_missing_values_and_infinities_get_finite_predictions(kind):
    X, signal = mixed()
    model = kind(**SMALL).fit(X, targets(kind, signal))
    strange = X.head(4).assign(few="new", many=None, category=None, skew=[np.nan, np.inf, -np.inf, 1e300], empty=3.0)
    assert np.isfinite(answers(model, strange)).all()


@BOTH
def test_the_encoding_does_not_depend_on_the_order_of_rows(kind):
    X, signal = mixed()
    y = targets(kind, signal)
    shuffled = np.random.default_rng(1).permutation(len(X))
    one, other = kind(**SMALL).fit(X, y), kind(**SMALL).fit(X.iloc[shuffled], y[shuffled])
    np.testing.assert_array_equal(one.encoding_.encode(X), other.encoding_.encode(X))


@BOTH
def test_tables_of_only_text_only_numbers_or_one_column_can_be_fitted(kind):
    X, signal = mixed()
    y = targets(kind, signal)
    for columns in (["few", "many"], ["number", "skew"], ["flag"], ["empty"], ["many"]):
        assert np.isfinite(answers(kind(**SMALL).fit(X[columns], y), X[columns])).all()


@BOTH
def test_it_learns_from_numbers_categories_and_curves(kind):
    X, signal = mixed(700)
    signal = signal + 2 * np.abs(X["skew"].rank(pct=True).to_numpy() - 0.5)
    y = targets(kind, signal)
    model = kind(random_state=0).fit(X.head(500), y[:500])
    if kind is TabularNetClassifier:
        assert log_loss(y[500:], model.predict_proba(X.tail(200))) < 0.75  # 1.05 for the class shares
    else:
        assert model.score(X.tail(200), y[500:]) > 0.65  # 1.0 is out of reach: a tenth of the signal's inputs is hidden


def test_probabilities_are_one_row_each_and_sum_to_one():
    X, signal = mixed()
    proba = TabularNetClassifier(**SMALL).fit(X, targets(TabularNetClassifier, signal)).predict_proba(X)
    assert proba.shape == (200, 3)
    assert proba.dtype == np.float64
    np.testing.assert_allclose(proba.sum(axis=1), 1)


def test_a_regression_is_equivariant_to_shift_and_scale_of_the_target():
    X, y = mixed()
    plain, moved = (TabularNetRegressor(**SMALL).fit(X, target).predict(X) for target in (y, 1e6 + 1e3 * y))
    np.testing.assert_allclose((moved - 1e6) / 1e3, plain, atol=1e-3)


def test_the_absolute_loss_estimates_the_median_and_the_squared_loss_the_mean():
    rng = np.random.default_rng(0)
    X, y = pd.DataFrame({"x": rng.normal(size=600)}), rng.exponential(size=600)
    options = {**SMALL, "epochs": 30}
    mean, median, huber, counted = (
        TabularNetRegressor(loss=loss, **options).fit(X, y).predict(X).mean()
        for loss in ("squared", "absolute", "huber", "poisson")
    )
    assert median == pytest.approx(np.median(y), abs=0.12)
    assert mean == pytest.approx(y.mean(), abs=0.12)
    assert counted == pytest.approx(y.mean(), abs=0.12)
    assert median < huber < mean


def test_a_budget_cuts_epochs_of_large_tables_but_not_below_five():
    X, y = mixed()
    fitted = TabularNetRegressor(**{**SMALL, "epochs": 40}).fit(X, y)
    assert fitted._recipe(200).epochs == 40
    assert 5 < fitted.set_params(budget=10)._recipe(20_000).epochs < 40
    assert fitted._recipe(10_000_000).epochs == 5
    assert [fitted._recipe(rows).batch_size for rows in (800, 8_000, 80_000)] == [128, 256, 1024]


@pytest.mark.parametrize(
    "options", [{"depth": 1}, {"depth": 3}, {"members": 1}, {"bins": 1}, {"batch_size": 16}], ids=str
)
def test_a_net_of_each_shape_can_be_fitted(options):
    X, y = mixed()
    assert TabularNetRegressor(**{**SMALL, **options}).fit(X, y).predict(X).shape == (200,)


def test_fit_and_predict_restore_the_global_random_states():
    X, y = mixed()
    torch_state = torch.get_rng_state()
    np.random.seed(0)  # noqa: NPY002  # the legacy state is what must not be touched
    expected = np.random.RandomState(0).random()
    TabularNetRegressor(**SMALL).fit(X, y).predict(X)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.random.random() == expected  # noqa: NPY002


def test_the_factory_takes_task_loss_seed_and_threads_from_the_context():
    classifier = tabular_net(Context(task="classification", n_classes=3, seed=3, threads=2), members=4)
    assert isinstance(classifier, TabularNetClassifier)
    assert (classifier.random_state, classifier.threads, classifier.members) == (3, 2, 4)
    assert tabular_net(Context(task="regression", loss="absolute")).loss == "absolute"
    assert tabular_net(Context(task="regression", loss="absolute"), loss="huber").loss == "huber"


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"members": 0}, "members must be 1 or more, got 0"),
        ({"hidden": 0}, "hidden must be 1 or more, got 0"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1, got 1.0"),
        ({"budget": 0}, "budget must be above 0, got 0"),
        ({"loss": "cubed"}, "loss must be 'squared', 'absolute', 'huber' or 'poisson', got 'cubed'"),
    ],
    ids=str,
)
def test_a_parameter_out_of_range_is_refused_by_name(option, words):
    X, y = mixed()
    with pytest.raises(ValueError, match=words):
        TabularNetRegressor(**{**SMALL, **option}).fit(X, y)


def test_a_table_of_other_columns_is_refused():
    X, y = mixed()
    fitted = TabularNetRegressor(**SMALL).fit(X, y)
    with pytest.raises(ValueError, match="number"):
        fitted.predict(X.drop(columns="number"))


def test_one_class_and_negative_counts_are_refused():
    X, y = mixed()
    with pytest.raises(ValueError, match=r"at least 2 classes, got \[0\]"):
        TabularNetClassifier().fit(X, np.zeros(len(X), dtype=int))
    with pytest.raises(ValueError, match="must not be negative"):
        TabularNetRegressor(loss="poisson").fit(X, y)


def test_predict_before_fit_is_refused():
    with pytest.raises(NotFittedError):
        TabularNetClassifier().predict(mixed()[0])


def test_a_diverging_learning_rate_is_a_training_error_that_names_a_smaller_one():
    X, y = mixed()
    with pytest.raises(TrainingError, match="Use a smaller learning rate"):
        TabularNetRegressor(**{**SMALL, "lr": 1e30, "epochs": 20}).fit(X, y)


def test_numbers_that_all_but_coincide_can_be_learned() -> None:
    X = pd.DataFrame({"mean of a group": np.tile([-1.0, -1e-51, 0.0, 1.0, 2.0], 30)})
    fitted = TabularNetRegressor(epochs=2, random_state=0).fit(X, X["mean of a group"].to_numpy())
    assert np.isfinite(fitted.predict(X)).all()
