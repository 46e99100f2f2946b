"""Rows: where the score is better and worse than on the whole, and the rows that are most wrong."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from PIL import Image

from kpipe.core.metrics import Metric
from kpipe.report.blocks import (
    Block,
    Cell,
    Column,
    Gallery,
    Section,
    Table,
    Text,
    Thumbnail,
    compact,
    exact,
    format_score,
    short,
)
from kpipe.runs.loaded import LoadedRun, OofPredictions

__all__ = ["is_amount", "losses", "picture_side", "section"]

_SHOWN, _PICTURES = 20, 24
_COLUMNS = 12  # of the data that a row is shown with
_LARGEST = 2**53  # beyond it whole numbers are codes, such as hashes


def losses(metric: Metric, oof: OofPredictions) -> tuple[np.ndarray, str]:
    """(n,) how wrong each row's prediction is, NaN where there is none, and what it is called."""
    made, found = oof.is_predicted, np.full(len(oof.y), np.nan)
    y, p = oof.y[made], oof.ensemble[made]
    if metric.single is not None:
        spread = np.maximum(y.std(axis=0), 1e-300)
        found[made] = (np.abs(p - y) / spread).mean(axis=1)
        return found, "mean error over targets, in their standard deviations"
    if oof.classes is not None:
        of_truth = np.take_along_axis(p, y[:, None], axis=1)[:, 0]
        found[made] = 1 - of_truth
        return found, "1 \N{MINUS SIGN} chance of the truth"
    if metric.log_target and (y > -1).all() and (p > -1).all():
        found[made] = np.abs(np.log1p(p[:, 0]) - np.log1p(y))
        return found, "error of the logarithm"
    found[made] = np.abs(p[:, 0] - y)
    return found, "absolute error"


def picture_side(frame: pd.DataFrame) -> int | None:
    """The side of the pictures that rows are, or None: squares of bytes, as ``kpipe.problem.inference`` sees them."""
    side = math.isqrt(frame.shape[1])
    return side if side > 7 and side * side == frame.shape[1] and bool((frame.dtypes == np.uint8).all()) else None


def section(
    run: LoadedRun, oof: OofPredictions, *, frame: pd.DataFrame | None, first: Sequence[str], ranked: bool = False
) -> Section:
    """The rows that are most wrong.

    frame : rows of train, None without data. first : the columns to show, in this order; ranked : by importance.
    """
    assert run.metric is not None
    wrong, called = losses(run.metric, oof)
    order = [int(place) for place in np.argsort(-np.nan_to_num(wrong, nan=-1.0), kind="stable")]
    order = [place for place in order if wrong[place] > 0]
    side = None if frame is None else picture_side(frame)
    lead = (
        "The rows whose prediction is farthest from the truth. Read them: they show mistakes in the data, rules that a "
        "feature could hold, and rows that nobody could have known."
    )
    blocks: list[Block] = []
    if frame is not None and side is not None:
        blocks.append(_gallery(oof, frame, order[:_PICTURES], side))
    else:
        shown = [] if frame is None else [name for name in first if name in frame][:_COLUMNS]
        blocks.append(_table(oof, wrong, called, frame, order[:_SHOWN], shown))
        if frame is None:
            blocks.append(Text(text="The rows' own columns are shown where the data can be reached: add --data PATH."))
        elif len(shown) < frame.shape[1]:
            blocks.append(
                Text(text=f"{len(shown)} of {frame.shape[1]} columns are shown{', the most important first' * ranked}.")
            )
    return Section(key="worst", title="Worst rows", lead=lead, blocks=blocks)


def _said(oof: OofPredictions, place: int) -> tuple[str, str, float | None]:
    """Truth, prediction, and the chance that the truth was given."""
    if oof.classes is None:
        truth, predicted = np.atleast_1d(oof.y[place]), oof.ensemble[place]
        return ", ".join(map(_short_number, truth)), ", ".join(map(_short_number, predicted)), None
    chances = oof.ensemble[place]
    code = int(oof.y[place])
    return oof.classes[code], oof.classes[int(chances.argmax())], float(chances[code])


def plain_number(value: float) -> str:
    """A number to four digits."""
    return exact(float(f"{value:.4g}"))


def _short_number(value: float) -> str:
    return compact(float(f"{value:.5g}"))


def _table(
    oof: OofPredictions,
    wrong: np.ndarray,
    called: str,
    frame: pd.DataFrame | None,
    order: Sequence[int],
    shown: Sequence[str],
) -> Table:
    columns = [Column(name="row", why="counted from 1, without the header")]
    columns += [Column(name=short(oof.ids.name, 30), numeric=False)] if oof.ids is not None else []
    numeric = oof.classes is None
    columns += [Column(name="truth", numeric=numeric), Column(name="predicted", numeric=numeric)]
    columns += [Column(name="error", why=called)]
    columns += [Column(name=short(name, 30), numeric=is_amount(frame[name])) for name in shown if frame is not None]
    rows = []
    for place in order:
        truth, predicted, _ = _said(oof, place)
        row = [Cell(shown=str(int(oof.rows[place]) + 1), value=float(oof.rows[place]))]
        row += [Cell(shown=short(oof.ids.iloc[place], 30))] if oof.ids is not None else []
        row += [Cell(shown=short(truth, 40)), Cell(shown=short(predicted, 40)), _loss(wrong[place])]
        if frame is not None:
            row += [_cell(frame[name].iloc[place]) for name in shown]
        rows.append(row)
    return Table(caption=f"The {len(rows)} rows with the greatest error ({called})", columns=columns, rows=rows)


def _loss(value: float) -> Cell:
    return Cell(shown=format_score(value), value=float(value))


def is_amount(column: pd.Series) -> bool:
    """Whether a column holds numbers that mean something: not yes and no, and not codes of nineteen digits."""
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return False
    return not (pd.api.types.is_integer_dtype(column) and len(column) and column.abs().max() > _LARGEST)


def _cell(value: object) -> Cell:
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return Cell(shown="–")
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        return Cell(shown=exact(float(value)), value=float(value)) if math.isfinite(value) else Cell(shown=str(value))
    return Cell(shown=short(value))


def _gallery(oof: OofPredictions, frame: pd.DataFrame, order: Sequence[int], side: int) -> Gallery:
    pictures = []
    for place in order:
        truth, predicted, chance = _said(oof, place)
        told = f"{short(truth, 12)}, taken for {short(predicted, 12)}"
        if predicted == truth:
            told = f"{short(truth, 12)}, hardly known"
        pixels = frame.iloc[place].to_numpy(dtype=np.uint8).reshape(side, side)
        row = int(oof.rows[place]) + 1
        detail = "" if chance is None else f"; its chance was {chance:.2f}"
        pictures.append(Thumbnail(uri=_png(pixels), alt=f"Row {row}: a {told}{detail}", caption=told))
    caption = "The pictures with the greatest error: the truth, and what it was taken for."
    return Gallery(caption=caption, pictures=pictures)


def _png(pixels: np.ndarray) -> str:
    sink = io.BytesIO()
    Image.fromarray(pixels).save(sink, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(sink.getvalue()).decode()
