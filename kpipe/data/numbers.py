"""Parse numbers in a column of text: plain ones, and formatted ones ($1,234, 13.56 %, 2h 50m, 10+ years)."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Literal, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from kpipe.data.affixes import Affixes
from kpipe.data.matching import first_known, matches, named_groups, to_floats
from kpipe.data.strings import distinct_cells, to_strings
from kpipe.data.units import COMPOUND, OFFSETS, common_unit, is_unit, normal_unit, split_currency

__all__ = ["NumberFormat", "parse_numbers"]

_MIN_SHARE = 0.9  # of the cells that are not missing must be numbers
_MIN_FORMATTED = 0.95  # of the distinct cells must be numbers if they are formatted with symbols or units
_MIN_DIFFERENT = 0.5  # distinct numbers per distinct cell; with fewer, the units are the information
_SAME_SCALE = 3  # largest ratio of the medians of numbers with and without a unit that are on one scale
_FIRST = 50  # cells that decide whether the digits are ASCII
_SAMPLED = 1000  # distinct cells that decide a column's format

_SIGN = r"[-+\x{2212}\x{2013}▲▼↑↓]\s?|(?:up|down|plus|minus|increased?|decreased?|gain|loss)\s"
_NEGATIVE = r"(?i)^(?:[-\x{2212}\x{2013}▼↓]|down|minus|decrease|loss)"
_PERCENT = r"%\x{ff05}"
_CURRENCY = (
    r"(?:us|a|c|r|hk|nz|nt|s|ca|au|mxn?|usd)?\s?\p{Sc}|(?:rs|inr|usd|eur|gbp|jpy|cny|chf|cad|aud|rub|brl|kr|sek|nok|dkk"
    rf"|pln|zł|aed|sar|zar|idr|myr|ngn|huf|czk|ils|mxn)\.?|[{_PERCENT}]"
)
_BLANKS = r"'\x{2019} _\x{00a0}\x{2007}-\x{200a}\x{202f}"  # between thousands
_DIGITS = rf"\d(?:[\d.,{_BLANKS}]*\d)?|[.,]\d+"
_UNIT = (
    rf"""[{_PERCENT}‰°\p{{L}}\p{{Sc}}"'\x{{201d}}\x{{2033}}\x{{2032}}]"""
    r"(?:[\p{L}\p{Sc}/.²³° -]*[\p{L}\p{Sc}.²³])?[23]?"
)
_LONGEST_UNIT = 22  # characters; as a bound in the expression, {0,20}, they take seven times as long to compile
_LESS = r"[<≤]=?|(?:under|below|less than|fewer than|up to|at most|max\.?)\s"
_MORE = (
    r"[>≥]=?|[~≈±#№]|(?:over|above|more than|at least|from|min\.?|approx(?:imately|\.)?|about|around|roughly|ca?\."
    r"|circa|n[or]\.)\s?"
)
_FOOTNOTE = r"\s*(?:\*+|†|‡|\[\w{1,3}\]|\((?:e|r|p|est\.?|estimated|approx\.?)\))"  # after some numbers of a column
_AMOUNT = (
    rf"""(?i)^[\s_]*(?:=?["'\[])?(?P<below>(?:{_LESS})\s*)?(?:(?:{_MORE})\s*)?(?P<open>\()?(?P<sign>{_SIGN})?\s*"""
    rf"(?P<currency>{_CURRENCY})?\s*(?P<open2>\()?(?P<sign2>{_SIGN})?(?P<number>{_DIGITS})(?P<power>e[-+]?\d+)?"
    rf"(?:/-|[.,][-\x{{2013}}\x{{2014}}]{{1,2}})?(?P<minus>[-\x{{2212}}])?"
    rf"\s*(?:(?:/\s?)?(?P<unit>{_UNIT})\s*\+?|\+\s*(?P<unit2>{_UNIT})|\+)?(?P<close>\))?(?:{_FOOTNOTE})?[\])\s_]*$"
)
_CLOCK = (
    r"(?i)^\s*(?P<sign>-)?(?:(?P<days>\d+)\s*d(?:ays?)?,?\s+)?(?:(?P<hours>\d{1,3}):(?P<minutes>[0-5]\d)"
    r"(?::(?P<seconds>[0-5]\d(?:\.\d+)?))?\s*(?P<half>[ap]\.?\s?m\.?)?"
    r"|(?P<hours2>1[0-2]|0?[1-9])\s*(?P<half2>[ap]\.?\s?m\.?)"
    r"|(?P<hours3>[01]\d|2[0-3])[:.h]?(?P<minutes3>[0-5]\d)\s*(?:hrs?|hours|h|uhr))\s*$"
)
_FRACTION_SIGNS = "½¼¾⅓⅔⅛⅜⅝⅞"
_SIGNS_OF_FRACTIONS = np.array([1 / 2, 1 / 4, 3 / 4, 1 / 3, 2 / 3, 1 / 8, 3 / 8, 5 / 8, 7 / 8])
_FRACTION = (
    r"(?i)^\s*(?:(?P<whole>\d+)(?:[\s-]+(?P<above>\d+)\s*/\s*(?P<below>[1-9]\d*)|\s*(?P<sign>[_SIGNS]))?"
    r'|(?P<above2>\d+)\s*/\s*(?P<below2>[1-9]\d*)|(?P<sign2>[_SIGNS]))\s*(?:["\x{201d}\x{2033}]|[a-z]{1,8}\.?)?\s*$'
).replace("_SIGNS", _FRACTION_SIGNS)
_THOUSANDS = {mark: rf"^\d{{1,3}}(?:{mark}\d{{3}})+$" for mark in (",", r"\.")}
_LAKHS = r"^\d{1,2}(?:,\d{2})*,\d{3}$"
_FORMATTED = r"^\D*\d+\D+\d|\p{Sc}|[%:]"  # a number with a mark in it, or an amount
_RANGE = r"(?i)^(?P<low>[^-–]*\d[^-–]*?)\s*(?:-|–|\bto\b)\s*(?P<high>[^-–]*\d[^-–]*)$"
_MAX_RANGES = 0.5  # of the cells; if more are ranges, both of their numbers become features
_ORDINALS = {"st", "nd", "rd", "th"}
_MAX_UNITS, _MIN_FRACTIONS = 6, 0.5  # distinct units that cannot be converted; share of cells with decimals


