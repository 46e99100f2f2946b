from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from kpipe.features import dummies, pixel_scaler, soft_clip_scaler


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-(10**6), 10**6), min_size=3, max_size=30), st.lists(st.floats(-1e100, 1e100), min_size=2))
def test_scaled_numbers_stay_within_3_and_in_order(fitted: list[int], new: list[float]) -> None:
    scaler = soft_clip_scaler().fit(np.array(fitted, dtype=float)[:, None])
    scaled = scaler.transform(np.sort(new)[:, None])[:, 0]
    assert np.abs(scaled).max() <= 3
    assert (np.diff(scaled) >= -1e-9).all()


def test_a_number_too_large_to_square_is_scaled_to_the_limit_and_not_to_the_mean() -> None:
    with np.errstate(over="ignore"):
        assert soft_clip_scaler().fit(np.arange(4.0)[:, None]).transform(np.array([[1e200]]))[0, 0] > 2.9


def test_no_scaled_number_reaches_3() -> None:
    scaled = soft_clip_scaler().fit_transform(np.array([[0.0]] * 99 + [[1e12]]))
    assert scaled.max() < 3


def test_pixels_are_divided_by_255() -> None:
    pixels = pd.DataFrame(np.array([[0, 255], [51, 102]], dtype=np.uint8), columns=["a", "b"])
    encoded = dummies(pixel_scaler()).fit_transform(pixels)
    assert encoded.dtype == np.float32
    np.testing.assert_allclose(encoded, [[0, 1], [0.2, 0.4]], rtol=1e-6)
