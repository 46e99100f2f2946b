"""fastai's Learner as an estimator, and the nets whose label is one number."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from kpipe.core.values import Context
from kpipe.errors import TrainingError, UsageError
from kpipe.models import model
from kpipe.models.nets.fastai_learner import FastaiConv
from kpipe.models.teaching.one_number import OneNumber, rmse
from kpipe.studies.digit_mistakes import Broadcasting

TEN = Context(task="classification", n_classes=10, seed=3)
QUICK = {
    "fastai-conv": {"channels": (4, 8, 8, 8), "cycles": 2},
    "one-number": {"hidden": 4, "epochs": 2},
}
each_name = pytest.mark.parametrize("name", QUICK)


def pictures(rows: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """Bars of 10 heights on 12 × 12 pixels."""
    rng = np.random.default_rng(0)
    y = rng.integers(10, size=rows)
    lit = np.arange(12)[None, :, None] <= y[:, None, None]
    return (lit * rng.integers(150, 256, size=(rows, 12, 12))).reshape(rows, 144).astype(np.uint8), y


@parametrize_with_checks([OneNumber(random_state=0, epochs=60, lr=0.05, batch_size=16, hidden=16)])
def test_a_net_of_one_number_keeps_scikit_learns_contract(estimator, check) -> None:
    check(estimator)


@each_name
def test_the_same_seed_gives_the_same_bytes_and_torchs_random_state_stays(name: str) -> None:
    X, y = pictures()
    before = torch.get_rng_state()
    made = [model(name, **QUICK[name])(Context(task="classification", seed=s)).fit(X, y) for s in (1, 1, 2)]
    first, again, other = (fitted.predict_proba(X) for fitted in made)
    assert first.tobytes() == again.tobytes()
    assert not np.allclose(first, other)
    assert torch.equal(torch.get_rng_state(), before)
    assert pickle.loads(pickle.dumps(made[0])).predict(X).tolist() == made[0].predict(X).tolist()
    assert clone(made[0]).get_params() == made[0].get_params()


def test_convolutions_learn_what_one_number_hardly_does_and_leave_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    X, y = pictures(2000)
    conv = model("fastai-conv", channels=(8, 16, 16), cycles=4, batch_size=64)(TEN).fit(X[:1500], y[:1500])
    assert (conv.predict(X[1500:]) == y[1500:]).mean() > 0.9
    assert conv.loss_curve_[-1] < conv.loss_curve_[0]
    found = conv.lr_find(X, y)
    assert 1e-6 < found.valley < 10
    assert len(found.lrs) == len(found.losses) > 50
    assert (np.diff(found.lrs) > 0).all()
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().out == ""


def test_fit_and_fit_one_cycle_follow_each_other() -> None:
    X, y = pictures()
    both = FastaiConv(channels=(4, 4, 4), epochs=2, cycles=1, lr=0.1, optimizer="sgd", random_state=0).fit(X, y)
    assert both.loss_curve_.shape == (3,)
    alone = FastaiConv(channels=(4, 4, 4), epochs=2, cycles=0, lr=0.1, optimizer="sgd", random_state=0).fit(X, y)
    np.testing.assert_allclose(alone.loss_curve_, both.loss_curve_[:2], rtol=1e-6)


@pytest.mark.parametrize("hidden", [0, 5])
def test_the_learner_and_the_hand_take_the_same_steps(hidden: int) -> None:
    """From the same first weights and on batches of all rows, so that their order does not matter."""
    X, y = pictures(200)
    nets = [
        OneNumber(hidden=hidden, trainer=by, lr=1e-4, epochs=3, batch_size=200, random_state=5).fit(X, y)
        for by in ("hand", "learner")
    ]
    for one, other in zip(nets[0].weights_ + nets[0].constants_, nets[1].weights_ + nets[1].constants_, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(nets[0].values(X), nets[1].values(X), rtol=1e-3, atol=1e-4)


def test_the_nearest_label_is_the_likeliest_and_values_stay_in_range() -> None:
    X, y = pictures()
    net = OneNumber(lr=1e-3, epochs=5, random_state=0).fit(X, y + 20)  # labels are positions, whatever they are called
    values = net.values(X)
    assert (values >= 0).all()
    assert (values <= 9.5).all()
    np.testing.assert_array_equal(net.predict(X), 20 + values.round().clip(0, 9))
    np.testing.assert_array_equal(net.predict_proba(X).argmax(axis=1), values.round().clip(0, 9))


def test_labels_meet_predictions_in_one_shape_where_the_mistake_pairs_each_with_all() -> None:
    predicted, wanted = torch.tensor([[1.0], [5.0], [9.0]]), torch.tensor([1.0, 5.0, 9.0])
    assert rmse(predicted, wanted) == 0
    assert Broadcasting.loss(predicted, wanted) == pytest.approx(np.sqrt((4 * 16 + 2 * 64) / 9))


@pytest.mark.parametrize("name", QUICK)
def test_a_regression_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"'{name}' needs classes, but the task is regression"):
        model(name)(Context(task="regression"))


def test_what_cannot_be_trained_is_named() -> None:
    X, y = pictures(50)
    with pytest.raises(ValueError, match="epochs or cycles must be 1 or more"):
        FastaiConv(epochs=0, cycles=0).fit(X, y)
    with pytest.raises(ValueError, match="the number of columns must be a square number, however: 143"):
        FastaiConv().fit(X[:, :143], y)
    with pytest.raises(ValueError, match="trainer must be 'hand' or 'learner', however: 'foot'"):
        OneNumber(trainer="foot").fit(X, y)
    with pytest.raises(TrainingError, match=r"in epoch 1 with lr=1e\+38\. Use a smaller learning rate"):
        FastaiConv(channels=(4,), batch_norm=False, epochs=2, cycles=0, lr=1e38, optimizer="sgd", batch_size=10).fit(
            X, y
        )
