from __future__ import annotations

from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kpipe.training.kept_models import is_kept, save_model

X = np.random.default_rng(0).normal(size=(60, 2))


class Network(BaseEstimator):
    """As kpipe's networks keep their state."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> Network:
        self.weights_ = {"layer.weight": np.ones((2, 2), dtype=np.float32)}
        return self


class Broken(BaseEstimator):
    """Its library's format fails."""

    estimator_ = None

    @property
    def weights_(self) -> dict[str, object]:
        raise RuntimeError("no weights")


def test_a_kept_model_is_the_pipeline_and_lightgbms_own_file(tmp_path: Path) -> None:
    from lightgbm import Booster, LGBMRegressor

    fitted = make_pipeline(StandardScaler(), LGBMRegressor(n_estimators=3, verbosity=-1, n_jobs=1)).fit(X, X[:, 0])
    save_model(fitted, str(tmp_path / "models"), "boosting-seed0-fold0")
    assert is_kept(str(tmp_path / "models"), "boosting-seed0-fold0")
    again = joblib.load(tmp_path / "models" / "boosting-seed0-fold0.joblib")
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    booster = Booster(model_file=tmp_path / "models" / "boosting-seed0-fold0.lightgbm.txt")
    np.testing.assert_allclose(booster.predict(fitted[0].transform(X)), fitted.predict(X))


def test_the_state_of_a_network_is_kept_without_a_pickle(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    save_model(Network().fit(X, X[:, 0]), str(tmp_path), "net-seed0-fold0")
    assert load_file(tmp_path / "net-seed0-fold0.safetensors")["layer.weight"].shape == (2, 2)


@pytest.mark.parametrize("model", [StandardScaler(), Broken()], ids=["no format of its own", "a format that fails"])
def test_a_model_without_a_format_of_its_library_is_kept_as_joblib_alone(tmp_path: Path, model: BaseEstimator) -> None:
    save_model(model, str(tmp_path), "other-seed0-fold0")
    assert [file.name for file in tmp_path.iterdir()] == ["other-seed0-fold0.joblib"]
