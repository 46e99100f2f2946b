"""Rows: where the score is better and worse than on the whole, and the rows that are most wrong."""

from __future__ import annotations

import base64
import io
import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from PIL import Image

from kpipe.core.metrics import Metric, evaluate, output
from kpipe.report.blocks import (
    Block,
    Cell,
    Column,
    Finding,
    Gallery,
    Section,
    Table,
    Text,
    Thumbnail,
    compact,
    exact,
    number,
    scored,
    short,
    with_error,
)
from kpipe.runs.loaded import LoadedRun, OofPredictions

__all__ = ["groups", "is_amount", "losses", "picture_side", "worst"]

_SHOWN, _PICTURES = 20, 24
_COLUMNS = 12  # of the data that a row is shown with
_LEVELS = 12  # more are not looked at one by one
_FEWEST = 20  # rows of a group that is worth a score
_ROWS = 20_000  # of which groups are made
_GROUPS = 12  # that are shown
_LARGEST = 2**53  # beyond it whole numbers are codes, such as hashes
_APART = 3.0  # standard errors from the whole; of a hundred groups, chance puts less than one so far


def losses(metric: Metric, judged: OofPredictions) -> tuple[np.ndarray, str]:
    """(n,) how wrong each row's prediction is, NaN where there is none, and what it is called."""
    made, found = judged.made, np.full(len(judged.y), np.nan)
    y, p = judged.y[made], judged.blend[made]
    if metric.single is not None:
        spread = np.maximum(y.std(axis=0), 1e-300)
        found[made] = (np.abs(p - y) / spread).mean(axis=1)
        return found, "mean error over targets, in their standard deviations"
    if judged.labels is not None:
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


def worst(
    facts: LoadedRun, judged: OofPredictions, *, frame: pd.DataFrame | None, first: Sequence[str], ranked: bool = False
) -> Section:
    """The rows that are most wrong.

    frame : rows of train, None without data. first : the columns to show, in this order; ranked : by importance.
    """
    assert facts.metric is not None
    wrong, called = losses(facts.metric, judged)
    order = [int(place) for place in np.argsort(-np.nan_to_num(wrong, nan=-1.0), kind="stable")]
    order = [place for place in order if wrong[place] > 0]
    side = None if frame is None else picture_side(frame)
    lead = (
        "The rows whose prediction is farthest from the truth. Read them: they show mistakes in the data, rules that a "
        "feature could hold, and rows that nobody could have known."
    )
    blocks: list[Block] = []
    if frame is not None and side is not None:
        blocks.append(_gallery(judged, frame, order[:_PICTURES], side))
    else:
        shown = [] if frame is None else [name for name in first if name in frame][:_COLUMNS]
        blocks.append(_table(judged, wrong, called, frame, order[:_SHOWN], shown))
        if frame is None:
            blocks.append(Text(text="The rows' own columns are shown where the data can be reached: add --data PATH."))
        elif len(shown) < frame.shape[1]:
            blocks.append(
                Text(text=f"{len(shown)} of {frame.shape[1]} columns are shown{', the most important first' * ranked}.")
            )
    return Section(key="worst", title="Worst rows", lead=lead, blocks=blocks)


def _said(judged: OofPredictions, place: int) -> tuple[str, str, float | None]:
    """Truth, prediction, and the chance that the truth was given."""
    if judged.labels is None:
        truth, predicted = np.atleast_1d(judged.y[place]), judged.blend[place]
        return ", ".join(map(_short_number, truth)), ", ".join(map(_short_number, predicted)), None
    chances = judged.blend[place]
    code = int(judged.y[place])
    return judged.labels[code], judged.labels[int(chances.argmax())], float(chances[code])


def _plain(value: float) -> str:
    return exact(float(f"{value:.4g}"))


def _short_number(value: float) -> str:
    return compact(float(f"{value:.5g}"))


def _table(
    judged: OofPredictions,
    wrong: np.ndarray,
    called: str,
    frame: pd.DataFrame | None,
    order: Sequence[int],
    shown: Sequence[str],
) -> Table:
    columns = [Column(name="row", why="counted from 1, without the header")]
    columns += [Column(name=short(judged.ids.name, 30), numeric=False)] if judged.ids is not None else []
    numeric = judged.labels is None
    columns += [Column(name="truth", numeric=numeric), Column(name="predicted", numeric=numeric)]
    columns += [Column(name="error", why=called)]
    columns += [Column(name=short(name, 30), numeric=is_amount(frame[name])) for name in shown if frame is not None]
    rows = []
    for place in order:
        truth, predicted, _ = _said(judged, place)
        row = [Cell(shown=str(int(judged.rows[place]) + 1), value=float(judged.rows[place]))]
        row += [Cell(shown=short(judged.ids.iloc[place], 30))] if judged.ids is not None else []
        row += [Cell(shown=short(truth, 40)), Cell(shown=short(predicted, 40)), _loss(wrong[place])]
        if frame is not None:
            row += [_cell(frame[name].iloc[place]) for name in shown]
        rows.append(row)
    return Table(caption=f"The {len(rows)} rows with the greatest error ({called})", columns=columns, rows=rows)


def _loss(value: float) -> Cell:
    return Cell(shown=scored(value), value=float(value))


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


