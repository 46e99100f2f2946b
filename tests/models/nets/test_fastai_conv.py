from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone

from kpipe.core.values import Context
from kpipe.errors import TrainingError, UsageError
from kpipe.models import model
from kpipe.models.nets.fastai_conv import FastaiConv

TEN = Context(task="classification", n_classes=10, seed=3)
QUICK = {
    "fastai-conv": {"channels": (4, 8, 8, 8), "cycles": 2},
    "one-number": {"hidden": 4, "epochs": 2},
}
each_name = pytest.mark.parametrize("name", QUICK)


def images(rows: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """Bars of 10 heights on 12 × 12 pixels."""
    rng = np.random.default_rng(0)
    y = rng.integers(10, size=rows)
    lit = np.arange(12)[None, :, None] <= y[:, None, None]
    return (lit * rng.integers(150, 256, size=(rows, 12, 12))).reshape(rows, 144).astype(np.uint8), y


@each_name
def test_the_same_seed_gives_the_same_bytes_and_torchs_random_state_is_restored(name: str) -> None:
    X, y = images()
    before = torch.get_rng_state()
    made = [model(name, **QUICK[name])(Context(task="classification", seed=s)).fit(X, y) for s in (1, 1, 2)]
    first, again, other = (fitted.predict_proba(X) for fitted in made)
    assert first.tobytes() == again.tobytes()
    assert not np.allclose(first, other)
    assert torch.equal(torch.get_rng_state(), before)
    assert pickle.loads(pickle.dumps(made[0])).predict(X).tolist() == made[0].predict(X).tolist()
    assert clone(made[0]).get_params() == made[0].get_params()


def test_convolutions_learn_images_and_leave_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    X, y = images(2000)
    conv = model("fastai-conv", channels=(8, 16, 16), cycles=4, batch_size=64)(TEN).fit(X[:1500], y[:1500])
    assert (conv.predict(X[1500:]) == y[1500:]).mean() > 0.9
    assert conv.loss_curve_[-1] < conv.loss_curve_[0]
    found = conv.lr_find(X, y)
    assert 1e-6 < found.valley < 10
    assert len(found.lrs) == len(found.losses) > 50
    assert (np.diff(found.lrs) > 0).all()
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().out == ""


def test_epochs_are_followed_by_cycles() -> None:
    X, y = images()
    both = FastaiConv(channels=(4, 4, 4), epochs=2, cycles=1, lr=0.1, optimizer="sgd", random_state=0).fit(X, y)
    assert both.loss_curve_.shape == (3,)
    alone = FastaiConv(channels=(4, 4, 4), epochs=2, cycles=0, lr=0.1, optimizer="sgd", random_state=0).fit(X, y)
    np.testing.assert_allclose(alone.loss_curve_, both.loss_curve_[:2], rtol=1e-6)


@pytest.mark.parametrize("name", QUICK)
def test_a_regression_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"'{name}' needs classes, but the task is regression"):
        model(name)(Context(task="regression"))


def test_parameters_columns_and_learning_rates_that_cannot_be_trained_are_refused() -> None:
    X, y = images(50)
    with pytest.raises(ValueError, match="epochs or cycles must be 1 or more"):
        FastaiConv(epochs=0, cycles=0).fit(X, y)
    with pytest.raises(ValueError, match="the number of columns must be a square number, got 143"):
        FastaiConv().fit(X[:, :143], y)
    with pytest.raises(TrainingError, match=r"in epoch 1 with lr=1e\+38\. Use a smaller learning rate"):
        FastaiConv(channels=(4,), batch_norm=False, epochs=2, cycles=0, lr=1e38, optimizer="sgd", batch_size=10).fit(
            X, y
        )