@dataclass(frozen=True)
class NumberFormat:
    """The number format of a column of text, decided for all of its cells at once.

    Attributes
    ----------
    kind : {"amount", "clock", "fraction", "compound", "hexadecimal"}
        A number with symbols and units; a time of day or duration (22:20), which becomes minutes; integers with
        fractions (2 1/2); several units in a cell (2h 50m); or 0x1F.
    decimal : {".", ","}
        The decimal mark of amounts.
    units : dict of str to float
        Unit → its size in the smallest unit of the column.
    compound : tuple
        The units of an entry of ``kpipe.data.units.COMPOUND``.
    currencies : tuple of str
        The currencies of amounts, or units that cannot be converted to each other, if a column has several. Its numbers
        cannot be compared without them.
    affixes : Affixes or None
        Words around the number in nearly all cells.
    has_ranges : bool
        Whether some cells are ranges such as 1133 - 1384, which are read as their mean.
    """

    kind: Literal["amount", "clock", "fraction", "compound", "hexadecimal"]
    decimal: str = "."
    units: dict[str, float] = field(default_factory=dict)
    compound: tuple[tuple[str, float], ...] = ()
    currencies: tuple[str, ...] = ()
    affixes: Affixes | None = None
    has_ranges: bool = False

    @classmethod
    def of(cls, column: pd.Series) -> Self | None:
        """Determine a column's format; None for plain numbers, or if fewer than 95 % of the cells are numbers.

        Parameters
        ----------
        column : Series
            (n,) text.

        Returns
        -------
        NumberFormat or None
        """
        if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
            return None
        cells = distinct_cells(column, _SAMPLED)
        digits = pc.sum(pc.match_substring_regex(cells, r"\d")).as_py() or 0
        if not len(cells) or digits < _MIN_FORMATTED * len(cells):
            return None
        other_digits = not column.dropna().head(_FIRST).astype(str).map(str.isascii).all()
        if (found := cls._of_cells(cells, other_digits=other_digits)) is not None:
            return found
        affixes = Affixes.of(cells)
        bare = cells if affixes is None else affixes.strip(cells)
        within = None if affixes is None else cls._of_cells(bare, other_digits=True)
        if within is not None and matches(bare, _FORMATTED).any():  # Level 12 and A801 are labels
            return replace(within, affixes=affixes)
        units = cls._of_amounts(cells, convertible=False)
        return units if units is not None and units._fits(cells, other_digits=other_digits) else None

    @classmethod
    def _of_cells(cls, cells: pa.Array, *, other_digits: bool) -> Self | None:
        for found in (
            cls("clock"),
            cls._of_amounts(cells),
            cls._of_ranges(cells),
            cls("fraction"),
            cls("hexadecimal"),
            *(cls("compound", compound=units) for units in COMPOUND),
        ):
            if found is not None and found._fits(cells, other_digits=other_digits):
                return found
        return None

    @classmethod
    def _of_ranges(cls, cells: pa.Array) -> Self | None:
        """The format of amounts some of which are ranges."""
        ranges = matches(cells, _RANGE)
        if not 0 < ranges.mean() <= _MAX_RANGES:
            return None
        found = cls._of_amounts(cells.filter(pa.array(~ranges)))
        return None if found is None else replace(found, has_ranges=True)

    @classmethod
    def _of_amounts(cls, cells: pa.Array, *, convertible: bool = True) -> Self | None:
        amounts = _extract_amounts(cells).drop_null()
        if len(amounts) < _MIN_FORMATTED * len(cells):
            return None
        decimal = _decimal_mark(amounts)
        written = _units(amounts)
        counts = Counter(written)
        units = common_unit(counts.keys()) or _same_scale(amounts, written, decimal or ".")
        if units is None and counts.most_common(1)[0][1] >= _MIN_FORMATTED * len(cells):
            units = {counts.most_common(1)[0][0]: 1.0}  # the other units are mistakes, or cannot be compared
        if not convertible and _are_units(counts, amounts):
            return cls("amount", decimal or ".", dict.fromkeys(counts, 1.0), currencies=tuple(sorted(counts)))
        if units is None or decimal is None:
            return None
        currencies = tuple(sorted({*_currencies(amounts)} - {""}))
        return cls("amount", decimal, units, currencies=currencies if len(currencies) > 1 else ())

    def _fits(self, cells: pa.Array, *, other_digits: bool) -> bool:
        """Whether nearly all cells are numbers, some of them formatted, and distinct cells are distinct numbers."""
        numbers = self._parse_text(cells)
        plain = pd.to_numeric(pd.Series(cells.to_pylist()), errors="coerce").notna().to_numpy()
        is_number = ~np.isnan(numbers)
        if is_number.sum() < _MIN_FORMATTED * len(cells) or not (other_digits or (is_number & ~plain).any()):
            return False
        return len(np.unique(numbers[is_number])) >= _MIN_DIFFERENT * is_number.sum()

    @property
    def description(self) -> str:
        """What the numbers measure, such as "numbers" or "minutes"."""
        if self.kind in ("clock", "hexadecimal"):
            return "minutes" if self.kind == "clock" else "hexadecimal numbers"
        if self.kind == "compound":
            names = dict(zip(COMPOUND, ("months", "minutes", "inches", "pounds", "ounces", "centimetres"), strict=True))
            return names[self.compound]
        unit = [unit for unit, factor in self.units.items() if factor == 1.0 and unit]
        mark = " with decimal commas" if self.decimal == "," else ""
        if self.units.get("") == 100:
            return "per cent" + mark + ", numbers without % as fractions of 1"
        mark += " (of a range the mean)" if self.has_ranges else ""
        named = len(self.units) > 1 and unit and self.further != "unit"
        return "numbers" + mark + (f" of {unit[0]}" if named else "")

    def parse(self, column: pd.Series) -> pd.Series:
        """The numbers of a column.

        Parameters
        ----------
        column : Series
            (n,) text.

        Returns
        -------
        Series
            (n,) float64; NaN where a value is missing or not a number.
        """
        codes, cells = pd.factorize(column)
        numbers = np.append(self._parse_text(to_strings(pd.Series(cells))), np.nan)
        return pd.Series(numbers[codes], index=column.index, name=column.name)

    @property
    def further(self) -> str:
        """What an additional column must hold so that the numbers can be compared: "currency", "unit" or ""."""
        return ("unit" if {*self.currencies} <= {*self.units} else "currency") if self.currencies else ""

    def parse_currencies(self, column: pd.Series) -> pd.Series:
        """Return the currency of each amount, or its unit.

        Parameters
        ----------
        column : Series
            (n,) text.

        Returns
        -------
        Series
            (n,) text; missing where a cell is missing or has none.
        """
        codes, cells = pd.factorize(column)
        strings = to_strings(pd.Series(cells))
        amounts = _extract_amounts(strings if self.affixes is None else self.affixes.strip(strings))
        found = _units(amounts) if {*self.currencies} <= {*self.units} else _currencies(amounts)
        names = np.array([*(name or None for name in found), None], dtype=object)
        return pd.Series(names[codes], index=column.index, name=column.name, dtype="str")

    def _parse_text(self, cells: pa.Array) -> np.ndarray:
        cells = cells if self.affixes is None else self.affixes.strip(cells)
        if self.has_ranges:
            ends = pc.extract_regex(cells, _RANGE)
            low, high = (replace(self, affixes=None, has_ranges=False)._amounts(ends.field(end)) for end in (0, 1))
            return first_known(self._amounts(cells), (low + high) / 2)
        readers = {"clock": _clock, "fraction": _fractions, "hexadecimal": _hexadecimals, "compound": self._compound}
        return readers.get(self.kind, self._amounts)(cells)

    def _amounts(self, cells: pa.Array) -> np.ndarray:
        found = _extract_amounts(cells)
        group = named_groups(found)
        numbers = to_floats(_plain(group["number"], self.decimal)) * 10 ** np.nan_to_num(
            to_floats(pc.utf8_slice_codeunits(group["power"], 1))
        )
        signs = ("sign", _NEGATIVE), ("sign2", _NEGATIVE), ("minus", "."), ("open", r"\("), ("open2", r"\(")
        negative = np.any([matches(group[name], mark) for name, mark in signs], axis=0)
        numbers = np.where(negative, -numbers, numbers)
        # Fewer than 1 is neither 1 nor 0.
        numbers = np.where(matches(group["below"], "."), numbers / 2, numbers)
        written = pd.Series(_units(found))
        numbers = numbers - written.map(OFFSETS).fillna(0).to_numpy(dtype=np.float64) * (len(self.units) > 1)
        return numbers * written.map(self.units).to_numpy(dtype=np.float64)

    def _compound(self, cells: pa.Array) -> np.ndarray:
        # PT2H50M and P1DT3H: the letters between the numbers of ISO 8601.
        cells = pc.replace_substring_regex(cells, r"(?i)^\s*p((?:\d+[ymwd])*)t?(\d)?", r"\1 \2")
        names = "|".join(name for name, _ in self.compound)
        part = rf"\d+(?:[.,]\d+)?\s*(?:{names})\.?(?:[\s,t]*|\s+(?:and|&)\s+)"
        whole = matches(cells, rf"(?i)^\s*(?:{part})+(?:\d+\s*)?$")
        whole &= ~matches(cells, rf"(?i){self.compound[-1][0]}\.?\s*\d+\s*$")
        total = np.zeros(len(cells))
        for name, factor in self.compound:
            amounts = pc.extract_regex(cells, rf"(?i)(?P<number>\d+(?:[.,]\d+)?)\s*{name}(?:[^a-z'\x{{2019}}\"]|$)")
            text = pc.replace_substring(pc.struct_field(amounts, "number"), ",", ".")
            total += factor * np.nan_to_num(to_floats(text))
        for (name, size), (_, factor) in itertools.pairwise(self.compound):  # 6'2 and 2h50: the next unit is left out
            bare = pc.extract_regex(cells, rf"(?i)\d\s*{name}\.?\s*(?P<number>\d+)\s*$")
            number = np.nan_to_num(to_floats(pc.struct_field(bare, "number")))
            whole &= number * factor <= size  # 1m83 are not minutes and seconds
            total += factor * number
        return np.where(whole, total, np.nan)


