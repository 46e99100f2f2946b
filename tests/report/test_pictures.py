from __future__ import annotations

import base64
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import kpipe
from kpipe import pipeline
from kpipe.core.metrics import get_metric
from kpipe.report import page, pictures
from kpipe.report.html import render
from kpipe.runs.oof import OofPredictions
from tests.pretrained_weights import picture_table, write_pictures

LOG_LOSS = get_metric("log_loss")


def predictions(rows: int, classes: int = 3, *, wrong: tuple[int, ...] = ()) -> OofPredictions:
    """Sure and right, but for some rows, the first of which is the worst."""
    y = np.arange(rows) % classes
    proba = np.full((rows, classes), 0.1 / (classes - 1))
    proba[np.arange(rows), y] = 0.9
    for rank, row in enumerate(wrong):
        proba[row] = 0.01
        proba[row, (y[row] + 1) % classes] = 0.99 - rank * 0.1
        proba[row] /= proba[row].sum()
    names = tuple(f"<b>class {number}" for number in range(classes))
    return OofPredictions(y=y, classes=names, targets=("label",), ensemble=proba, models={}, rows=np.arange(rows))


def decoded(uri: str) -> Image.Image:
    head, _, content = uri.partition(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


def test_the_hardest_pictures_come_first_with_truth_prediction_and_probability():
    X = picture_table(30, (16, 10, 3))
    X.iloc[7] = 200
    worst, _ = pictures.sections(LOG_LOSS, predictions(30, wrong=(7, 3)), X)
    first, second = worst.blocks[0].images[:2]
    assert first.caption == "<b>class 1, predicted <b>class 2 (0.98)"
    assert first.alt == "Row 8: <b>class 1, predicted <b>class 2 (0.98)"
    assert second.alt.startswith("Row 4: ")
    assert decoded(first.uri).size == (10, 16)
    assert (first.width, first.height) == (52, 84)  # as on the page: enlarged, in proportion
    assert np.asarray(decoded(first.uri)).mean() == pytest.approx(200, abs=2)


def test_each_class_has_a_sheet_that_names_what_is_predicted_instead():
    _, sheets = pictures.sections(LOG_LOSS, predictions(30, wrong=(7,)), picture_table(30))
    captions = [gallery.caption for gallery in sheets.blocks]
    assert captions[1] == "<b>class 1: 10 of 10 pictures; 90 % of them are predicted as <b>class 1"
    assert len(captions) == 3
    assert {one.caption for one in sheets.blocks[0].images} == {""}
    said = {one.alt: one.caption for one in sheets.blocks[1].images}
    assert said.get("Row 8: <b>class 1, predicted <b>class 2", "predicted <b>class 2") == "predicted <b>class 2"


def test_rows_without_predictions_and_rows_in_another_order_keep_their_pictures():
    X = picture_table(12)
    X.iloc[2] = 250
    oof = predictions(12, wrong=(0,))
    oof = OofPredictions(**{**vars(oof), "rows": np.roll(np.arange(12), -2)})
    oof.ensemble[3] = np.nan
    worst, sheets = pictures.sections(LOG_LOSS, oof, X)
    assert np.asarray(decoded(worst.blocks[0].images[0].uri)).mean() == pytest.approx(250, abs=2)
    assert sum(len(gallery.images) for gallery in sheets.blocks) == 11


@pytest.mark.parametrize("shape", [(84, 84, 3), (300, 200, 1)])
def test_the_pictures_of_a_page_have_a_bounded_size_whatever_they_are(shape):
    noise = picture_table(200, shape)
    found = pictures.sections(LOG_LOSS, predictions(200, classes=25), noise)
    uris = [one.uri for section in found for gallery in section.blocks for one in gallery.images]
    assert len(uris) == 24 + 20 * 8
    assert sum(map(len, uris)) < 1_000_000
    assert max(decoded(uris[0]).size) <= 84


def test_numbers_have_no_sheets_of_classes():
    y = np.arange(12.0)
    oof = OofPredictions(y=y, classes=None, targets=("age",), ensemble=y[:, None] + 1, models={}, rows=np.arange(12))
    (worst,) = pictures.sections(get_metric("rmse"), oof, picture_table(12))
    assert worst.blocks[0].images[0].caption == "0, predicted 1"


def test_tables_without_pictures_have_no_such_sections():
    assert pictures.sections(LOG_LOSS, predictions(6), pd.DataFrame({"x": range(6)})) == []


def test_the_page_shows_no_pixel_as_a_column_and_escapes_the_names_of_classes(tmp_path):
    problem = pipeline.prepare(kpipe.RunRequest("red-or-blue", str(write_pictures(tmp_path / "data", 12))))
    oof = predictions(12, classes=2)
    found = page._data(oof, problem)
    assert found.summary == "The target in train. The models see pictures alone."
    names = (
        "slug run_id metric direction score standard_error baseline baseline_name interval scored_on expected checks"
    )
    header = dict.fromkeys(["name", "note", *names.split()], "")
    html = render(header, [*pictures.sections(LOG_LOSS, oof, problem.X), found])
    assert "pixel_" not in html
    assert "<b>class" not in html
    assert html.count("data:image/jpeg;base64,") == 12 + 12


@pytest.mark.parametrize(("channels", "width"), [(1, 8), (3, 8), (6, 16), (4, 32)])
def test_several_pictures_of_a_row_are_shown_side_by_side(channels, width):
    pixels = np.repeat(np.arange(channels, dtype=np.uint8) * 20, 48).reshape(channels, 6, 8).transpose(1, 2, 0)
    shown = decoded(pictures._encode(pixels, 95))
    assert shown.size == (width, 6)
    first, last = (np.asarray(shown, dtype=int).reshape(6, width, -1)[3, place] for place in (2, -3))
    each = 3 if channels % 3 == 0 else 1
    assert abs(first.mean() - np.mean(np.arange(each) * 20)) < 4
    assert abs(last.mean() - np.mean(np.arange(channels - each, channels) * 20)) < 4
