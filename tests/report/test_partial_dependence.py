from __future__ import annotations

import numpy as np
import pandas as pd

from kpipe.report.partial_dependence import Dependence, partial_dependence, plot


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


def test_the_caption_names_the_class_whose_range_it_gives() -> None:
    found = Dependence(column="Age", values=(1.0, 2.0), means=np.array([[0.2, 0.8], [0.4, 0.6]]))
    of_two = plot(found, [(0, "C"), (1, "D")], "predicted probability", limits=(0.0, 1.0))
    assert of_two.caption == "Age: the mean predicted probability of C ranges from 0.2 to 0.4."
    of_one = plot(found, [(1, "D")], "predicted probability of D", limits=(0.0, 1.0))
    assert of_one.caption == "Age: the mean predicted probability of D ranges from 0.6 to 0.8."
