"""Promises of the convolutional network, on scikit-learn's digits: 8 x 8, enlarged to 28 x 28."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.utils.estimator_checks import parametrize_with_checks

from kpipe.errors import TrainingError, UsageError
from kpipe.models.convnet import ConvNetClassifier, convnet, warp
from kpipe.values import Context


class AnyWidth(ConvNetClassifier):
    """Rows that are no pictures are taken for one line of pixels: scikit-learn's checks come with 1 to 30 columns."""

    def _image_shape(self, features):
        return (1, features, 1) if math.isqrt(features) ** 2 != features else super()._image_shape(features)


@pytest.fixture(scope="module")
def digits():
    small, y = load_digits(return_X_y=True)
    pictures = np.kron(small.reshape(-1, 8, 8), np.ones((3, 3))) * (255 / 16)
    X = np.pad(pictures, ((0, 0), (2, 2), (2, 2))).reshape(len(y), 784).astype(np.uint8)
    return X, y


def quick(**options):
    return ConvNetClassifier(**{"epochs": 1, "min_steps": 3, "random_state": 0, **options})


# the checks' columns are no pixels: a shifted row is another row
@parametrize_with_checks([AnyWidth(random_state=0, batch_size=32, min_steps=60, rotation=0, zoom=0, shift=0)])
def test_the_convnet_keeps_scikit_learns_contract(estimator, check):
    check(estimator)


def test_six_hundred_digits_are_enough_for_nine_in_ten(digits):
    X, y = digits
    fitted = ConvNetClassifier(random_state=0, min_steps=100).fit(X[:600], y[:600])
    assert fitted.score(X[600:], y[600:]) > 0.9


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(digits):
    X, y = digits
    first, again, other = (pickle.dumps(quick(random_state=seed).fit(X[:200], y[:200])) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_what_is_pickled_predicts_the_same(digits):
    X, y = digits
    fitted = quick().fit(X[:200], y[:200])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict_proba(X), fitted.predict_proba(X))


def test_bytes_and_the_same_numbers_as_floats_are_one_table(digits):
    X, y = digits
    as_bytes, as_floats = (quick().fit(table, y[:200]) for table in (X[:200], X[:200].astype(float)))
    assert as_bytes.scale_ == as_floats.scale_ == 255
    np.testing.assert_allclose(as_bytes.predict_proba(X), as_floats.predict_proba(X.astype(float)), atol=1e-6)


def test_fitting_and_predicting_leave_torchs_global_state_alone(digits):
    X, y = digits
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    quick(threads=threads + 1).fit(X[:100], y[:100]).predict(X[:100])
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_probabilities_are_one_row_each_and_sum_to_one(digits):
    X, y = digits
    proba = quick().fit(X[:200], y[:200]).predict_proba(X[:7])
    assert proba.shape == (7, 10)
    assert proba.dtype == np.float64
    np.testing.assert_allclose(proba.sum(axis=1), 1)


def test_label_smoothing_is_taken_back_from_the_probabilities(digits):
    X, y = digits
    fitted = ConvNetClassifier(random_state=0, label_smoothing=0.3, min_steps=60).fit(X[:600], y[:600])
    # a network that is sure says 1 - 0.3 * 9 / 10 = 0.73 while it is trained
    assert np.median(fitted.predict_proba(X[:600]).max(axis=1)) > 0.85


def test_label_smoothing_out_of_range_is_refused(digits):
    X, y = digits
    with pytest.raises(ValueError, match=r"label_smoothing must be at least 0 and below 1, however: 1\.0"):
        quick(label_smoothing=1.0).fit(X[:20], y[:20])


def test_labels_come_back_in_their_own_type(digits):
    X, y = digits
    names = np.array(["even", "odd"])[y % 2]
    assert set(quick().fit(X[:100], names[:100]).predict(X[:50])) <= {"even", "odd"}
    assert quick().fit(X[:100], y[:100].astype(float)).classes_.dtype == float


@pytest.mark.parametrize("shape", [(28, 28, 1), (14, 56, 1), (14, 14, 4), (16, 7, 7), (1, 784, 1)], ids=str)
def test_rows_of_any_shape_can_be_learned(digits, shape):
    X, y = digits
    assert quick(shape=shape).fit(X[:60], y[:60]).shape_ == shape


def test_columns_that_are_no_square_are_refused_with_the_remedy(digits):
    X, y = digits
    with pytest.raises(ValueError, match=r"must be a square number, however: X has 783. Give shape="):
        quick().fit(X[:20, 1:], y[:20])


def test_columns_that_do_not_fill_the_shape_are_refused_with_the_remedy(digits):
    X, y = digits
    with pytest.raises(ValueError, match=r"must fill shape=\(28, 28, 3\), however: X has 784"):
        quick(shape=(28, 28, 3)).fit(X[:20], y[:20])


def test_missing_pixels_are_refused(digits):
    X, y = digits
    X = X[:50].astype(float)
    X[3, 100] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        quick().fit(X, y[:50])


def test_a_learning_rate_that_explodes_is_a_training_error_with_its_remedy(digits):
    X, y = digits
    with pytest.raises(TrainingError, match=r"in epoch \d+ with lr=1e\+30. Use a smaller learning rate"):
        quick(lr=1e30, min_steps=20).fit(X[:50], y[:50])


def test_a_device_that_is_not_here_is_refused_at_fit(digits):
    X, y = digits
    with pytest.raises(UsageError, match="'abacus'"):
        quick(device="abacus").fit(X[:20], y[:20])


def test_a_warp_of_nothing_gives_the_picture_back_and_a_turn_goes_the_same_way_in_every_channel():
    rows, generator = torch.rand(3, 5 * 7 * 2), torch.Generator().manual_seed(0)
    same = warp(rows, generator, shape=(5, 7, 2), rotation=0, zoom=0, shift=0)
    torch.testing.assert_close(same, rows)
    twice = rows.reshape(3, 5, 7, 2)[..., :1].expand(3, 5, 7, 2).reshape(3, -1)
    turned = warp(twice, generator, shape=(5, 7, 2), rotation=30, zoom=0.2, shift=1).reshape(3, 5, 7, 2)
    torch.testing.assert_close(turned[..., 0], turned[..., 1])
    assert not torch.allclose(turned, twice.reshape(3, 5, 7, 2))


def test_a_turn_keeps_the_shape_of_things_in_pictures_that_are_not_square():
    cross = torch.zeros(1, 21, 41)
    cross[0, 10, 5:36] = 1  # a level line, 31 long
    upright = [
        warp(cross.reshape(1, -1), torch.Generator().manual_seed(seed), shape=(21, 41, 1), rotation=90, zoom=0, shift=0)
        for seed in range(5)
    ]
    # the line leaves the picture where it stands up, and never grows
    assert all(picture.sum() <= cross.sum() * 1.01 for picture in upright)


def test_the_factory_takes_seed_threads_and_device_from_the_context():
    classifier = clone(convnet(Context(task="classification", n_classes=10, seed=7, threads=2), shape=(4, 4, 1)))
    assert classifier.get_params().items() >= {"random_state": 7, "threads": 2, "shape": (4, 4, 1)}.items()


def test_the_factory_refuses_a_regression():
    with pytest.raises(UsageError, match="must be given classes, however: the task is regression"):
        convnet(Context(task="regression"))