def _extract_amounts(cells: pa.Array) -> pa.Array:
    """The groups of ``_AMOUNT`` in each cell; null for a cell that is not an amount."""
    found = pc.extract_regex(cells, _AMOUNT)
    units = (pc.replace_substring_regex(pc.struct_field(found, name), "[23]$", "") for name in ("unit", "unit2"))
    too_long = pc.or_(*(pc.greater(pc.utf8_length(unit), _LONGEST_UNIT) for unit in units))
    return pc.if_else(pc.fill_null(too_long, False), pa.scalar(None, found.type), found)


def parse_numbers(column: pd.Series) -> pd.Series | None:
    """Parse the plain numbers in a column of text; None if fewer than 90 % of its cells are numbers.

    Parameters
    ----------
    column : Series
        (n,) of any dtype; for numbers and dates the result is None.

    Returns
    -------
    Series or None
        (n,) float64; NaN where a value is missing or not a finite number (blanks, "4+", "unknown").

    Examples
    --------
    >>> parse_numbers(pd.Series(["1.5", " ", *["2"] * 30])).head(2).tolist()
    [1.5, nan]
    >>> parse_numbers(pd.Series(["A/5 21171", "113803"])) is None
    True
    """
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column):
        return None
    codes, cells = pd.factorize(column)  # to parse each distinct value once
    if (
        isinstance(column.dtype, pd.StringDtype)
        and not pc.any(pc.match_substring_regex(pa.array(cells), r"\d")).as_py()
    ):
        return None  # five times as fast as parsing: a table may have 100,000 columns
    parsed = np.append(pd.to_numeric(pd.Series(cells), errors="coerce").to_numpy(np.float64, na_value=np.nan), np.nan)
    parsed[~np.isfinite(parsed)] = np.nan
    numbers = parsed[codes]  # the code of a missing cell is -1
    if np.isfinite(numbers).sum() < _MIN_SHARE * max((codes >= 0).sum(), 1):
        return None
    return pd.Series(numbers, index=column.index, name=column.name)


