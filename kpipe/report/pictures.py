"""The pictures of a run: the hardest ones, and some of each class, as small JPEGs within the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
from PIL import Image

from kpipe.core.metrics import Metric
from kpipe.data.pixels import picture_columns, picture_shape
from kpipe.report.blocks import Gallery, Section, Thumbnail
from kpipe.report.formatting import share, short
from kpipe.report.run_problem import rows_of
from kpipe.report.worst_rows import errors, true_and_predicted
from kpipe.runs.oof import OofPredictions

__all__ = ["sections", "without_pixels"]

_MAX_WORST, _MAX_CLASSES, _OF_A_CLASS = 24, 20, 12  # rows of six, or of three on a phone
_SIDE = 84  # pixels of the longer side of a picture on the page
_QUALITIES = (85, 70, 50, 30)  # of the JPEGs: the first with which all are small enough
_MAX_BYTES = 700_000  # of all data URIs

_Shown = tuple[int, str, str]  # a row of the predictions, its picture's caption, and the alternative text


def without_pixels(frame: pd.DataFrame) -> pd.DataFrame:
    """The columns of a table beside those of a picture.

    Parameters
    ----------
    frame : DataFrame of shape (n, columns)

    Returns
    -------
    DataFrame of shape (n, others)
        The table itself where its rows have no pictures.
    """
    pixels = picture_columns(frame.columns)
    return frame.drop(columns=pixels) if pixels else frame


def sections(metric: Metric, oof: OofPredictions, frame: pd.DataFrame) -> list[Section]:
    """The sections "Hardest pictures" and, for classes, "Pictures of each class".

    Parameters
    ----------
    metric : Metric
        The run's metric.
    oof : OofPredictions
        Its out-of-fold predictions.
    frame : DataFrame of shape (n, columns)
        What models see of train.

    Returns
    -------
    list of Section
        Empty if the rows have no pictures.
    """
    names = picture_columns(frame.columns)
    shape = picture_shape(names)
    if shape is None:
        return []
    galleries = [_worst(metric, oof), *_of_classes(oof)]
    places = rows_of(pd.DataFrame(index=range(len(frame))), oof).index.to_numpy()
    wanted = [row for _, shown in galleries for row, _, _ in shown]
    # Not frame[names].iloc[...]: that would copy the pixels of all pictures.
    pixels = frame.iloc[places[wanted]][names].to_numpy(dtype=np.uint8).reshape(-1, *shape)
    uris = iter(_encode_all(pixels))
    size = _shown_size(shape)
    blocks = [Gallery(caption=caption, images=_thumbnails(shown, uris, size)) for caption, shown in galleries]
    summary = (
        "The pictures whose prediction is furthest from the truth, with the probability of the predicted class. They "
        "may reveal wrong labels, or classes that look the same."
    )
    found = [Section(key="worst", title="Hardest pictures", summary=summary, blocks=blocks[:1])]
    if blocks[1:]:
        summary = "Some pictures of each class, drawn at random. Wrong predictions show the predicted class."
        found.append(Section(key="classes", title="Pictures of each class", summary=summary, blocks=blocks[1:]))
    return found


def _worst(metric: Metric, oof: OofPredictions) -> tuple[str, list[_Shown]]:
    error, name = errors(metric, oof)
    order = np.argsort(-np.nan_to_num(error, nan=-1.0), kind="stable")
    rows = [int(row) for row in order[:_MAX_WORST] if error[row] > 0]
    return f"The {len(rows)} pictures with the largest error ({name})", [_hard(oof, row) for row in rows]


def _hard(oof: OofPredictions, row: int) -> _Shown:
    """A picture with its true and its predicted value, and the probability of the predicted class."""
    true, predicted = (short(value, 24) for value in true_and_predicted(oof, row))
    confidence = "" if oof.classes is None else f" ({oof.ensemble[row].max():.2f})"
    verdict = f"{true}, predicted {predicted}{confidence}"
    return row, verdict, f"Row {int(oof.rows[row]) + 1}: {verdict}"


def _of_classes(oof: OofPredictions) -> list[tuple[str, list[_Shown]]]:
    """For each of the most frequent classes, some of its pictures at random."""
    if oof.classes is None:
        return []
    y, predicted = oof.y[oof.is_predicted].astype(int), oof.ensemble[oof.is_predicted].argmax(axis=1)
    rows, counts = np.flatnonzero(oof.is_predicted), np.bincount(y, minlength=len(oof.classes))
    random = np.random.default_rng(0)
    found = []
    for code in sorted(np.argsort(-counts, kind="stable")[:_MAX_CLASSES]):
        own = np.flatnonzero(y == code)
        chosen = np.sort(random.permutation(own)[:_OF_A_CLASS])
        if len(own):
            name = short(oof.classes[code], 40)
            right = share(float((predicted[own] == code).mean()))
            caption = f"{name}: {len(chosen)} of {len(own):,} pictures; {right} of them are predicted as {name}"
            found.append((caption, [_of_class(oof, int(rows[i]), int(predicted[i]), code) for i in chosen]))
    return found


def _of_class(oof: OofPredictions, row: int, predicted: int, code: int) -> _Shown:
    classes = oof.classes or ()
    said = "" if predicted == code else f"predicted {short(classes[predicted], 24)}"
    return row, said, f"Row {int(oof.rows[row]) + 1}: {short(classes[code], 24)}{', ' * bool(said)}{said}"


def _thumbnails(shown: Iterable[_Shown], uris: Iterator[str], size: tuple[int, int]) -> list[Thumbnail]:
    width, height = size
    return [Thumbnail(uri=next(uris), alt=alt, caption=said, width=width, height=height) for _, said, alt in shown]


def _shown_size(shape: tuple[int, int, int]) -> tuple[int, int]:
    """Width and height of a picture on the page: small ones are enlarged."""
    height, width, _ = _side_by_side(np.empty(shape, dtype=np.uint8)).shape
    longer = max(height, width)
    return max(1, round(_SIDE * width / longer)), max(1, round(_SIDE * height / longer))


def _encode_all(pixels: np.ndarray) -> list[str]:
    """(k, height, width, channels) bytes as data URIs, together at most ``_MAX_BYTES`` long."""
    uris: list[str] = []
    for quality in _QUALITIES:
        uris = [_encode(each, quality) for each in pixels]
        if sum(map(len, uris)) <= _MAX_BYTES:
            break
    return uris


def _encode(pixels: np.ndarray, quality: int) -> str:
    plain = _side_by_side(pixels)
    image = Image.fromarray(plain[..., 0] if plain.shape[2] == 1 else plain)
    image.thumbnail((_SIDE, _SIDE))
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=quality, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _side_by_side(pixels: np.ndarray) -> np.ndarray:
    """(height, width, 1 or 3) the pictures of a row that has several as channels of one."""
    height, _, channels = pixels.shape
    each = 3 if channels % 3 == 0 else 1
    return pixels.reshape(height, -1, channels // each, each).swapaxes(1, 2).reshape(height, -1, each)
