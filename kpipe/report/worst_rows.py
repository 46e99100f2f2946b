"""The section "Hardest rows": the rows whose prediction is furthest from the truth."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from PIL import Image

from kpipe.core.formatting import format_score
from kpipe.core.metrics import Metric
from kpipe.report.blocks import Block, Cell, Column, Gallery, Section, Table, Text, Thumbnail, text_cell
from kpipe.report.columns import image_side, is_quantity
from kpipe.report.formatting import compact, exact, short
from kpipe.runs.oof import OofPredictions

__all__ = ["errors", "section", "true_and_predicted"]

_MAX_ROWS, _MAX_IMAGES = 20, 24
_MAX_COLUMNS = 12
_DIGITS = 5


def errors(metric: Metric, oof: OofPredictions) -> tuple[np.ndarray, str]:
    """The error of each row's prediction.

    Parameters
    ----------
    metric : Metric
        The run's metric.
    oof : OofPredictions
        Its out-of-fold predictions.

    Returns
    -------
    tuple[ndarray, str]
        (n,) float array, NaN in rows without a prediction; and the name of the error.
    """
    rows, found = oof.is_predicted, np.full(len(oof.y), np.nan)
    y, p = oof.y[rows], oof.ensemble[rows]
    if metric.single is not None:
        deviations = np.maximum(np.nanstd(y, axis=0), 1e-300)
        found[rows] = np.nanmean(np.abs(p - y) / deviations, axis=1)
        return found, "mean absolute error over targets, in standard deviations"
    if oof.classes is not None:
        found[rows] = 1 - np.take_along_axis(p, y[:, None], axis=1)[:, 0]
        return found, "1 \N{MINUS SIGN} predicted probability of the true class"
    if metric.log_target and (y > -1).all() and (p > -1).all():
        found[rows] = np.abs(np.log1p(p[:, 0]) - np.log1p(y))
        return found, "absolute error of the logarithm"
    found[rows] = np.abs(p[:, 0] - y)
    return found, "absolute error"


def section(
    metric: Metric, oof: OofPredictions, frame: pd.DataFrame | None, columns: Sequence[str], *, note: str = ""
) -> Section:
    """The section "Hardest rows".

    Parameters
    ----------
    metric : Metric
        The run's metric.
    oof : OofPredictions
        Its out-of-fold predictions.
    frame : DataFrame, optional
        (n, columns) in the row order of ``oof``; None where the data cannot be read.
    columns : sequence of str
        The columns of ``frame`` in the order in which to show them; the first ones are shown.
    note : str
        How the columns are ordered, for the page.

    Returns
    -------
    Section
    """
    error, name = errors(metric, oof)
    order = [int(row) for row in np.argsort(-np.nan_to_num(error, nan=-1.0), kind="stable") if error[row] > 0]
    side = None if frame is None else image_side(frame)
    blocks: list[Block]
    if frame is not None and side is not None:
        blocks = [_gallery(oof, frame, order[:_MAX_IMAGES], side)]
    else:
        blocks = _rows_blocks(oof, error, name, order[:_MAX_ROWS], frame, columns, note)
    summary = (
        "The rows whose prediction is furthest from the truth. They may reveal mistakes in the data, missing features, "
        "or unpredictable rows."
    )
    return Section(key="worst", title="Hardest rows", summary=summary, blocks=blocks)


def _rows_blocks(
    oof: OofPredictions,
    error: np.ndarray,
    name: str,
    rows: Sequence[int],
    frame: pd.DataFrame | None,
    columns: Sequence[str],
    note: str,
) -> list[Block]:
    caption = f"The {len(rows)} rows with the largest error ({name})"
    if frame is None:
        text = "The columns of these rows are not shown, because the data cannot be read. Add --data PATH."
        return [_table(oof, error, rows, frame=pd.DataFrame(index=range(len(oof.y))), caption=caption), Text(text=text)]
    shown = frame[[column for column in columns if column in frame][:_MAX_COLUMNS]]
    blocks: list[Block] = [_table(oof, error, rows, frame=shown, caption=caption)]
    if shown.shape[1] < frame.shape[1]:
        blocks.append(Text(text=f"{shown.shape[1]} of {frame.shape[1]} columns are shown{note}."))
    return blocks


def _table(oof: OofPredictions, error: np.ndarray, rows: Sequence[int], *, frame: pd.DataFrame, caption: str) -> Table:
    ids = [] if oof.ids is None else [Column(name=short(oof.ids.name, 30), numeric=False)]
    numeric = oof.classes is None
    columns = [
        Column(name="row", meaning="position in train.csv, counted from 1 without the header and the rows of a vault"),
        *ids,
        *(Column(name=name, numeric=numeric) for name in ("true", "predicted")),
        Column(name="error"),
        *(Column(name=short(name, 30), numeric=is_quantity(frame[name])) for name in frame.columns),
    ]
    return Table(caption=caption, columns=columns, rows=[_row(oof, error, row, frame) for row in rows])


def _row(oof: OofPredictions, error: np.ndarray, row: int, frame: pd.DataFrame) -> list[Cell]:
    true, predicted = true_and_predicted(oof, row)
    ids = [] if oof.ids is None else [text_cell(oof.ids.iloc[row], 30)]
    return [
        Cell(text=str(int(oof.rows[row]) + 1), value=float(oof.rows[row])),
        *ids,
        text_cell(true, 40),
        text_cell(predicted, 40),
        Cell(text=format_score(error[row]), value=float(error[row])),
        *(_value_cell(frame[name].iloc[row]) for name in frame.columns),
    ]


def true_and_predicted(oof: OofPredictions, row: int) -> tuple[str, str]:
    """The true and the predicted class or value of a row, as texts.

    Parameters
    ----------
    oof : OofPredictions
        The run's out-of-fold predictions.
    row : int
        Its place in them.

    Returns
    -------
    tuple of str
    """
    if oof.classes is not None:
        return oof.classes[int(oof.y[row])], oof.classes[int(oof.ensemble[row].argmax())]
    values = (np.atleast_1d(oof.y[row]), oof.ensemble[row])
    true, predicted = (", ".join(compact(value, _DIGITS) for value in part) for part in values)
    return true, predicted


def _value_cell(value: object) -> Cell:
    if pd.api.types.is_scalar(value) and pd.isna(value):  # type: ignore[call-overload]  # of any type
        return Cell(text="–")
    if isinstance(value, int | float | np.number) and not isinstance(value, bool) and math.isfinite(value):
        return Cell(text=exact(float(value)), value=float(value))
    return text_cell(value)


def _gallery(oof: OofPredictions, frame: pd.DataFrame, rows: Sequence[int], side: int) -> Gallery:
    images = [_thumbnail(oof, frame.iloc[row].to_numpy(dtype=np.uint8).reshape(side, side), row) for row in rows]
    return Gallery(caption="The images with the largest error, by true and predicted class", images=images)


def _thumbnail(oof: OofPredictions, pixels: np.ndarray, row: int) -> Thumbnail:
    true, predicted = true_and_predicted(oof, row)
    verdict = "predicted correctly" if true == predicted else f"predicted as {short(predicted, 12)}"
    caption = f"{short(true, 12)}, {verdict}"
    detail = ""
    if oof.classes is not None:
        probability = float(oof.ensemble[row][int(oof.y[row])])
        detail = f"; predicted probability of the true class {probability:.2f}"
    return Thumbnail(uri=_png(pixels), alt=f"Row {int(oof.rows[row]) + 1}: {caption}{detail}", caption=caption)


def _png(pixels: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
