from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

import kpipe
from kpipe import pipeline
from kpipe.core.values import Context
from kpipe.errors import UsageError
from kpipe.models.nets import pretrained as module
from kpipe.models.nets.pretrained import PictureFeatures, pretrained, seen_size
from kpipe.models.picture_weights import find_picture_weights
from tests.pretrained_weights import picture_table, write_pictures, write_resnet


@pytest.fixture
def weights(tmp_path):
    return str(write_resnet(tmp_path / "resnet18.safetensors"))


def context(**changes) -> Context:
    return Context(**{"task": "classification", "n_classes": 2, **changes})


def test_a_linear_model_learns_from_the_features(weights):
    X, y = picture_table(60), np.arange(60) % 2
    fitted = pretrained(context(), weights=weights, side=64).fit(X[:40], y[:40])
    assert fitted.score(X[40:], y[40:]) == 1
    assert fitted.predict_proba(X).shape == (60, 2)


def test_an_option_that_the_linear_model_does_not_have_is_refused(weights):
    with pytest.raises(UsageError, match=r"The model 'pretrained' has no option 'c'. Did you mean C\?"):
        kpipe.model("pretrained", c=1)(context(weights={"pictures": find_picture_weights(weights).weights}))


def test_numbers_are_predicted_too(weights):
    X = picture_table(60)
    y = np.arange(60) % 2 * 10.0
    fitted = pretrained(context(task="regression", n_classes=0), weights=weights, side=64).fit(X, y)
    assert np.corrcoef(fitted.predict(X), y)[0, 1] > 0.9


def test_the_features_of_a_picture_depend_on_no_other_picture(weights, monkeypatch, tmp_path):
    features = PictureFeatures(find_picture_weights(weights).weights, side=64).fit(picture_table(50))
    together = features.transform(picture_table(50))
    for rows in (slice(0, 1), slice(3, 20), slice(49, None, -1)):
        monkeypatch.setenv("KPIPE_CACHE", str(tmp_path / f"{rows}"))  # nothing is known there
        assert features.transform(picture_table(50)[rows]).tobytes() == together[rows].tobytes()


def test_a_picture_and_its_mirror_image_have_the_same_features(weights):
    X = picture_table(4, (12, 10, 3))
    mirrored = X.copy()
    mirrored[:] = X.to_numpy().reshape(4, 12, 10, 3)[:, :, ::-1].reshape(4, -1)
    features = PictureFeatures(find_picture_weights(weights).weights, side=40).fit(X)
    np.testing.assert_allclose(features.transform(X), features.transform(mirrored), atol=2e-2)


@pytest.mark.parametrize(
    ("shape", "side", "size"),
    [
        ((32, 32, 3), 0, (128, 128)),
        ((64, 32, 1), 0, (128, 64)),
        ((100, 200, 3), 0, (100, 200)),
        ((400, 300, 3), 0, (224, 168)),
        ((10, 10, 3), 40, (40, 40)),
    ],
)
def test_small_pictures_are_enlarged_and_large_ones_made_smaller(shape, side, size):
    assert seen_size(shape, side) == size


def test_grey_pictures_other_columns_and_no_rows_are_handled(weights):
    X = picture_table(6, (12, 10, 1)).assign(age=1.5)
    features = PictureFeatures(find_picture_weights(weights).weights, side=40).fit(X)
    assert features.transform(X).shape == (6, 96)
    assert features.transform(X[:0]).shape == (0, 96)


def test_other_weights_are_other_features(weights, tmp_path):
    other = str(write_resnet(tmp_path / "other" / "resnet18.pth", seed=1))
    X = picture_table(3)
    first, second = (PictureFeatures(find_picture_weights(p).weights, side=40).fit(X) for p in (weights, other))
    assert not np.allclose(first.transform(X), second.transform(X))


def test_a_table_without_pictures_is_refused(weights):
    X = picture_table(6).rename(columns=lambda name: name.replace("pixel", "x"))
    with pytest.raises(UsageError, match="needs pictures"):
        pretrained(context(), weights=weights).fit(X, np.arange(6) % 2)


def test_the_estimator_is_cloned_and_pickled_with_the_hash_of_its_weights(weights):
    made = pretrained(context(), weights=weights)
    assert pickle.loads(pickle.dumps(clone(made)))[0].weights == made[0].weights
    assert len(made[0].weights.sha256) == 64


def test_a_run_finds_the_weights_uses_them_and_records_file_hash_and_licence(weights, tmp_path, monkeypatch):
    data = write_pictures(tmp_path / "data", 12)
    monkeypatch.setattr(module, "_SIDE", 32)
    monkeypatch.setattr(module, "_ROWS", 2)
    run = kpipe.run("red-or-blue", str(data), weights=weights, models=["pretrained"], folds=2, jobs=1, out=tmp_path)
    record = json.loads((run.path / "run.json").read_text())
    assert record["models"][0]["name"] == "pretrained"
    assert record["score"] == 1
    assert record["weights"]["pictures"] == {
        "path": weights,
        "architecture": "resnet18",
        "sha256": find_picture_weights(weights).weights.sha256,
        "licence": "unknown",
        "origin": "--weights",
    }
    assert record["options"]["weights"] == weights
    assert "pretrained" in pipeline.prepare(kpipe.RunRequest("red-or-blue", str(data), weights=weights)).default
    without = pipeline.prepare(kpipe.RunRequest("red-or-blue", str(data), weights="none"))
    assert "pretrained" not in without.default
    assert without.reasons["weights"].text == "--weights none was given"


def test_broken_weights_are_refused_before_anything_is_trained(weights, tmp_path):
    data = write_pictures(tmp_path / "data", 12)
    broken = tmp_path / "resnet34.safetensors"
    broken.write_bytes(Path(weights).read_bytes()[:4000])
    with pytest.raises(UsageError, match="is not a plain weights file"):
        kpipe.run("red-or-blue", str(data), weights=str(broken), out=tmp_path)
