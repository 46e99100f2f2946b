from __future__ import annotations

import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.utils.estimator_checks import parametrize_with_checks

from kpipe.core.values import Context
from kpipe.errors import TrainingError, UsageError
from kpipe.models.nets.convnet import ConvNetClassifier, ConvNetRegressor, convnet, photo_net


class AnyWidth(ConvNetClassifier):
    """Rows that are not square images count as one line of pixels: scikit-learn's checks have 1 to 30 columns."""

    def _image_shape(self, features):
        return (1, features, 1) if math.isqrt(features) ** 2 != features else super()._image_shape(features)


@pytest.fixture(scope="module")
def digits():
    small, y = load_digits(return_X_y=True)
    # 8 x 8 pixels, enlarged to 28 x 28
    images = np.kron(small.reshape(-1, 8, 8), np.ones((3, 3))) * (255 / 16)
    X = np.pad(images, ((0, 0), (2, 2), (2, 2))).reshape(len(y), 784).astype(np.uint8)
    return X, y


def quick(**options):
    return ConvNetClassifier(**{"epochs": 1, "min_steps": 3, "random_state": 0, **options})


# the columns of these checks are not pixels: a shifted row is another row
UNCHANGED = {"rotation": 0, "zoom": 0, "shift": 0, "first_size": 1, "test_time_augmentation": False}


@parametrize_with_checks([AnyWidth(random_state=0, batch_size=32, min_steps=60, **UNCHANGED)])
def test_the_estimator_passes_scikit_learns_checks(estimator, check):
    check(estimator)


def test_six_hundred_digits_are_enough_for_an_accuracy_of_90_percent(digits):
    X, y = digits
    fitted = ConvNetClassifier(random_state=0, min_steps=100).fit(X[:600], y[:600])
    assert fitted.score(X[600:], y[600:]) > 0.9


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(digits):
    X, y = digits
    first, again, other = (pickle.dumps(quick(random_state=seed).fit(X[:200], y[:200])) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_pickled_estimator_predicts_the_same(digits):
    X, y = digits
    fitted = quick().fit(X[:200], y[:200])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict_proba(X), fitted.predict_proba(X))


def test_a_pickled_estimator_of_tiny_images_predicts_the_same_bytes():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), np.arange(60) % 3
    fitted = quick(shape=(1, 3, 1), min_steps=60, batch_size=32).fit(X, y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict_proba(X), fitted.predict_proba(X))


def test_pixels_as_bytes_and_as_floats_give_the_same_predictions(digits):
    X, y = digits
    as_bytes, as_floats = (quick().fit(table, y[:200]) for table in (X[:200], X[:200].astype(float)))
    assert as_bytes.scale_ == as_floats.scale_ == 255
    np.testing.assert_allclose(as_bytes.predict_proba(X), as_floats.predict_proba(X.astype(float)), atol=1e-6)


def test_fit_and_predict_restore_torchs_global_state(digits):
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


def test_probabilities_undo_label_smoothing(digits):
    X, y = digits
    fitted = ConvNetClassifier(random_state=0, label_smoothing=0.3, min_steps=60).fit(X[:600], y[:600])
    # a certain network gives 1 - 0.3 * 9 / 10 = 0.73 in training
    assert np.median(fitted.predict_proba(X[:600]).max(axis=1)) > 0.85


def test_label_smoothing_out_of_range_is_refused(digits):
    X, y = digits
    with pytest.raises(ValueError, match=r"label_smoothing must be at least 0 and below 1, got 1\.0"):
        quick(label_smoothing=1.0).fit(X[:20], y[:20])


def test_predicted_labels_have_the_type_of_the_given_ones(digits):
    X, y = digits
    names = np.array(["even", "odd"])[y % 2]
    assert set(quick().fit(X[:100], names[:100]).predict(X[:50])) <= {"even", "odd"}
    assert quick().fit(X[:100], y[:100].astype(float)).classes_.dtype == float


@pytest.mark.parametrize("shape", [(28, 28, 1), (14, 56, 1), (14, 14, 4), (16, 7, 7), (1, 784, 1)], ids=str)
def test_rows_of_any_shape_can_be_learned(digits, shape):
    X, y = digits
    assert quick(shape=shape).fit(X[:60], y[:60]).shape_ == shape


def test_a_number_of_columns_that_is_no_square_is_refused_with_the_remedy(digits):
    X, y = digits
    with pytest.raises(ValueError, match=r"must be a square number, but X has 783. Give shape="):
        quick().fit(X[:20, 1:], y[:20])


def test_a_number_of_columns_that_does_not_fill_the_shape_is_refused_with_the_remedy(digits):
    X, y = digits
    with pytest.raises(ValueError, match=r"must fill shape=\(28, 28, 3\), but X has 784"):
        quick(shape=(28, 28, 3)).fit(X[:20], y[:20])


def test_missing_pixels_are_refused(digits):
    X, y = digits
    X = X[:50].astype(float)
    X[3, 100] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        quick().fit(X, y[:50])


def test_a_diverging_learning_rate_is_a_training_error_that_names_a_smaller_one(digits):
    X, y = digits
    with pytest.raises(TrainingError, match=r"in epoch \d+ with lr=1e\+30. Use a smaller learning rate"):
        quick(lr=1e30, min_steps=20).fit(X[:50], y[:50])


