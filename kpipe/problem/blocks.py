"""Blocks of time within which errors are correlated: standard errors count blocks instead of rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from kpipe.core.values import Splitter
from kpipe.problem.cut_outs import PeriodEnds, TimeBlocks
from kpipe.problem.splitters import ByTime
from kpipe.problem.times import TimeColumn, period_numbers, read_times

__all__ = ["time_blocks", "time_column"]

# Standard errors from fewer clusters are too small: Cameron, Gelbach and Miller (2008) find so for 5 to 30 of them.
_MIN_BLOCKS = 20
_CALENDAR = ("Y", "Q", "M", "W", "D", "h")  # periods from the longest to the shortest


def time_column(splitter: Splitter) -> TimeColumn | None:
    """The column or columns by which a splitter splits time; None for other splitters.

    Parameters
    ----------
    splitter : Splitter

    Returns
    -------
    str or tuple of str or None
    """
    return splitter.column if isinstance(splitter, ByTime | PeriodEnds | TimeBlocks) else None


def time_blocks(splitter: Splitter, train: pd.DataFrame, frame: pd.DataFrame) -> np.ndarray | None:
    """The block of time of each row; None if the splitter does not split by time, or the rows have no such times.

    Errors of the same date are correlated, and so are those of neighbouring dates. Rows therefore count as independent
    only if they are in different blocks: the longest calendar periods (years, quarters, months, weeks, days, hours) of
    which the folds validate at least 20, or single times if there are fewer hours. For numbers, a block is 1, 2, 5,
    10, ... times the usual step.

    Parameters
    ----------
    splitter : Splitter
    train : DataFrame
        (n, columns) the table that is split, which determines the length of a block.
    frame : DataFrame
        (m, columns) train or test.

    Returns
    -------
    ndarray or None
        (m,) int64, increasing with time; a block has the same number in train and test. -1 for rows without a time.

    References
    ----------
    Carlstein, "The use of subseries values for estimating the variance of a general statistic from a stationary
    sequence" (1986), and Künsch, "The jackknife and the bootstrap for general stationary observations" (1989): blocks
    that are longer than the dependence. Cameron, Gelbach and Miller, "Bootstrap-based improvements for inference with
    clustered errors" (2008): how many there must be.
    """
    column = time_column(splitter)
    if column is None:
        return None
    times = read_times(train, column)
    try:
        wanted = read_times(frame, column)
    except ValueError:  # train has dates, test none
        return None
    if pd.api.types.is_datetime64_any_dtype(times) != pd.api.types.is_datetime64_any_dtype(wanted):
        return None
    validated = np.unique(np.concatenate([valid for _, valid in splitter.split(train)]))
    numbers = next(_numberings(times.iloc[validated], wanted))
    return np.where(wanted.isna(), -1, numbers)


def _numberings(validated: pd.Series, wanted: pd.Series) -> Iterator[np.ndarray]:
    """Yield block numbers of the wanted times, from the longest blocks of which enough are validated."""
    if pd.api.types.is_datetime64_any_dtype(validated):
        for unit in _CALENDAR:
            if len(np.unique(period_numbers(validated, unit))) >= _MIN_BLOCKS:
                yield period_numbers(wanted, unit)
        yield wanted.to_numpy().astype("M8[us]").astype(np.int64)
    else:
        width = _width(validated)
        yield np.floor(np.nan_to_num(wanted.to_numpy(dtype=float)) / width).astype(np.int64)


def _width(validated: pd.Series) -> float:
    """The width of a block: the largest of 1, 2, 5, 10, ... usual steps that leaves enough blocks."""
    distinct = np.unique(validated.to_numpy(dtype=float))
    step = float(np.median(np.diff(distinct))) if len(distinct) > 1 else 1.0
    most = (distinct[-1] - distinct[0] + step) / step / _MIN_BLOCKS
    steps = [lead * 10**power for power in range(10) for lead in (1, 2, 5) if lead * 10**power <= most]
    return step * max(steps, default=1)
