from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.base import is_classifier, is_regressor
from sklearn.linear_model import LinearRegression, LogisticRegression

from kpipe.models.on_sample import OnSample
from kpipe.models.per_target import PerTarget

X = pd.DataFrame({"x": np.arange(20.0)})
LOGISTIC = LogisticRegression()


def test_each_target_has_a_clone_of_the_estimator() -> None:
    y = np.column_stack([2 * X["x"], -X["x"]])
    fitted = PerTarget(LinearRegression()).fit(X, y)
    np.testing.assert_allclose(fitted.predict(X), y, atol=1e-9)
    assert len(fitted.estimators_) == 2


def test_of_a_classifier_the_probability_of_class_1_is_predicted() -> None:
    y = np.column_stack([X["x"] > 9, X["x"] < 5]).astype(int)
    predicted = PerTarget(LogisticRegression()).fit(X, y).predict(X)
    expected = [LogisticRegression().fit(X, column).predict_proba(X)[:, 1] for column in y.T]
    np.testing.assert_allclose(predicted, np.column_stack(expected))


def test_a_classifier_on_a_sample_is_a_classifier() -> None:
    y = np.column_stack([X["x"] > 9, X["x"] < 5]).astype(int)
    predicted, expected = (PerTarget(model).fit(X, y).predict(X) for model in (OnSample(LOGISTIC), LOGISTIC))
    np.testing.assert_array_equal(predicted, expected)
    assert is_classifier(OnSample(LOGISTIC))
    assert is_regressor(OnSample(LinearRegression()))


def test_a_target_with_a_single_value_is_predicted_by_that_value() -> None:
    y = np.column_stack([np.zeros(20, dtype=int), X["x"] > 9]).astype(int)
    predicted = PerTarget(LogisticRegression()).fit(X, y).predict(X)
    np.testing.assert_array_equal(predicted[:, 0], 0.0)
