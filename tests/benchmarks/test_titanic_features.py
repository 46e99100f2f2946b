"""benchmarks/titanic_features.py: no idea uses the target of the row that it describes, nor that of a locked row."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "titanic_features.py"


@pytest.fixture(scope="module")
def features(kaggle_zip) -> ModuleType:
    kaggle_zip("titanic")
    spec = importlib.util.spec_from_file_location("titanic_features", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_ideas_use_the_targets_of_other_fitted_rows_only(features: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    own, locked = features.locked(0, 1, by_group=False)[0]
    before = features.ideas_of(own, locked)
    spoilt = features.Y.copy()
    spoilt[locked] = 1 - spoilt[locked]
    spoilt[own[0]] = 1 - spoilt[own[0]]
    monkeypatch.setattr(features, "Y", spoilt)
    after = features.ideas_of(own, locked)
    assert len(before[0]) == 84
    for name, values in before[0].items():
        np.testing.assert_array_equal(after[0][name][0], values[0], err_msg=name)
    assert not np.array_equal(before[1]["near-20"], after[1]["near-20"])  # the fitted row's target does matter
    monkeypatch.setattr(features, "Y", np.where(np.isin(np.arange(len(spoilt)), locked), -7, spoilt))
    for name, values in features.ideas_of(own, locked)[1].items():
        np.testing.assert_array_equal(values, after[1][name], err_msg=name)


def test_groups_are_locked_away_whole(features: ModuleType) -> None:
    groups = features.link_groups(features.TABLE["Ticket"], features.TABLE["Family"])
    for own, locked in features.locked(0, 1, by_group=True):
        assert not set(groups[own]) & set(groups[locked])
