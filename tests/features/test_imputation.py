from __future__ import annotations

from kpipe.features import ModeImputer
from tests.features.test_encoders import NEW, TRAIN


def test_missing_values_become_the_mode_of_the_fitting_rows() -> None:
    filled = ModeImputer().fit(TRAIN).transform(NEW)
    assert filled["port"].tolist() == ["Mars", "S"]
    assert filled["age"].tolist() == [20.0, 1e9]
    assert filled["empty"].isna().all()
