from __future__ import annotations

import numpy as np
import pandas as pd

from kpipe.report.partial_dependence import partial_dependence


def test_the_dependence_of_an_additive_model_is_the_effect_of_the_column() -> None:
    frame = pd.DataFrame({"a": np.arange(200.0), "b": ["x", "y"] * 100, "id": [f"n{k}" for k in range(200)]})
    predict = lambda rows: (2 * rows["a"] + 10 * (rows["b"] == "x")).to_numpy(dtype=float)[:, None]  # noqa: E731
    a, b = partial_dependence(predict, frame, ["a", "b", "id"])  # every row has its own id: it is left out
    assert a.is_numeric
    np.testing.assert_allclose(np.diff(a.means[:, 0]), 2 * np.diff(a.values))
    assert sorted(b.values) == ["x", "y"]
    assert abs(np.ptp(b.means[:, 0]) - 10) < 1e-9


def test_hashes_and_constants_have_no_dependence() -> None:
    frame = pd.DataFrame({"hash": np.arange(20) * 2**55, "constant": 1.0, "empty": np.full(20, np.nan)})
    assert partial_dependence(lambda rows: np.zeros((len(rows), 1)), frame, list(frame)) == ()
