from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from kpipe.features import dummies, pixel_scaler, soft_clip_scaler
from kpipe.features.scalers import ExtremeScaler


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


def test_numbers_too_large_or_small_to_square_are_encoded_with_what_they_tell() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    outliers = np.where(np.arange(200) % 50 == 0, -1e300, x)
    frame = pd.DataFrame({"large": x * 1e200, "small": x * 1e-200, "outliers": outliers, "most": np.sign(x) * 1.7e308})
    frame.loc[3] = np.nan
    with np.errstate(all="raise"):
        encoded = dummies().fit(frame).transform(frame)
    assert np.abs(encoded).max() < 3
    kept = (np.arange(200) % 50 != 0) & (np.arange(200) != 3)
    for column in encoded[kept].T:
        assert np.corrcoef(pd.Series(column).rank(), pd.Series(x[kept]).rank())[0, 1] > 0.8
    assert np.isfinite(dummies().fit(frame).transform(pd.DataFrame({name: [-np.inf] for name in frame}))).all()


def test_a_column_of_usual_numbers_passes_the_scaling_of_extremes_as_it_is() -> None:
    given = np.array([[1.0, 1e300], [np.nan, 2.0], [0.0, 3.0]])
    scaled = ExtremeScaler().fit_transform(given)
    np.testing.assert_array_equal(scaled[:, 0], given[:, 0])
    assert np.abs(scaled[:, 1]).max() <= 10
    usual = given[:, :1]
    assert ExtremeScaler().fit_transform(usual) is usual
