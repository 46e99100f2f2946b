"""The data page: each column's type, gaps and values, in train beside test."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import ks_2samp

from kpipe.data.dates import parse_dates
from kpipe.report.blocks import Block, Cell, Column, Finding, Section, Table, Text, compact, number, share, short
from kpipe.report.svg import spark
from kpipe.report.worst_rows import is_amount, picture_side

__all__ = ["data"]

_BINS = 16
_LEVELS = 12
_COLUMNS = 120  # that are shown: those that differ most between train and test
_ROWS = 50_000  # that are looked at in each table
_SHIFT = 0.1  # of rows would have to move for test to look like train, from which a column is worth a look
_SURE = 4.0  # standard errors of a difference of two samples of that size

_LEAD = (
    "Every column that the models see, in train and in test. The shift is the share of rows that would have to change "
    "for test to be distributed like train: where it is large, the score out-of-fold says less of test."
)


def data(train: pd.DataFrame, test: pd.DataFrame) -> tuple[Section, list[Finding]]:
    """A row for each column that both tables share, the most shifted first; and what to look at."""
    side = picture_side(train)
    blocks: list[Block] = []
    if side is not None:
        told = f"Rows are pictures of {side} × {side} pixels, a column each. The columns that differ most:"
        blocks.append(Text(text=told))
    rng = np.random.default_rng(0)
    parts = [frame.iloc[np.sort(rng.permutation(len(frame))[:_ROWS])] for frame in (train, test)]
    looked = [_column(name, parts[0][name], parts[1][name]) for name in train.columns if name in test.columns]
    looked.sort(key=lambda found: -found[0])
    shown = looked[: 20 if side is not None else _COLUMNS]
    columns = [
        Column(name="column", numeric=False),
        Column(name="type", numeric=False),
        Column(name="spread", numeric=False, why="of values: train filled, test as a line"),
        Column(name="shift", why="share of rows that would have to change for test to look like train"),
        Column(name="missing", why="share of train's rows"),
        Column(name="in test", why="share of test's rows"),
        Column(name="distinct", why="different values in train"),
        Column(name="typical", numeric=False, why="the median of numbers, the commonest of others"),
        Column(name="range", numeric=False),
    ]
    blocks.append(Table(caption="Columns, the most shifted first", columns=columns, rows=[row for _, row, _ in shown]))
    if len(shown) < len(looked):
        blocks.append(Text(text=f"{len(shown)} of {len(looked)} columns are shown."))
    found = [finding for _, _, finding in looked if finding is not None][:3]
    return Section(key="data", title="Data", lead=_LEAD, blocks=blocks, open=side is None), found


def _column(name: str, train: pd.Series, test: pd.Series) -> tuple[float, list[Cell], Finding | None]:
    gaps = [float(values.isna().mean()) if len(values) else 0.0 for values in (train, test)]
    kind, shares, shift, middle, low, high = _described(train, test)
    told = f"{short(name)}: {share(shift)} of rows shifted"
    row = [
        Cell(shown=short(name, 50)),
        Cell(shown=kind),
        Cell(svg=spark(shares, told), value=shift) if shares[0] else Cell(shown="–"),
        Cell(shown=share(shift), value=shift),
        *(Cell(shown=share(gap), value=gap) for gap in gaps),
        number(int(train.nunique())),
        Cell(shown=short(middle, 40)),
        Cell(shown=f"{short(low, 30)} to {short(high, 30)}" if low else ""),
    ]
    finding = None
    noise = 0.5 * np.sqrt(1 / max(len(train), 1) + 1 / max(len(test), 1))
    if shift > _SHIFT and shift > _SURE * noise * np.sqrt(max(len(shares[0]), 1) / 4):
        text = f"{short(name, 40)} differs between train and test: {share(shift)} of rows would have to change."
        finding = Finding(level="note", text=text, section="data")
    return shift, row, finding


_Described = tuple[str, list[list[float]], float, str, str, str]


def _described(train: pd.Series, test: pd.Series) -> _Described:
    """Kind, the shares in each bin or level (train, test), shift, middle, from, to."""
    dates = parse_dates(train), parse_dates(test)
    if dates[0] is not None and dates[1] is not None:
        days = [(part - pd.Timestamp(2000, 1, 1)).dt.total_seconds() / 86_400 for part in dates if part is not None]
        first, last, middle = (str(getattr(dates[0], how)())[:10] for how in ("min", "max", "median"))
        return ("date", *_of_numbers(days[0], days[1]), middle, first, last)
    if is_amount(train) and is_amount(test):
        kind = "integer" if pd.api.types.is_integer_dtype(train) else "number"
        if train.nunique() <= _LEVELS:
            shares, shift = _of_levels(train, test)
        else:
            shares, shift = _of_numbers(train, test)
        told = [_said(getattr(train, how)()) for how in ("median", "min", "max")]
        return (kind, shares, shift, *told)  # type: ignore[return-value]  # three of them
    shares, shift = _of_levels(train, test)
    common = train.astype(object).value_counts()
    middle = "" if common.empty else f"{short(common.index[0], 28)} ({share(common.iloc[0] / max(len(train), 1))})"
    numeric = pd.api.types.is_numeric_dtype(train)
    return (
        "yes or no" if pd.api.types.is_bool_dtype(train) else "code" if numeric else "text",
        shares,
        shift,
        middle,
        "",
        "",
    )


def _said(value: Any) -> str:
    return "–" if pd.isna(value) else compact(float(f"{float(value):.5g}"))


def _of_numbers(train: pd.Series, test: pd.Series) -> tuple[list[list[float]], float]:
    values = [part.dropna().to_numpy(dtype=float) for part in (train, test)]
    values = [part[np.isfinite(part)] for part in values]
    if not all(len(part) for part in values):
        return [[], []], _gap_shift(train, test)
    low, high = np.quantile(np.concatenate(values), [0.005, 0.995])
    edges = np.linspace(low, high if high > low else low + 1, _BINS + 1)
    shares = [(np.histogram(np.clip(p, low, high), bins=edges)[0] / len(p)).round(4).tolist() for p in values]
    # Kolmogorov and Smirnov's distance, the share that must move past one point at least, of the rows that have values.
    present = min(float(part.notna().mean()) for part in (train, test))
    return shares, present * float(ks_2samp(*values).statistic) + _gap_shift(train, test)


def _of_levels(train: pd.Series, test: pd.Series) -> tuple[list[list[float]], float]:
    counts = [part.astype(object).value_counts(normalize=True) for part in (train, test)]
    levels = counts[0].index[:_LEVELS]
    whole = [part.astype(object).value_counts(normalize=True, dropna=False) for part in (train, test)]
    both = pd.concat(whole, axis=1).fillna(0.0)
    # Of labels that are different in each row (names), every one is new: that is no shift.
    distinct = counts[0].size > 0.5 * max(train.notna().sum(), 1)
    shift = 0.0 if distinct or both.empty else float((both.iloc[:, 0] - both.iloc[:, 1]).abs().sum() / 2)
    shares = [[round(float(part.get(level, 0.0)), 4) for level in levels] for part in counts]
    return shares, max(shift, _gap_shift(train, test))


def _gap_shift(train: pd.Series, test: pd.Series) -> float:
    return abs(float(train.isna().mean()) - float(test.isna().mean())) if len(train) and len(test) else 0.0
