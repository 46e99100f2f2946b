"""Text that writes numbers and dates → columns of numbers and dates, for competitions without code that reads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from kpipe.core.values import Tables
from kpipe.data.dates import DateFormat
from kpipe.data.numbers import NumberFormat
from kpipe.features.automatic import AutomaticFeatures
from kpipe.problem.competition import Competition
from kpipe.problem.inference.id import shared_ids

__all__ = ["convert_written_forms"]

_MIN_SHARE = 0.95  # of the cells must be numbers or dates, or the column stays text
_MAX_CLASSES = 20  # different texts of a target that may be classes
_SAMPLED = 1000  # rows of each table
_SHOWN = 3  # columns with a sentence each at the start of a run


@dataclass(frozen=True)
class _Conversion:
    """A column's values in train and test, and what was done in words."""

    train: pd.Series
    test: pd.Series | None
    words: str


def convert_written_forms(competition: Competition, tables: Tables) -> tuple[Tables, dict[str, str]]:
    """The tables with numbers and dates where columns write them as text, decided on train and test together.

    A column stays as it is where less than 95 % of its different cells are numbers or dates, where it identifies rows,
    and where the competition's own code reads it: it states columns, features or models, or reads it as text.

    Parameters
    ----------
    competition : Competition
        With the spelling of the tables.
    tables : Tables
        Cleaned tables.

    Returns
    -------
    tables : Tables
        Numbers are float64, dates datetime64 without a time zone. The notes of the source say what was converted.
    words : dict of str to str
        Each converted column, and how it was read.
    """
    found = dict(_conversions(competition, tables))
    if not found:
        return tables, {}
    test = {name: made.test for name, made in found.items() if made.test is not None}
    changed = replace(
        tables,
        train=tables.train.assign(**{name: made.train for name, made in found.items()}),
        test=tables.test.assign(**test),
        sample=_convert_sample(tables.sample, found),
    )
    words = {name: made.words + _plain_submission(tables.sample, name, made) for name, made in found.items()}
    source = replace(tables.source, notes=(*tables.source.notes, *_notes(words)))
    return replace(changed, source=source), words


def _conversions(competition: Competition, tables: Tables) -> Iterator[tuple[str, _Conversion]]:
    train, test = tables.train, tables.test
    stated = (competition.columns, competition.features, competition.models)
    # A module that kpipe new wrote states what was inferred, with AutomaticFeatures.
    reads_itself = any(field is not None for field in stated) and not isinstance(
        competition.features, AutomaticFeatures
    )
    kept = {competition.id, *shared_ids(tables)[:1], *competition.text, *competition.drop}
    for name in train.columns:
        if name in kept or train[name].dtype.kind in "bM" or train[name].dtype == np.uint8:
            continue
        if name in test.columns:
            if not reads_itself and (made := _feature(train[name], test[name])) is not None:
                yield str(name), made
        elif _may_be_amounts(competition, tables, str(name)) and (made := _amounts(train[name], None)) is not None:
            yield str(name), made


def _feature(train: pd.Series, test: pd.Series) -> _Conversion | None:
    """Dates come first: 2015-01 and 22.05.15 could be amounts, too."""
    sampled = _sampled(train, test)
    dates = DateFormat.of(sampled)
    if dates is not None:
        both = pd.concat([train, test], ignore_index=True)
        if (values := _nearly_all(dates.parse(both), both)) is not None:
            words = f"read as dates, {_example(both, values)}: {dates.description}"
            words += "" if dates.is_certain else ", a guess"
            return _Conversion(*_split(values, train, test), words + _lost(both, values))
    return None if pd.api.types.is_numeric_dtype(train) else _amounts(train, test)


def _amounts(train: pd.Series, test: pd.Series | None) -> _Conversion | None:
    amounts = NumberFormat.of(train if test is None else _sampled(train, test))
    if amounts is None:
        return None
    both = train if test is None else pd.concat([train, test], ignore_index=True)
    if (values := _nearly_all(amounts.parse(both), both)) is None:
        return None
    words = f"read as {amounts.description}, {_example(both, values)}{_lost(both, values)}"
    words += "" if test is None else _unlike_units(train, test)
    return _Conversion(*_split(values, train, test), words)


