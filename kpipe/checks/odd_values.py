"""A few test rows that are written differently: placeholders, other units or spellings, day and month swapped.

Such rows are too few to move a whole column, but each is predicted from values that it does not have.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from kpipe.checks.exchanged_values import days_out_of_order, exchanged_columns, exchanged_days, other_form_of_date
from kpipe.checks.folds import times_continue
from kpipe.checks.interface import Finding, TableCheck
from kpipe.checks.odd_texts import odd_codes, odd_texts
from kpipe.checks.spellings import new_categories, odd_spellings, recoded_categories, shifted_codes
from kpipe.checks.statistics import two_proportion_z
from kpipe.checks.units_of_columns import Factor, find_factor, two_digit_years, unit_of_column
from kpipe.core.values import Folds
from kpipe.data.column_types import is_free_text, is_pixel_table, to_numeric
from kpipe.data.dates import parse_dates
from kpipe.data.pixels import picture_columns
from kpipe.problem.problem import Problem

__all__ = ["TABLE_CHECKS", "values_in_range"]

_ROWS = 20_000  # of each table, that are compared
_MIN_ROWS, _MIN_SHARE = 5, 0.003  # of test, from which odd values are reported
_MIN_WITHIN = 0.02  # of test, from which a value within train's range is reported
_SIGNIFICANT = 5.0  # standard errors
_FAR = 1.0  # interquantile ranges beyond which a value of test lies far outside of train
# Ratios of units in use: thousands, percent, inch, foot, square foot, mile, pound, ounce, gallon, minutes and hours,
# millimetres of mercury, calories, and their like.
_UNITS = (
    *(1000, 100, 10, 60, 3600, 2.54, 25.4, 3.28084, 10.7639, 0.453592, 28.3495, 1.609344, 3.78541, 1e6, 24),
    *(7.50062, 4.184, 28.3168, 0.0254, 12, 7, 365.25, 240, 96.485),
)
_SCALES = {"Fahrenheit": (1.8, 32.0), "Kelvin": (1.0, 273.15)}  # of degrees Celsius: a factor, then a number to add
_BY_CHANCE = 1e-7  # probability that so many rows of test lie beyond all of train's
_BEYOND = 0.02  # of train's range, by which they must: a leap year has a day 366
_MORE_ROUNDED = 0.06  # share of test's rows that are rounded, beyond that of train's
_USUAL, _MIN_VALUES = 0.999, 20  # share of train's values with as many decimals, and different values of such a column


def values_in_range(problem: Problem, _: Folds) -> Iterator[Finding]:
    """Whether some test rows have placeholders, units or spellings that do not occur in train.

    Parameters
    ----------
    problem : Problem

    Yields
    ------
    Finding
    """
    X, test = (_sample(frame) for frame in (problem.X, problem.X_test))
    if len(test) < _MIN_ROWS:
        return
    if pixels := picture_columns(X.columns) or (list(X.columns) if is_pixel_table(X) else []):
        X, test = (_brightness(frame, pixels) for frame in (X, test))
    plain = [column for column in X if column != problem.groups]
    pairs = {column: _Pair(X[column], test[column]) for column in X}
    certain, likely = _whole_columns(pairs, plain)
    found = certain + likely + [text for column in plain for text in _odd_values(pairs[column])]
    if not found:
        found = list(exchanged_columns(X, test))
    if not found:
        yield "pass", "Test has no placeholder, unit or spelling that does not occur in train."
        return
    more = f" {len(found) - 3} more columns differ in such ways." if len(found) > 3 else ""
    yield "fail" if certain else "warn", f"{' '.join(found[:3])}{more}"


@dataclass(frozen=True)
class _Pair:
    """A column of train and of test, and values that several rules need."""

    train: pd.Series
    test: pd.Series

    @cached_property
    def dates(self) -> pd.Series | None:
        return parse_dates(self.train)

    @cached_property
    def recoded(self) -> tuple[bool, str] | None:
        """Whether categories definitely have other names in test, and a sentence about them."""
        if _is_bool(self.train):
            return None
        if _is_category(self.train):
            return recoded_categories(self.train, self.test)
        text = shifted_codes(self.train, self.test)
        return None if text is None else (True, text)

    @cached_property
    def factor(self) -> Factor | None:
        return find_factor(self.train, self.test)

    @cached_property
    def years(self) -> str | None:
        return two_digit_years(self.train, self.test)


def _whole_columns(pairs: dict[Hashable, _Pair], plain: list[Hashable]) -> tuple[list[str], list[str]]:
    """Sentences about columns that are written differently in all of test: those that are certain, and others.

    Years are looked for among the groups, too: none of test's values occurs in train then, as if they were groups.
    """
    certain = [pair.years for pair in pairs.values() if pair.years is not None]
    of_plain = {column: pairs[column] for column in plain}
    forms = (other_form_of_date(pair.train, pair.test) for pair in of_plain.values())
    certain += [text for text in forms if text is not None]
    likely: list[str] = []
    for column, pair in of_plain.items():
        dates = None if pd.api.types.is_numeric_dtype(pair.train) else pair.dates
        if pair.recoded is not None:
            is_certain, sentence = pair.recoded
            (certain if is_certain else likely).append(sentence)
        if dates is not None and (text := days_out_of_order(str(column), dates, parse_dates(pair.test))) is not None:
            certain.append(text)
        if pair.factor is not None:
            sure, text = unit_of_column(str(column), pair.factor)
            (certain if sure else likely).append(text)
    return certain, likely


def _is_bool(column: pd.Series) -> bool:
    return bool(pd.api.types.is_bool_dtype(column))


def _is_category(column: pd.Series) -> bool:
    return not pd.api.types.is_numeric_dtype(column) and to_numeric(column) is None


def _brightness(frame: pd.DataFrame, pixels: list[str]) -> pd.DataFrame:
    """The mean of each picture's pixels instead of these: a few may be inverted, or scaled otherwise."""
    mean = frame[pixels].to_numpy().mean(axis=1)
    return frame.drop(columns=pixels).assign(**{"The mean of the pixels": mean})