def _units(amounts: pa.StructArray) -> list[str]:
    """The unit of each amount, in one spelling and without currencies."""
    return [split_currency(unit)[0] for unit in _written_units(amounts)]


def _currencies(amounts: pa.StructArray) -> list[str]:
    """The currency of each amount; "" where there is none."""
    before = pc.fill_null(pc.struct_field(amounts, "currency"), "").to_pylist()
    after = _written_units(amounts)
    return [split_currency(normal_unit(a) if a else b)[1] for a, b in zip(before, after, strict=True)]


def _written_units(amounts: pa.StructArray) -> list[str]:
    written = _join(pc.struct_field(amounts, "unit"), pc.struct_field(amounts, "unit2"))
    encoded = pc.dictionary_encode(pc.fill_null(written, ""))
    names = [normal_unit(unit or "") for unit in encoded.dictionary.to_pylist()]
    return [names[code] for code in encoded.indices.to_pylist()]


def _same_scale(amounts: pa.StructArray, written: list[str], decimal: str) -> dict[str, float] | None:
    """The factors of a unit that only some cells have, if the sizes of the numbers show how the others compare.

    Numbers without % are fractions if none exceeds 1 and those with % are about a hundred times as large.
    """
    units = pd.Series(written)
    named = sorted(set(units) - {""})
    if len(named) != 1 or not is_unit(named[0]):
        return None
    numbers = pd.Series(to_floats(_plain(pc.struct_field(amounts, "number"), decimal)))
    without, beside = numbers[units.eq("")], numbers[units.eq(named[0])]
    ratio = beside.median() / without.median() if without.median() else np.nan
    if named[0] == "%" and without.max() <= 1 < beside.max() and 10 < ratio < 1000:
        return {"%": 1.0, "": 100.0}
    alike = 1 / _SAME_SCALE < ratio < _SAME_SCALE and (named[0] != "%" or without.max() > 1)
    return {named[0]: 1.0, "": 1.0} if alike else None