def _sampled(train: pd.Series, test: pd.Series) -> pd.Series:
    """Rows of the whole length of both tables, which decide the form of a column: all would take seconds."""
    return pd.concat([part.iloc[:: max(1, len(part) // _SAMPLED)] for part in (train, test)], ignore_index=True)


def _may_be_amounts(competition: Competition, tables: Tables, name: str) -> bool:
    """Whether a column that only train has, such as the target, may hold numbers rather than classes."""
    if competition.task == "classification" or pd.api.types.is_numeric_dtype(tables.train[name]):
        return False
    sample = [column for column in tables.sample.columns[1:] if column in (name, *competition.targets)]
    asked = tables.sample[sample or list(tables.sample.columns[-1:])]
    is_number = all(pd.api.types.is_numeric_dtype(asked[column]) for column in asked.columns)
    return is_number or tables.train[name].nunique() > _MAX_CLASSES


def _convert_sample(sample: pd.DataFrame, found: Mapping[str, _Conversion]) -> pd.DataFrame:
    """The sample submission with numbers where it shows a converted target as text."""
    changed = {}
    for name in found:
        if name in sample.columns and not pd.api.types.is_numeric_dtype(sample[name]) and found[name].test is None:
            amounts = NumberFormat.of(sample[name])
            if amounts is not None:
                changed[name] = amounts.parse(sample[name])
    return sample.assign(**changed)


def _plain_submission(sample: pd.DataFrame, name: str, made: _Conversion) -> str:
    """What is said where the sample submission shows a converted target as text."""
    if made.test is not None or name not in sample.columns or pd.api.types.is_numeric_dtype(sample[name]):
        return ""
    return f"; the submission holds plain numbers although the sample submission shows {str(sample[name].iloc[0])!r}"


def _nearly_all(values: pd.Series, text: pd.Series) -> pd.Series | None:
    return values if values.notna().sum() >= _MIN_SHARE * text.notna().sum() > 0 else None


def _split(values: pd.Series, train: pd.Series, test: pd.Series | None) -> tuple[pd.Series, pd.Series | None]:
    parts = values.iloc[: len(train)], values.iloc[len(train) :]
    return parts[0].set_axis(train.index), None if test is None else parts[1].set_axis(test.index)


def _example(text: pd.Series, values: pd.Series) -> str:
    """A cell and its value, in words."""
    row = values.first_valid_index()
    value = values[row]
    shown = str(value).removesuffix(" 00:00:00") if isinstance(value, pd.Timestamp) else f"{value:g}"
    return f"{str(text[row])!r} as {shown}"


def _unlike_units(train: pd.Series, test: pd.Series) -> str:
    """What is said where one table writes a unit in every cell and the other in none: 51.3% may be 0.513 there."""
    shares = [part.dropna().astype(str).str.contains(r"[^\d\s.,+-]").mean() for part in (train, test)]
    if max(shares) < _MIN_SHARE or min(shares) > 1 - _MIN_SHARE:
        return ""
    with_unit, without = ("train", "test") if shares[0] > shares[1] else ("test", "train")
    return f"; {with_unit} writes a unit and {without} does not: check that both mean the same"


def _lost(text: pd.Series, values: pd.Series) -> str:
    lost = text[text.notna() & values.isna()]
    if not len(lost):
        return ""
    many = len(lost) > 1
    are = "s such as" if many else " such as"
    return f"; {len(lost)} cell{are} {str(lost.iloc[0])!r} {'are missing values' if many else 'is a missing value'}"


def _notes(words: Mapping[str, str]) -> Iterator[str]:
    for name, text in list(words.items())[:_SHOWN]:
        yield f"{name} is {text} (--text {name} keeps the text)."
    if others := list(words)[_SHOWN:]:
        named = ", ".join(others[:_SHOWN]) + (", ..." if len(others) > _SHOWN else "")
        yield f"{len(others)} more columns are read as numbers or dates: {named} (see kpipe show)."
