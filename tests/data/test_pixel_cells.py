"""Pictures that are written into the cells of a table, as numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kpipe.data.loading import load
from kpipe.data.pixel_cells import spread_pixels
from kpipe.data.pixels import picture_columns, picture_shape
from kpipe.errors import DataError
from tests.pictures import csv, write

RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (14, 64))


def cells(rows: np.ndarray, separator: str = " ") -> list[str]:
    return [separator.join(map(str, row)) for row in rows.tolist()]


def frames(column: list[str], **more: object) -> dict[str, pd.DataFrame]:
    frame = pd.DataFrame({"pixels": column, **more})
    return {"train": frame[:10].reset_index(drop=True), "test": frame[10:].reset_index(drop=True)}


@pytest.mark.parametrize("separator", [" ", ", ", ","])
def test_numbers_between_blanks_or_commas_are_the_pixels_of_a_square(separator: str) -> None:
    found, notes = spread_pixels(frames(cells(GREY, separator), age=range(14)))
    assert picture_shape(picture_columns(found["train"])) == (8, 8, 1)
    assert list(found["test"])[:2] == ["age", "pixel_0_0_0"]
    assert np.array_equal(found["test"].drop(columns="age").to_numpy(), GREY[10:])
    assert notes == ["The cells of pixels hold pictures of 8 x 8 pixels, grey."]


def test_three_times_as_many_numbers_are_colours() -> None:
    found, notes = spread_pixels(frames(cells(RANDOM.integers(0, 256, (14, 192)))))
    assert picture_shape(picture_columns(found["train"])) == (8, 8, 3)
    assert notes == ["The cells of pixels hold pictures of 8 x 8 pixels with 3 channels."]


@pytest.mark.parametrize("column", [cells(GREY[:, :63]), cells(GREY[:, :25]), ["a text of some words"] * 14])
def test_other_lists_of_numbers_and_texts_stay_as_they_are(column: list[str]) -> None:
    given = frames(column)
    found, notes = spread_pixels(given)
    assert found == given
    assert not notes


def test_a_cell_that_lacks_pixels_is_refused_naming_its_row() -> None:
    column = cells(GREY)
    column[6] = "1 2 3"
    with pytest.raises(DataError, match=r"train.csv, row 7: 'pixels' must hold 64 numbers, .*; got 3 numbers"):
        spread_pixels(frames(column))


@pytest.mark.parametrize("cell", ["", "nan", " ".join(["inf"] * 64)])
@pytest.mark.filterwarnings("error")
def test_a_cell_without_finite_numbers_is_refused_in_words_that_say_so(cell: str) -> None:
    column = [*cells(GREY)]
    column[6] = cell or float("nan")
    with pytest.raises(DataError, match=r"train.csv, row 7: .*; got no list of finite numbers"):
        spread_pixels(frames(column))


def test_two_bands_of_a_json_table_are_the_channels_of_one_picture(tmp_path: Path) -> None:
    bands = RANDOM.normal(-20, 5, (2, 14, 64)).round(3)
    records = [
        {"id": f"a{i}", "band_1": bands[0, i].tolist(), "band_2": bands[1, i].tolist(), "angle": i / 2}
        | ({"is_iceberg": i % 2} if i < 10 else {})
        for i in range(14)
    ]
    files = {
        "train.json": json.dumps(records[:10]),
        "test.json": json.dumps(records[10:]),
        "sample_submission.csv": csv("id,is_iceberg", *(f"a{i},0.5" for i in range(10, 14))),
    }
    found = load("statoil-like", write(tmp_path, files))
    pixels = picture_columns(found.train)
    assert picture_shape(pixels) == (8, 8, 2)
    assert "angle" in found.train
    values = found.train[pixels].to_numpy().reshape(10, 64, 2).astype(float)
    for channel in (0, 1):
        assert np.corrcoef(values[..., channel].ravel(), bands[channel, :10].ravel())[0, 1] > 0.99