def _are_units(counts: Counter[str], amounts: pa.StructArray) -> bool:
    """Whether cells have few units, which repeat and cannot be converted, unlike the letters of labels (1A, 2B)."""
    if counts.keys() <= _ORDINALS or len(counts) > _MAX_UNITS or min(counts.values()) < 2 or len({*counts} - {""}) < 2:
        return False
    have_fractions = matches(pc.struct_field(amounts, "number"), r"\d[.,]\d{1,2}$").mean() > _MIN_FRACTIONS
    return have_fractions or all(is_unit(unit) for unit in counts if unit)


def _decimal_mark(amounts: pa.StructArray) -> Literal[".", ","] | None:
    """The decimal mark of all amounts of a column; None if they contradict each other."""
    numbers = pc.struct_field(amounts, "number")
    commas, stops = matches(numbers, ","), matches(numbers, r"\.")
    both = commas & stops
    if both.any():
        last_is_comma = matches(numbers, r",\d*$") & ~matches(numbers, r"\.\d*$")
        if last_is_comma[both].all():
            return ","
        return "." if not last_is_comma[both].any() else None
    if commas.any():
        if (matches(pc.struct_field(amounts, "power"), ".") & commas).any():
            return ","
        grouped = matches(numbers, _THOUSANDS[","]) | matches(numbers, _LAKHS)
        return "." if grouped[commas].all() and not matches(numbers, "^0")[commas].any() else ","
    # 1.234 € and 1.234.567 have thousands separators; other numbers with three digits after the point are decimals.
    grouped = matches(numbers, _THOUSANDS[r"\."])
    repeated = matches(numbers, r"\..*\.")
    currency = matches(pc.struct_field(amounts, "currency"), "€") | matches(
        pc.struct_field(amounts, "unit"), "€|(?i)eur"
    )
    is_thousands = stops.any() and grouped[stops].all() and (repeated.any() or currency.any())
    return "," if is_thousands else "."


