"""The section "Data": the type, the missing values and the distribution of each column, in train and test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import ks_2samp

from kpipe.data.dates import parse_dates
from kpipe.report.blocks import Block, Cell, Column, Finding, Section, Table, Text, number_cell, share_cell, text_cell
from kpipe.report.columns import image_side, is_hash, is_quantity
from kpipe.report.formatting import compact, share, short
from kpipe.report.svg import sparkline

__all__ = ["section"]

_BINS = 16
_MAX_CATEGORIES = 12
_MAX_COLUMNS, _MAX_PIXELS = 120, 20  # rows of the table, the largest shift first
_SAMPLE = 50_000  # rows of each table
_SHIFT = 0.1  # share of rows, from which a shift is a finding
_SIGNIFICANT = 4.0  # standard errors of the difference of two samples of the tables' sizes
_DIGITS = 5


@dataclass(frozen=True)
class _Summary:
    """A column in train and test.

    shares : the shares of rows in each bin or category, of train and of test.
    shift : the share of rows that would have to change for the distributions to be equal.
    """

    kind: str
    shares: Sequence[Sequence[float]]
    shift: float
    typical: str = ""
    smallest: str = ""
    largest: str = ""


def section(train: pd.DataFrame, test: pd.DataFrame, before: Sequence[Block] = ()) -> Section:
    """The section "Data".

    Parameters
    ----------
    train, test : DataFrame
        The columns that the models see.
    before : sequence of Block
        What the section shows first.

    Returns
    -------
    Section
        With a table of the columns, the largest shift first.
    """
    rng = np.random.default_rng(0)
    sample, test_sample = (frame.iloc[np.sort(rng.permutation(len(frame))[:_SAMPLE])] for frame in (train, test))
    names = [name for name in train.columns if name in test.columns]
    summaries = {str(name): _summary(sample[name], test_sample[name]) for name in names}
    ranked = sorted(summaries, key=lambda name: -summaries[name].shift)
    side = image_side(train)
    shown = ranked[: _MAX_COLUMNS if side is None else _MAX_PIXELS]
    blocks: list[Block] = list(before)
    if side is not None:
        blocks.append(Text(text=f"The rows are images of {side} × {side} pixels, one column each."))
    blocks.append(_table([_row(name, summaries[name], sample[name], test_sample[name]) for name in shown]))
    if len(shown) < len(ranked):
        blocks.append(Text(text=f"{len(shown)} of {len(ranked)} columns are shown."))
    findings = [f for name in ranked for f in _finding(name, summaries[name], len(sample), len(test_sample))]
    summary = (
        "The columns that the models see, in train and test. The shift is the share of rows that would have to change "
        "for test to be distributed like train. The larger it is, the less the out-of-fold score says about test."
    )
    return Section(key="data", title="Data", summary=summary, blocks=blocks, findings=findings[:3])


def _table(rows: list[list[Cell]]) -> Table:
    columns = [
        Column(name="column", numeric=False),
        Column(name="type", numeric=False),
        Column(name="distribution", numeric=False, meaning="of train (filled) and test (line)"),
        Column(name="shift", meaning="share of rows that would have to change for test to be distributed like train"),
        Column(name="missing in train"),
        Column(name="missing in test"),
        Column(name="distinct", meaning="number of different values in train"),
        Column(name="typical", numeric=False, meaning="median of numbers, most frequent value of other columns"),
        Column(name="range", numeric=False),
    ]
    return Table(caption="Columns by shift between train and test", columns=columns, rows=rows)


def _row(name: str, summary: _Summary, train: pd.Series, test: pd.Series) -> list[Cell]:
    spark = sparkline(summary.shares, f"{short(name)}: {share(summary.shift)} of rows shifted")
    return [
        text_cell(name, 50),
        Cell(text=summary.kind),
        Cell(svg=spark, value=summary.shift) if summary.shares[0] else Cell(text="–"),
        share_cell(summary.shift),
        *(share_cell(_missing(column)) for column in (train, test)),
        number_cell(int(train.nunique())),
        text_cell(summary.typical, 40),
        Cell(text=f"{short(summary.smallest, 30)} to {short(summary.largest, 30)}" if summary.smallest else ""),
    ]


def _missing(column: pd.Series) -> float:
    """The share of missing values."""
    return float(column.isna().mean()) if len(column) else 0.0


def _finding(name: str, summary: _Summary, train_rows: int, test_rows: int) -> list[Finding]:
    noise = 0.5 * np.sqrt(1 / max(train_rows, 1) + 1 / max(test_rows, 1))
    bins = max(len(summary.shares[0]), 1)
    if summary.shift <= max(_SHIFT, _SIGNIFICANT * noise * np.sqrt(bins / 4)):
        return []
    text = (
        f"{short(name, 40)} is distributed differently in train and test: {share(summary.shift)} of its values would "
        "have to change."
    )
    return [Finding(level="note", text=text)]


def _summary(train: pd.Series, test: pd.Series) -> _Summary:
    dates, test_dates = parse_dates(train), parse_dates(test)
    if dates is not None and test_dates is not None:
        return _of_dates(dates, test_dates)
    return _of_quantity(train, test) if is_quantity(train) and is_quantity(test) else _of_categories(train, test)


def _of_dates(train: pd.Series, test: pd.Series) -> _Summary:
    days = [(part - pd.Timestamp(2000, 1, 1)).dt.total_seconds() / 86_400 for part in (train, test)]
    texts = (str(value)[:10] for value in (train.median(), train.min(), train.max()))
    return _Summary("date", *_compare_numbers(*days), *texts)


def _of_quantity(train: pd.Series, test: pd.Series) -> _Summary:
    compare = _compare_categories if train.nunique() <= _MAX_CATEGORIES else _compare_numbers
    kind = "integer" if pd.api.types.is_integer_dtype(train) else "number"
    return _Summary(kind, *compare(train, test), *map(_as_text, (train.median(), train.min(), train.max())))


def _of_categories(train: pd.Series, test: pd.Series) -> _Summary:
    counts = train.astype(object).value_counts()
    most = "a hash" if is_hash(train) else short(counts.index[0], 28) if len(counts) else ""
    typical = f"{most} ({share(counts.iloc[0] / max(len(train), 1))})" if len(counts) else ""
    if pd.api.types.is_bool_dtype(train):
        kind = "boolean"
    else:
        kind = "identifier" if pd.api.types.is_numeric_dtype(train) else "text"
    return _Summary(kind, *_compare_categories(train, test), typical)


def _as_text(value: Any) -> str:
    return "–" if pd.isna(value) else compact(float(value), _DIGITS)


def _compare_numbers(train: pd.Series, test: pd.Series) -> tuple[list[list[float]], float]:
    """The shares of rows in each bin, and the shift: the Kolmogorov-Smirnov distance of the values present."""
    values = [part.dropna().to_numpy(dtype=float) for part in (train, test)]
    values = [part[np.isfinite(part)] for part in values]
    missingness_shift = abs(_missing(train) - _missing(test))
    if not all(len(part) for part in values):
        return [[], []], missingness_shift
    low, high = np.quantile(np.concatenate(values), [0.005, 0.995])
    edges = np.linspace(low, high if high > low else low + 1, _BINS + 1)
    shares = [(np.histogram(np.clip(p, low, high), bins=edges)[0] / len(p)).round(4).tolist() for p in values]
    present = 1 - max(_missing(train), _missing(test))
    return shares, present * float(ks_2samp(*values).statistic) + missingness_shift


def _compare_categories(train: pd.Series, test: pd.Series) -> tuple[list[list[float]], float]:
    """The shares of the most frequent categories, and the shift: the total variation distance."""
    counts = [part.astype(object).value_counts(normalize=True) for part in (train, test)]
    shown = counts[0].index[:_MAX_CATEGORIES]
    with_missing = [part.astype(object).value_counts(normalize=True, dropna=False) for part in (train, test)]
    both = pd.concat(with_missing, axis=1).fillna(0.0)
    # Mostly distinct values, such as names, are new in test without a shift.
    distinct = counts[0].size > 0.5 * max(train.notna().sum(), 1)
    shift = 0.0 if distinct or both.empty else float((both.iloc[:, 0] - both.iloc[:, 1]).abs().sum() / 2)
    shares = [[round(float(part.get(category, 0.0)), 4) for category in shown] for part in counts]
    return shares, max(shift, abs(_missing(train) - _missing(test)))