def _gallery(judged: OofPredictions, frame: pd.DataFrame, order: Sequence[int], side: int) -> Gallery:
    pictures = []
    for place in order:
        truth, predicted, chance = _said(judged, place)
        told = f"{short(truth, 12)}, taken for {short(predicted, 12)}"
        if predicted == truth:
            told = f"{short(truth, 12)}, hardly known"
        pixels = frame.iloc[place].to_numpy(dtype=np.uint8).reshape(side, side)
        row = int(judged.rows[place]) + 1
        detail = "" if chance is None else f"; its chance was {chance:.2f}"
        pictures.append(Thumbnail(uri=_png(pixels), alt=f"Row {row}: a {told}{detail}", caption=told))
    caption = "The pictures with the greatest error: the truth, and what it was taken for."
    return Gallery(caption=caption, pictures=pictures)


def _png(pixels: np.ndarray) -> str:
    sink = io.BytesIO()
    Image.fromarray(pixels).save(sink, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(sink.getvalue()).decode()


def groups(facts: LoadedRun, judged: OofPredictions, frame: pd.DataFrame) -> tuple[Section, list[Finding]]:
    """Where the score differs most from that of all rows: levels of each column, quarters of each number."""
    metric = facts.metric
    assert metric is not None
    rows = np.flatnonzero(judged.made)
    if len(rows) > _ROWS:
        rows = np.sort(np.random.default_rng(0).permutation(rows)[:_ROWS])
    whole = _value(metric, judged, rows)
    spread = max((facts.number("standard_error") or 0.0) * math.sqrt(max(len(rows), 1)), 1e-300)
    looked = [
        (name, level, part, _value(metric, judged, part))
        for name, level, part in _parts(frame, rows)
        if _FEWEST <= len(part) < len(rows)
    ]
    known = [found for found in looked if found[3] is not None and whole is not None]
    known.sort(key=lambda found: -abs((found[3] or 0) - (whole or 0)) * math.sqrt(len(found[2])) / spread)
    table: list[list[Cell]] = []
    findings: list[Finding] = []
    for name, level, part, _ in known[:_GROUPS]:
        score = evaluate(metric, judged.y[part], judged.blend[part])
        assert whole is not None
        apart = score.value - whole
        worse = apart < 0 if facts.greater else apart > 0
        far = abs(apart) / score.standard_error if score.standard_error > 0 else 0.0
        table.append([
            Cell(shown=f"{short(name, 40)}: {short(level, 40)}"),
            number(len(part)),
            Cell(shown=with_error(score.value, score.standard_error), value=score.value),
            Cell(shown="worse" if worse else "better", value=apart),
            number(round(far, 1)),
        ])  # fmt: skip
        if worse and far > _APART and not findings:
            text = (
                f"Rows with {short(name, 40)} {short(level, 40)} score {scored(score.value)}, all rows "
                f"{scored(whole)}: {len(part):,} rows to understand."
            )
            findings.append(Finding(level="note", text=text, section="groups"))
    columns = [
        Column(name="group", numeric=False),
        Column(name="rows"),
        Column(name="score ± standard error"),
        Column(name="than all rows", numeric=False),
        Column(name="standard errors apart"),
    ]
    lead = (
        f"{len(looked)} groups were looked at: the levels of each column, and numbers in quarters. Some differ by "
        f"chance alone; what is more than {_APART:.0f} standard errors from the score of all rows seldom does."
    )
    caption = "The groups whose score differs most from that of all rows"
    block = Table(caption=caption, columns=columns, rows=table) if table else Text(text="No group has enough rows.")
    return Section(key="groups", title="Where it is better and worse", lead=lead, blocks=[block]), findings


def _value(metric: Metric, judged: OofPredictions, rows: np.ndarray) -> float | None:
    try:
        with np.errstate(all="ignore"):
            value = float(metric.function(judged.y[rows], output(metric, judged.blend[rows])))
    except (ValueError, ZeroDivisionError):  # one class only
        return None
    return value if math.isfinite(value) else None


def _parts(frame: pd.DataFrame, rows: np.ndarray) -> Iterator[tuple[str, str, np.ndarray]]:
    """(column, level, rows) of every group."""
    for name in frame.columns:
        values = frame[name].iloc[rows]
        gaps = values.isna().to_numpy()
        if gaps.any():
            yield str(name), "(missing)", rows[gaps]
        levels = values.dropna().unique()
        if len(levels) <= _LEVELS or not is_amount(values):
            common = values.value_counts().index[:_LEVELS]
            for level in common:
                yield (
                    str(name),
                    _plain(level) if is_amount(values) else str(level),
                    rows[(values == level).fillna(False).to_numpy(dtype=bool)],
                )
        else:
            yield from _quarters(str(name), values.to_numpy(dtype=float, na_value=np.nan), rows)


def _quarters(name: str, values: np.ndarray, rows: np.ndarray) -> Iterator[tuple[str, str, np.ndarray]]:
    edges = np.unique(np.nanquantile(values, [0, 0.25, 0.5, 0.75, 1]))
    for low, high in itertools.pairwise(edges):
        inside = (values >= low) & ((values < high) | (high == edges[-1]))
        yield name, f"{_plain(low)} to {_plain(high)}", rows[inside]