def _sample(frame: pd.DataFrame) -> pd.DataFrame:
    if len(frame) <= _ROWS:
        return frame
    return frame.iloc[np.sort(np.random.default_rng(0).permutation(len(frame))[:_ROWS])]


def _odd_values(pair: _Pair) -> Iterator[str]:
    train, test = pair.train, pair.test
    if pd.api.types.is_numeric_dtype(train) and pd.api.types.is_numeric_dtype(test):
        odd = not pd.api.types.is_bool_dtype(train) and not times_continue(train, test) and not train.is_unique
        if odd and pair.factor is None and pair.years is None:
            yield from _odd_numbers(train, test)
    elif pair.dates is not None:
        yield from exchanged_days(str(train.name), pair.dates, parse_dates(test))
    elif is_free_text(train):
        yield from odd_texts(train, test)
    elif to_numeric(train) is None and pair.recoded is None:
        yield from [*odd_spellings(train, test)] or [*new_categories(train, test)] or odd_codes(train, test)


def _odd_numbers(train: pd.Series, test: pd.Series) -> Iterator[str]:
    ours, theirs = (part.to_numpy(dtype=np.float64, na_value=np.nan) for part in (train, test))
    ours, theirs = ours[np.isfinite(ours)], theirs[np.isfinite(theirs)]
    if len(ours) < 30 or len(theirs) < _MIN_ROWS:
        return
    if not np.ptp(ours) and (theirs != ours[0]).mean() > 0.5:  # such as a flag of the years that test is from
        return
    low, high = np.quantile(ours, [0.01, 0.99])
    width = max(high - low, 1e-12)
    far = theirs[
        (theirs < ours.min()) & (theirs < low - _FAR * width) | (theirs > ours.max()) & (theirs > high + _FAR * width)
    ]
    if len(far) < max(_MIN_ROWS, _MIN_SHARE * len(theirs)):
        others = (_repeated_value, _beyond, _more_decimals, _fewer_decimals)
        yield from (text for of_kind in others for text in of_kind(str(train.name), ours, theirs))
        return
    values, counts = np.unique(far, return_counts=True)
    share = f"{len(far)} rows of test ({len(far) / len(test):.1%})"
    if counts.max() >= 0.8 * len(far):
        yield (
            f"{train.name} is {values[counts.argmax()]:g} in {share}, far outside of train's {ours.min():g} to "
            f"{ours.max():g}: probably a placeholder. Convert it to a missing value in clean."
        )
        return
    yield (
        f"{train.name} lies far outside of train's {ours.min():g} to {ours.max():g} in {share}, such as "
        f"{', '.join(f'{value:g}' for value in values[:3])}{_unit(ours, far)}. Convert these values in clean."
    )


def _unit(ours: np.ndarray, far: np.ndarray) -> str:
    """The unit by which values that lie outside resemble those of train; empty if none is known, or several."""
    low, high = np.quantile(ours, [0.02, 0.98])
    for name, (factor, plus) in _SCALES.items():
        converted = far / factor - plus / factor
        if ((converted >= low) & (converted <= high)).mean() > 0.8 and _spread_alike(ours, converted):
            return f": perhaps degrees {name}, as they fit when converted to Celsius"
    fit = _fitting_units(ours, far)
    if len(fit) == 1:
        how = f"divided by {fit[0]:g}" if fit[0] > 1 else f"multiplied by {1 / fit[0]:g}"
        return f": perhaps another unit, as they fit when {how}"
    return ": perhaps another unit" if fit else ""


def _fitting_units(ours: np.ndarray, far: np.ndarray) -> list[float]:
    low, high = np.quantile(ours, [0.02, 0.98])
    factors = [*_UNITS, *(1 / unit for unit in _UNITS)]
    return [factor for factor in factors if ((far / factor >= low) & (far / factor <= high)).mean() > 0.8]