def test_an_unknown_device_is_refused_in_fit(digits):
    X, y = digits
    with pytest.raises(UsageError, match="'abacus'"):
        quick(device="abacus").fit(X[:20], y[:20])


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"size": "huge"}, "size must be 'small', 'large' or 'photo', got 'huge'"),
        ({"padding": "grey"}, "padding must be 'zeros' or 'reflection', got 'grey'"),
        ({"cutmix": 1.5}, "cutmix must be from 0 to 1, got 1.5"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1, got 1.0"),
    ],
    ids=str,
)
def test_a_parameter_out_of_range_is_refused_by_name(digits, option, words):
    X, y = digits
    with pytest.raises(ValueError, match=words):
        quick(**option).fit(X[:20], y[:20])


@pytest.mark.parametrize("size", ["small", "large"])
def test_the_prediction_of_a_row_does_not_depend_on_other_rows(digits, size):
    X, y = digits
    fitted = quick(size=size).fit(X[:200], y[:200])
    whole = fitted.predict_proba(X[:300])
    alone = np.vstack([fitted.predict_proba(X[row : row + 1]) for row in (7, 123)])
    np.testing.assert_allclose(whole[[7, 123]], alone, atol=1e-3 * whole.std(axis=0).max())


def test_test_time_augmentation_changes_predictions_and_not_weights(digits):
    X, y = digits
    augmented, plain = (quick(test_time_augmentation=choice).fit(X[:200], y[:200]) for choice in (True, False))
    np.testing.assert_equal(augmented.weights_, plain.weights_)
    assert not np.allclose(augmented.predict_proba(X[:50]), plain.predict_proba(X[:50]))


def test_test_time_augmentation_is_the_mean_over_the_image_and_four_shifts(digits):
    X, y = digits
    augmented, plain = (
        quick(label_smoothing=0.0, test_time_augmentation=choice).fit(X[:200], y[:200]) for choice in (True, False)
    )
    images = X[:20].reshape(-1, 28, 28)
    moves = [(0, 0), (1, 2), (-1, 2), (1, 1), (-1, 1)]  # the digits' margins are empty, so that rolling is shifting
    shifted = [np.roll(images, step, axis=axis).reshape(20, -1) if axis else X[:20] for step, axis in moves]
    expected = np.mean([plain.predict_proba(rows) for rows in shifted], axis=0)
    np.testing.assert_allclose(augmented.predict_proba(X[:20]), expected, atol=1e-5)


def test_making_an_estimator_does_not_import_torch():
    code = "import sys, kpipe.models.nets.convnet as c; c.ConvNetClassifier(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_factory_takes_seed_threads_and_device_from_the_context():
    classifier = clone(convnet(Context(task="classification", n_classes=10, seed=7, threads=2), shape=(4, 4, 1)))
    assert classifier.get_params().items() >= {"random_state": 7, "threads": 2, "shape": (4, 4, 1)}.items()


def test_the_factory_refuses_a_regression():
    with pytest.raises(UsageError, match="'convnet' needs classes, but the task is regression"):
        convnet(Context(task="regression"))


class AnyWidthRegressor(ConvNetRegressor):
    """As ``AnyWidth``."""

    def _image_shape(self, features):
        return (1, features, 1) if math.isqrt(features) ** 2 != features else super()._image_shape(features)


@parametrize_with_checks([AnyWidthRegressor(random_state=0, batch_size=32, min_steps=60, **UNCHANGED)])
def test_the_regressor_passes_scikit_learns_checks(estimator, check):
    check(estimator)


def test_numbers_are_learned_one_or_several_at_once(digits):
    X, _ = digits
    left, right = X.reshape(-1, 28, 28)[:, :, :14].mean(axis=(1, 2)), X.reshape(-1, 28, 28)[:, :, 14:].mean(axis=(1, 2))
    options = {"random_state": 0, "epochs": 1, "min_steps": 50, "batch_size": 32, **UNCHANGED}
    for y in (1000 + left, np.column_stack([left, 5 * right])):
        net = ConvNetRegressor(**options).fit(X[:400], y[:400])
        assert net.score(X[400:800], y[400:800]) > 0.7


def test_one_network_learns_several_targets_that_are_0_or_1(digits):
    X, y = digits
    targets = np.column_stack([y == 0, y % 2]).astype(np.int64)
    net = ConvNetClassifier(random_state=0, min_steps=60, batch_size=64, rotation=0, shift=0).joint()
    proba = net.fit(X[:600], targets[:600]).predict(X[600:1000])
    assert ((proba > 0) & (proba < 1)).all()
    assert (np.mean((proba > 0.5) == targets[600:1000], axis=0) > 0.85).all()


def test_a_picture_and_its_mirror_image_get_the_same_prediction():
    pictures = np.random.default_rng(0).integers(0, 255, (40, 8, 6, 3)).astype(np.uint8)
    net = photo_net(Context(task="classification", n_classes=2), shape=(8, 6, 3), epochs=1, min_steps=5)
    net.fit(pictures.reshape(40, -1), np.arange(40) % 2)
    ahead, mirrored = (net.predict_proba(each.reshape(40, -1)) for each in (pictures, pictures[:, :, ::-1]))
    np.testing.assert_allclose(ahead, mirrored, atol=1e-5)


@pytest.mark.parametrize(("task", "mixed"), [("classification", 0.5), ("regression", 0.0)])
def test_pictures_are_mixed_where_they_have_labels_and_not_where_they_have_numbers(task, mixed):
    assert photo_net(Context(task=task, n_classes=2 if mixed else 0), shape=(4, 4, 3)).cutmix == mixed


def test_pictures_with_numbers_get_a_net_that_predicts_numbers():
    net = photo_net(Context(task="regression", loss="absolute", seed=3), shape=(4, 4, 3))
    assert isinstance(net, ConvNetRegressor)
    assert (net.loss, net.random_state, net.size) == ("absolute", 3, "photo")
