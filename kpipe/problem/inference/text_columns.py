"""Convert columns of text to numbers and dates, unless the competition's own code reads the text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from kpipe.core.values import Tables
from kpipe.data.date_forms import number_forms_of
from kpipe.data.dates import DateFormat
from kpipe.data.numbers import NumberFormat, parse_numbers
from kpipe.data.strings import distinct_cells
from kpipe.errors import DataError
from kpipe.features.automatic import AutomaticFeatures
from kpipe.problem.competition import Competition
from kpipe.problem.inference.id import shared_ids
from kpipe.problem.inference.spelling import PARTS_OF_IDS, free_name

__all__ = ["SEE_SHOW", "convert_text_columns", "handles_columns_itself"]

_MIN_SHARE = 0.95  # of the cells must be numbers or dates, or the column stays text
_MIN_SHARE_BESIDE_WORDS = 0.5  # if the other cells are few distinct words
_SHARE_OF_WORDS, _MIN_VALUES = 0.03, 40  # distinct words per distinct value, of which at least 40 are assumed
_MIN_DIGITS, _MIN_NEW = 0.9, 0.5  # shares of cells with digits, and of test's cells that train lacks, worth a note
_MAX_CLASSES = 20  # distinct texts of a target that may be classes
_SAMPLED = 1000  # rows of each table
_MIN_UNIQUE = 0.1  # distinct integers per row; with fewer they are codes
SEE_SHOW = "(see kpipe show)."  # the end of a note that is printed by runs, but not by kpipe show
_SHOWN = 3  # columns that get a note of their own at the start of a run


@dataclass(frozen=True)
class _Conversion:
    """A column's converted values in train and test, how they were converted, and several currencies or units."""

    train: pd.Series
    test: pd.Series | None
    words: str
    currencies: tuple[pd.Series, pd.Series] | None = None
    further: str = ""


def convert_text_columns(competition: Competition, tables: Tables) -> tuple[Tables, dict[str, str]]:
    """Convert columns of text to numbers and dates, by the cells of train and test together.

    A column is converted if at least 95 % of its cells are numbers or dates, or at least half of them and the others
    are a few words that repeat, such as "Varies". It is unchanged if it identifies rows, or if the competition's own
    code handles it: the competition states columns, features or models, or declares the column as text.

    Parameters
    ----------
    competition : Competition
        With column names spelled as in the tables.
    tables : Tables
        Cleaned tables.

    Returns
    -------
    tables : Tables
        Numbers are float64, dates datetime64 without a time zone. The notes of the source say what was converted.
    words : dict of str to str
        Converted column → how it was read.
    """
    found = dict(_conversions(competition, tables))
    unread = tuple(_notes_on_unread(competition, tables, found))
    if not found and not unread:
        return tables, {}
    test = {name: made.test for name, made in found.items() if made.test is not None}
    changed = replace(
        tables,
        train=tables.train.assign(**{name: made.train for name, made in found.items()}),
        test=tables.test.assign(**test),
        sample=_convert_sample(tables.sample, found),
    )
    words = {name: made.words + _plain_submission(tables.sample, name, made) for name, made in found.items()}
    source = replace(tables.source, notes=(*tables.source.notes, *_notes(words), *unread))
    return _with_currencies(replace(changed, source=source), found), words


def _with_currencies(tables: Tables, found: Mapping[str, _Conversion]) -> Tables:
    """The tables with a column of currencies for each column that has several."""
    for name, made in found.items():
        if made.currencies is not None:
            free = free_name(_further_column(name, made.further), tables)
            train, test = (
                frame.assign(**{free: names})
                for frame, names in zip((tables.train, tables.test), made.currencies, strict=True)
            )
            tables = replace(tables, train=train, test=test)
    return tables


def _further_column(name: str, kind: str) -> str:
    return f"{name}: {kind}"


def _conversions(competition: Competition, tables: Tables) -> Iterator[tuple[str, _Conversion]]:
    train, test = tables.train, tables.test
    own = handles_columns_itself(competition)
    ids = [competition.id, *shared_ids(tables)[:1]]
    kept = {*ids, *competition.text, *competition.drop, *(f"{id} {part}" for id in ids for part in PARTS_OF_IDS)}
    for name in train.columns:
        if name in kept or train[name].dtype.kind in "bM" or train[name].dtype == np.uint8:
            continue
        if name in test.columns:
            if not own and (made := _feature(train[name], test[name])) is not None:
                yield str(name), made
        elif _may_be_amounts(competition, tables, str(name)) and (made := _amounts(train[name], None)) is not None:
            yield str(name), made


def handles_columns_itself(competition: Competition) -> bool:
    """Whether the competition's own code handles the columns, unlike a module that kpipe new wrote.

    Parameters
    ----------
    competition : Competition
        As its author wrote it.

    Returns
    -------
    bool
    """
    stated = (competition.columns, competition.features, competition.models)
    return any(field is not None for field in stated) and not isinstance(competition.features, AutomaticFeatures)