def _spread_alike(ours: np.ndarray, converted: np.ndarray) -> bool:
    return bool(0.5 < (converted.std() + 1e-300) / (ours.std() + 1e-300) < 2 and len(converted) >= _MIN_ROWS)


def _beyond(column: str, ours: np.ndarray, theirs: np.ndarray) -> Iterator[str]:
    """More rows of test beyond all of train than chance puts there, which fit when their unit is converted."""
    least = np.log(_BY_CHANCE) / np.log(len(theirs) / (len(ours) + len(theirs)))
    margin = _BEYOND * np.ptp(ours)
    for beyond in (theirs[theirs < ours.min() - margin], theirs[theirs > ours.max() + margin]):
        if least <= len(beyond) <= 0.5 * len(theirs) and ours.min() > 0 and _fitting_units(ours, beyond):
            shown = ", ".join(f"{value:g}" for value in np.unique(beyond)[:3])
            yield (
                f"{column} lies outside of train's {ours.min():g} to {ours.max():g} in {len(beyond)} rows of test "
                f"({len(beyond) / len(theirs):.1%}), such as {shown}{_unit(ours, beyond)}. "
                "Convert these values in clean."
            )


def _repeated_value(column: str, ours: np.ndarray, theirs: np.ndarray) -> Iterator[str]:
    """A value that many rows of test share, and few or none of train, such as -1 where train starts at 0."""
    values, counts = np.unique(theirs, return_counts=True)
    before = np.searchsorted(np.sort(ours), values, side="right") - np.searchsorted(np.sort(ours), values)
    odd = counts - 2 * before * len(theirs) / len(ours)  # twice as many as train has, or more
    if not len(values) or len(np.unique(ours)) <= _MIN_VALUES:
        return
    place = int(np.argmax(odd))
    value, count = values[place], int(counts[place])
    enough = count >= max(2 * _MIN_ROWS, 2 * _MIN_SHARE * len(theirs)) and count > 5 * np.median(counts)
    z = two_proportion_z(count / len(theirs), len(theirs), before[place] / len(ours), len(ours))
    outside = value < ours.min() or value > ours.max()
    # A large group of rows may share a number; a placeholder is more frequent than any number of train.
    usual = np.unique(ours, return_counts=True)[1].max() / len(ours)
    enough &= outside or count / len(theirs) > max(_MIN_WITHIN, 2 * usual)
    if enough and odd[place] > 0 and z > _SIGNIFICANT + 1:
        where = f", outside of train's {ours.min():g} to {ours.max():g}" if outside else ""
        yield (
            f"{column} is {value:g} in {count} rows of test ({count / len(theirs):.1%}), but in "
            f"{before[place] / len(ours):.1%} of train's{where}: if it is a placeholder, convert it to a missing value "
            "in clean."
        )


def _more_decimals(column: str, ours: np.ndarray, theirs: np.ndarray) -> Iterator[str]:
    """Values of test with more decimals than train's: computed from others, as by a conversion of units."""
    decimals = next((d for d in range(4) if _share_with(ours, d) >= _USUAL), None)
    if decimals is None or len(np.unique(ours)) < _MIN_VALUES:
        return
    odd = theirs[np.round(theirs, decimals) != theirs]
    if max(2 * _MIN_ROWS, 2 * _MIN_SHARE * len(theirs)) <= len(odd) <= len(theirs) / 2:
        yield (
            f"{column} has more than {decimals} decimals in {len(odd)} rows of test ({len(odd) / len(theirs):.1%}), "
            f"such as {odd[0]:.6g}, but not in train: these values may be in another unit. Convert them in clean."
        )


def _fewer_decimals(column: str, ours: np.ndarray, theirs: np.ndarray) -> Iterator[str]:
    """Values of test with fewer decimals, or more zeros at their end, than train's: rounded, or written by others."""
    for decimals in range(-2, 3):
        before, now = _share_with(ours, decimals), _share_with(theirs, decimals)
        z = two_proportion_z(now, len(theirs), before, len(ours))
        if before > 0.5:
            return
        if z > _SIGNIFICANT + 1 and now - before > _MORE_ROUNDED and len(np.unique(ours)) >= _MIN_VALUES:
            what = f"has at most {decimals} decimals" if decimals >= 0 else f"ends in {'0' * -decimals}"
            yield (
                f"{column} {what} in {now:.0%} of test's rows, in {before:.0%} of train's: some are rounded, or in "
                "another unit. Round or convert both tables to the same form in clean."
            )
            return


def _share_with(numbers: np.ndarray, decimals: int) -> float:
    return float((np.round(numbers, decimals) == numbers).mean())


TABLE_CHECKS = (TableCheck("values in range", values_in_range, optional=True, pictures=True),)
