from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.utils.estimator_checks import parametrize_with_checks

from kpipe.errors import TrainingError
from kpipe.models.teaching.one_number import OneNumber, rmse
from kpipe.studies.digits_mistakes import Broadcasting
from tests.models.nets.test_fastai_conv import images


@parametrize_with_checks([OneNumber(random_state=0, epochs=60, lr=0.05, batch_size=16, hidden=16)])
def test_the_estimator_passes_scikit_learns_checks(estimator, check) -> None:
    check(estimator)


@pytest.mark.parametrize("hidden", [0, 5])
def test_both_trainers_take_the_same_steps(hidden: int) -> None:
    """From the same first weights and on batches of all rows, so that their order does not matter."""
    X, y = images(200)
    nets = [
        OneNumber(hidden=hidden, trainer=by, lr=1e-4, epochs=3, batch_size=200, random_state=5).fit(X, y)
        for by in ("hand", "learner")
    ]
    for one, other in zip(nets[0].weights_ + nets[0].constants_, nets[1].weights_ + nets[1].constants_, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(nets[0].values(X), nets[1].values(X), rtol=1e-3, atol=1e-4)


def test_the_nearest_label_is_the_most_probable_and_outputs_stay_in_range() -> None:
    X, y = images()
    net = OneNumber(lr=1e-3, epochs=5, random_state=0).fit(X, y + 20)  # labels are positions, whatever they are called
    values = net.values(X)
    assert (values >= 0).all()
    assert (values <= 9.5).all()
    np.testing.assert_array_equal(net.predict(X), 20 + values.round().clip(0, 9))
    np.testing.assert_array_equal(net.predict_proba(X).argmax(axis=1), values.round().clip(0, 9))


def test_the_loss_compares_each_prediction_with_its_own_label_and_the_broadcasting_mistake_with_all() -> None:
    predicted, wanted = torch.tensor([[1.0], [5.0], [9.0]]), torch.tensor([1.0, 5.0, 9.0])
    assert rmse(predicted, wanted) == 0
    assert Broadcasting.loss(predicted, wanted) == pytest.approx(np.sqrt((4 * 16 + 2 * 64) / 9))


def test_an_unknown_trainer_and_a_diverging_learning_rate_are_refused() -> None:
    X, y = images(50)
    with pytest.raises(ValueError, match="trainer must be 'hand' or 'learner', got 'foot'"):
        OneNumber(trainer="foot").fit(X, y)
    with pytest.raises(TrainingError, match=r"A weight is no longer a finite number with lr=1e\+38"):
        OneNumber(lr=1e38, hidden=4, epochs=2).fit(X, y)