def _plain(numbers: pa.Array, decimal: str) -> pa.Array:
    """Numbers with a decimal point and without thousands separators; null if digits are not grouped by thousands."""
    mark, other = (r"\.", ",") if decimal == "." else (",", r"\.")
    blank = f"[{_BLANKS}]"
    whole = rf"(?:0|[1-9]\d*|[1-9]\d{{0,2}}(?:{other}\d{{3}})+|[1-9]\d{{0,2}}(?:{blank}\d{{3}})+"
    whole += r"|[1-9]\d?(?:,\d{2})*,\d{3})" if decimal == "." else ")"
    fits = pc.match_substring_regex(numbers, rf"^{whole}?(?:{mark}\d*)?$")
    plain = pc.replace_substring_regex(numbers, rf"{other}|{blank}", "")
    plain = plain if decimal == "." else pc.replace_substring(plain, ",", ".")
    return pc.if_else(fits, plain, pa.scalar(None, pa.string()))


def _fractions(cells: pa.Array) -> np.ndarray:
    """(n,) integers with fractions; all NaN if no cell has both parts, since 1/2 alone may be two numbers."""
    found = pc.extract_regex(cells, _FRACTION)
    part = named_groups(found)
    part |= {name: _join(part[name], part[f"{name}2"]) for name in ("above", "below", "sign")}
    if not (matches(part["whole"], ".") & (matches(part["above"], ".") | matches(part["sign"], "."))).any():
        return np.full(len(cells), np.nan)
    fraction = np.nan_to_num(to_floats(part["above"]) / to_floats(part["below"]))
    fraction += np.append(_SIGNS_OF_FRACTIONS, 0.0)[
        pc.fill_null(pc.index_in(part["sign"], pa.array(list(_FRACTION_SIGNS))), -1).to_numpy(zero_copy_only=False)
    ]
    is_empty = ~(matches(part["whole"], ".") | matches(part["above"], ".") | matches(part["sign"], "."))
    return np.where(is_empty, np.nan, np.nan_to_num(to_floats(part["whole"])) + fraction)


def _hexadecimals(cells: pa.Array) -> np.ndarray:
    """(n,) integers; NaN for more than 12 digits, which are addresses or hashes."""
    found = cells.to_pylist()
    fits = matches(cells, r"(?i)^\s*0x[0-9a-f]{1,12}\s*$")
    return np.array([int(cell, 16) if fit else np.nan for cell, fit in zip(found, fits, strict=True)], dtype=np.float64)


def _clock(cells: pa.Array) -> np.ndarray:
    """(n,) minutes."""
    found = pc.extract_regex(cells, _CLOCK)
    part = named_groups(found)
    hours, minutes = (
        first_known(*(to_floats(part[name]) for name in names))
        for names in (("hours", "hours2", "hours3"), ("minutes", "minutes3"))
    )
    seconds = to_floats(part["seconds"])
    # 59:30 beside 1:02:30 is 59 minutes and 30 seconds.
    short = np.isnan(seconds) & matches(part["hours"], ".")
    if not np.isnan(seconds).all() and (hours[short] > 23).any():
        later = (0.0, hours), (hours, minutes), (minutes, seconds)
        hours, minutes, seconds = (np.where(short, other, own) for other, own in later)
    minutes = np.where(matches(part["half2"], "."), 0.0, minutes)
    afternoon = matches(part["half"], "(?i)^p") | matches(part["half2"], "(?i)^p")
    halved = matches(part["half"], ".") | matches(part["half2"], ".")
    hours = np.where(halved, hours % 12 + np.where(afternoon, 12.0, 0.0), hours)
    total = np.nan_to_num(to_floats(part["days"])) * 1440 + hours * 60 + minutes + np.nan_to_num(seconds) / 60
    return np.where(matches(part["sign"], "-"), -total, total)


def _join(text: pa.Array, other: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(text, other, "", null_handling="replace")