def _feature(train: pd.Series, test: pd.Series) -> _Conversion | None:
    """Convert a column that train and test share. Dates come first: 2015-01 and 22.05.15 could be amounts, too."""
    are_numbers = pd.api.types.is_numeric_dtype(train) and pd.api.types.is_numeric_dtype(test)
    if are_numbers and not number_forms_of(str(train.name)):
        return None
    if not are_numbers and not any(_has_digits(part) for part in (train, test)):
        return None  # before the samples are joined: a table may have 100,000 columns
    sampled = _sample(train, test)
    dates = DateFormat.of(sampled)
    if dates is not None:
        both = pd.concat([train, test], ignore_index=True)
        if (values := _nearly_all(dates.parse(both), both)) is not None:
            words = f"read as dates, {_example(both, values)}: {dates.description}"
            words += "" if dates.is_certain else ", a guess"
            return _Conversion(*_split(values, train, test), words + _lost(both, values))
    return None if pd.api.types.is_numeric_dtype(train) else _amounts(train, test)


def _has_digits(column: pd.Series) -> bool:
    cells = distinct_cells(column.iloc[:: max(1, len(column) // _SAMPLED)], len(column))
    return bool(pc.any(pc.match_substring_regex(cells, r"\d")).as_py())


def _amounts(train: pd.Series, test: pd.Series | None) -> _Conversion | None:
    amounts = NumberFormat.of(train if test is None else _sample(train, test))
    if amounts is None:
        return _plain_numbers(train, test)
    both = train if test is None else pd.concat([train, test], ignore_index=True)
    if (values := _nearly_all(amounts.parse(both), both)) is None:
        return None
    words = f"read as {amounts.description}, {_example(both, values)}{_lost(both, values)}"
    if test is None:
        if amounts.currencies:
            raise DataError(
                f"train.csv: the target {train.name!r} is written in several {_plural(amounts.further)} "
                f"({_join_names(amounts.currencies)}), such as {str(train.dropna().iloc[0])!r}. Convert them to one "
                f"{amounts.further} in the file, or keep their text as classes with --text {train.name}.",
                code="target-unsuitable",
                file="train.csv",
                column=str(train.name),
            )
        return _Conversion(values.set_axis(train.index), None, words)
    parts = _split(values, train, test)
    if not amounts.currencies:
        return _Conversion(*parts, words + _unlike_units(train, test))
    words += (
        f"; they are in several {_plural(amounts.further)} ({_join_names(amounts.currencies)}) and not converted: the "
        f"column {_further_column(str(train.name), amounts.further)!r} holds which"
    )
    return _Conversion(*parts, words, _split(amounts.parse_currencies(both), train, test), amounts.further)


def _plural(kind: str) -> str:
    return "currencies" if kind == "currency" else "units"


def _join_names(kinds: tuple[str, ...]) -> str:
    return ", ".join(kind or "none" for kind in kinds)


def _plain_numbers(train: pd.Series, test: pd.Series | None) -> _Conversion | None:
    """Plain numbers beside a few words that repeat, such as "below detection limit" or "error"."""
    if pd.api.types.is_numeric_dtype(train):
        return None
    sampled = train.head(_SAMPLED) if test is None else _sample(train, test)
    numbers = pd.to_numeric(sampled, errors="coerce")
    if numbers.nunique() <= _MAX_CLASSES or numbers.notna().sum() < _MIN_SHARE_BESIDE_WORDS * sampled.notna().sum():
        return None
    both = train if test is None else pd.concat([train, test], ignore_index=True)
    numbers = pd.to_numeric(both, errors="coerce").astype("float64")
    values = _nearly_all(numbers.where(np.isfinite(numbers)), both)
    if values is None or _are_codes(both):
        return None
    words = f"read as numbers, {_example(both, values)}{_lost(both, values)}"
    if test is None:
        return _Conversion(values.set_axis(train.index), None, words)
    return _Conversion(*_split(values, train, test), words)


def _are_codes(cells: pd.Series) -> bool:
    """Whether cells have leading zeros, or are whole numbers that repeat, so that a word beside them is one more."""
    present = cells.dropna().astype(str)
    if present.str.match(r"-?0\d").any():
        return True
    return not present.str.contains(r"\d\.\d").any() and present.nunique() < _MIN_UNIQUE * len(present)


def _sample(train: pd.Series, test: pd.Series) -> pd.Series:
    """Evenly spaced rows of both tables, which decide the format of a column: all rows would take seconds."""
    return pd.concat([part.iloc[:: max(1, len(part) // _SAMPLED)] for part in (train, test)], ignore_index=True)


def _may_be_amounts(competition: Competition, tables: Tables, name: str) -> bool:
    """Whether a column that only train has, such as the target, may hold numbers rather than classes."""
    if competition.task == "classification" or pd.api.types.is_numeric_dtype(tables.train[name]):
        return False
    sample = [column for column in tables.sample.columns[1:] if column in (name, *competition.targets)]
    placeholders = tables.sample[sample or list(tables.sample.columns[-1:])]
    is_number = all(pd.api.types.is_numeric_dtype(placeholders[column]) for column in placeholders.columns)
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
    """A clause about a converted target that the sample submission shows as text; else ""."""
    if made.test is not None or name not in sample.columns or pd.api.types.is_numeric_dtype(sample[name]):
        return ""
    return f"; the submission holds plain numbers although the sample submission shows {str(sample[name].iloc[0])!r}"


def _nearly_all(values: pd.Series, text: pd.Series) -> pd.Series | None:
    """The values, if at most 5 % of the cells were not parsed, or at most half, and these are a few repeated words."""
    present, all_cells = values.notna().sum(), text.notna().sum()
    if present >= _MIN_SHARE * all_cells > 0:
        return values
    if present < _MIN_SHARE_BESIDE_WORDS * all_cells or not present:
        return None
    words = text[text.notna() & values.isna()].nunique()
    return values if words <= _SHARE_OF_WORDS * max(values.nunique(), _MIN_VALUES) else None


def _split(values: pd.Series, train: pd.Series, test: pd.Series) -> tuple[pd.Series, pd.Series]:
    return values.iloc[: len(train)].set_axis(train.index), values.iloc[len(train) :].set_axis(test.index)


def _example(text: pd.Series, values: pd.Series) -> str:
    """An example of a cell and its value; for dates, one that shows which number is the day."""
    row = values.first_valid_index()
    if isinstance(values[row], pd.Timestamp) and (values.dt.day > 12).any():
        row = (values.dt.day > 12).idxmax()
    value = values[row]
    shown = str(value).removesuffix(" 00:00:00") if isinstance(value, pd.Timestamp) else f"{value:g}"
    return f"{str(text[row])!r} as {shown}"


def _unlike_units(train: pd.Series, test: pd.Series) -> str:
    """A warning if one table has a unit in nearly every cell and the other in hardly any: 51.3% may be 0.513 there."""
    shares = [part.dropna().astype(str).str.contains(r"[^\d\s.,+-]").mean() for part in (train, test)]
    if max(shares) < _MIN_SHARE or min(shares) > 1 - _MIN_SHARE:
        return ""
    with_unit, without = ("train", "test") if shares[0] > shares[1] else ("test", "train")
    return f"; {with_unit} writes a unit and {without} does not: check that their numbers have the same meaning"


def _lost(text: pd.Series, values: pd.Series) -> str:
    lost = text[text.notna() & values.isna()]
    if not len(lost):
        return ""
    many = len(lost) > 1
    are = "s such as" if many else " such as"
    return f"; {len(lost)} cell{are} {str(lost.iloc[0])!r} {'are missing values' if many else 'is a missing value'}"


def _notes_on_unread(competition: Competition, tables: Tables, found: Mapping[str, _Conversion]) -> Iterator[str]:
    """Yield notes on columns of text with numbers that are not parsed, so that models learn little from them."""
    if handles_columns_itself(competition):
        return
    kept = {competition.id, *shared_ids(tables)[:1], *competition.text, *competition.drop, *found}
    for name in tables.train.columns:
        if name in kept or name not in tables.test or not _is_unread(tables.train[name], tables.test[name]):
            continue
        cell = str(tables.train[name].dropna().iloc[0])[:40]
        yield (
            f"{name} holds text with numbers, such as {cell!r}, which kpipe does not read as numbers or dates, and "
            f"most of test's values are new. If they are numbers, convert them to plain numbers, in the file or "
            f"in clean (kpipe new {competition.slug}). If they are labels or text, pass --text {name}; to leave the "
            f"column out, pass --drop {name}."
        )


def _is_unread(train: pd.Series, test: pd.Series) -> bool:
    if not pd.api.types.is_string_dtype(train):
        return False
    first, other = train.head(_SAMPLED).dropna(), test.head(_SAMPLED).dropna()
    if first.nunique() <= _MAX_CLASSES or first.str.contains(r"\d").mean() < _MIN_DIGITS:
        return False
    if other.isin(train).mean() > 1 - _MIN_NEW:
        return False
    return parse_numbers(first) is None and not AutomaticFeatures.reads_parts(first)


def _notes(words: Mapping[str, str]) -> Iterator[str]:
    for name, text in list(words.items())[:_SHOWN]:
        yield f"{name} is {text} (--text {name} keeps the text)."
    if others := list(words)[_SHOWN:]:
        named = ", ".join(others[:_SHOWN]) + (", ..." if len(others) > _SHOWN else "")
        yield f"{len(others)} more columns are read as numbers or dates: {named} {SEE_SHOW}"
