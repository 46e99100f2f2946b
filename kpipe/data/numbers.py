"""Numbers in a column of text: plain ones, and numbers as people write them ($1,234, 13.56 %, 2h 50m, 10+ years)."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from kpipe.data.dates import distinct_cells
from kpipe.data.units import COMPOUND, common_unit, normal_unit

__all__ = ["NumberFormat", "parse_numbers"]

_MIN_SHARE = 0.9  # of the cells that are not missing must be numbers
_MIN_WRITTEN = 0.95  # of the different cells must be numbers where they are written with signs or units
_MIN_DIFFERENT = 0.5  # numbers per different cell: fewer, and a unit distinguishes what the number does not
_SAMPLED = 1000  # different cells that decide how a column writes numbers

_SIGN = r"[-+\x{2212}\x{2013}]"
_CURRENCY = r"(?:us|a|c|r|hk|nz|s)?\p{Sc}|(?:rs|inr|usd|eur|gbp|jpy|cny|chf|cad|aud|rub|brl|kr|sek|nok|dkk|pln|zł)\.?"
_BLANKS = r"'\x{2019} \x{00a0}\x{202f}"  # between thousands
_DIGITS = rf"\d(?:[\d.,{_BLANKS}]*\d)?|[.,]\d+"
_UNIT = r"""[%‰°\p{L}\p{Sc}"'\x{201d}\x{2033}\x{2032}](?:[\p{L}\p{Sc}/.²³° -]{0,20}[\p{L}\p{Sc}.²³])?[23]?"""
_AMOUNT = (
    r"(?i)^[\s_]*(?P<below>(?:[<≤]=?|under\s|below\s|less than\s|up to\s)\s*)?"
    r"(?:(?:[>≥]=?|[~≈]|over\s|more than\s)\s*)?"
    rf"(?P<open>\()?(?P<sign>{_SIGN})?\s*(?P<currency>{_CURRENCY})?\s*(?P<sign2>{_SIGN})?(?P<number>{_DIGITS})"
    rf"(?P<power>e[-+]?\d+)?\s*(?:(?P<unit>{_UNIT})\s*\+?|\+\s*(?P<unit2>{_UNIT})|\+)?(?P<close>\))?[\s_]*$"
)
_CLOCK = (
    r"(?i)^\s*(?P<sign>-)?(?:(?P<days>\d+)\s*d(?:ays?)?,?\s+)?(?P<hours>\d{1,3}):(?P<minutes>[0-5]\d)"
    r"(?::(?P<seconds>[0-5]\d(?:\.\d+)?))?\s*(?P<half>[ap]\.?m\.?)?\s*$"
)
_THOUSANDS = {mark: rf"^\d{{1,3}}(?:{mark}\d{{3}})+$" for mark in (",", r"\.", f"[{_BLANKS}]")}
_LAKHS = r"^\d{1,2}(?:,\d{2})*,\d{3}$"


@dataclass(frozen=True)
class NumberFormat:
    """How a column of text writes its numbers, decided for all of its cells at once.

    Attributes
    ----------
    kind : {"amount", "clock", "compound"}
        One number with signs and units; hours and minutes (22:20), which become minutes; or several units in a cell.
    decimal : {".", ","}
        The decimal mark of amounts.
    units : dict of str to float
        Unit to how many of the smallest one it is.
    compound : tuple
        The units of an entry of ``kpipe.data.units.COMPOUND``.
    """

    kind: Literal["amount", "clock", "compound"]
    decimal: str = "."
    units: dict[str, float] = field(default_factory=dict)
    compound: tuple[tuple[str, float], ...] = ()

    @classmethod
    def of(cls, column: pd.Series) -> Self | None:
        """The format of a column's numbers, or None if it holds plain numbers, or fewer than 95 % are numbers.

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
        if not len(cells) or digits < _MIN_WRITTEN * len(cells):
            return None
        for found in (cls._of_amounts(cells), cls("clock"), *(cls("compound", compound=units) for units in COMPOUND)):
            if found is not None and found._fits(cells):
                return found
        return None

    @classmethod
    def _of_amounts(cls, cells: pa.Array) -> Self | None:
        amounts = pc.extract_regex(cells, _AMOUNT).drop_null()
        if len(amounts) < _MIN_WRITTEN * len(cells):
            return None
        decimal = _decimal_mark(amounts)
        counts = Counter(_units(amounts))
        units = common_unit(counts.keys())
        if units is None and counts.most_common(1)[0][1] >= _MIN_WRITTEN * len(cells):
            units = {counts.most_common(1)[0][0]: 1.0}  # the other units are mistakes, or cannot be compared
        return None if units is None or decimal is None else cls("amount", decimal, units)

    def _fits(self, cells: pa.Array) -> bool:
        """Whether nearly all cells are numbers, some not plainly written, and different cells different numbers."""
        numbers = self._parse_text(cells)
        plain = pd.to_numeric(pd.Series(cells.to_pylist()), errors="coerce").notna().to_numpy()
        is_number = ~np.isnan(numbers)
        if is_number.sum() < _MIN_WRITTEN * len(cells) or not (is_number & ~plain).any():
            return False
        return len(np.unique(numbers[is_number])) >= _MIN_DIFFERENT * is_number.sum()

    @property
    def description(self) -> str:
        """What the numbers are, in words, such as "numbers" or "minutes"."""
        if self.kind == "clock":
            return "minutes"
        if self.kind == "compound":
            names = dict(zip(COMPOUND, ("months", "minutes", "inches", "pounds", "ounces"), strict=True))
            return names[self.compound]
        unit = [unit for unit, factor in self.units.items() if factor == 1.0 and unit]
        mark = " with decimal commas" if self.decimal == "," else ""
        return "numbers" + mark + (f" of {unit[0]}" if len(self.units) > 1 and unit else "")

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
        array = pa.array(pd.Series(cells).astype(str).to_numpy(dtype=object), pa.string())
        numbers = np.append(self._parse_text(array), np.nan)
        return pd.Series(numbers[codes], index=column.index, name=column.name)

    def _parse_text(self, cells: pa.Array) -> np.ndarray:
        if self.kind == "clock":
            return _clock(cells)
        return self._compound(cells) if self.kind == "compound" else self._amounts(cells)

    def _amounts(self, cells: pa.Array) -> np.ndarray:
        found = pc.extract_regex(cells, _AMOUNT)
        group = {name.name: pc.struct_field(found, name.name) for name in found.type}
        numbers = _floats(_plain(group["number"], self.decimal)) * 10 ** np.nan_to_num(
            _floats(pc.utf8_slice_codeunits(group["power"], 1))
        )
        negative = _is(group["sign"], r"^[^+]") | _is(group["sign2"], r"^[^+]") | _is(group["open"], r"\(")
        numbers = np.where(negative, -numbers, numbers)
        # Fewer than 1 is neither 1 nor 0.
        numbers = np.where(_is(group["below"], "."), numbers / 2, numbers)
        return numbers * pd.Series(_units(found)).map(self.units).to_numpy(dtype=np.float64)

    def _compound(self, cells: pa.Array) -> np.ndarray:
        names = "|".join(name for name, _ in self.compound)
        part = rf"\d+(?:[.,]\d+)?\s*(?:{names})\.?(?:[\s,t]*|\s+(?:and|&)\s+)"
        whole = _is(cells, rf"(?i)^\s*p?t?(?:{part})+(?:\d+\s*)?$")
        total = np.zeros(len(cells))
        for name, factor in self.compound:
            amounts = pc.extract_regex(cells, rf"(?i)(?P<number>\d+(?:[.,]\d+)?)\s*{name}(?:[^a-z'\x{{2019}}\"]|$)")
            text = pc.replace_substring(pc.struct_field(amounts, "number"), ",", ".")
            total += factor * np.nan_to_num(_floats(text))
        for (name, _), (_, factor) in itertools.pairwise(self.compound):  # 6'2 and 2h50: the next unit is left out
            bare = pc.extract_regex(cells, rf"(?i)\d\s*{name}\.?\s*(?P<number>\d+)\s*$")
            total += factor * np.nan_to_num(_floats(pc.struct_field(bare, "number")))
        return np.where(whole, total, np.nan)


def parse_numbers(column: pd.Series) -> pd.Series | None:
    """The plain numbers in a column of text, or None if fewer than 90 % of its cells are numbers.

    Parameters
    ----------
    column : Series
        (n,) of any dtype; of numbers and dates nothing is parsed.

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
    numbers = pd.to_numeric(column, errors="coerce").astype("float64")
    numbers = numbers.where(np.isfinite(numbers))
    return numbers if numbers.notna().sum() >= _MIN_SHARE * max(column.notna().sum(), 1) else None


def _units(amounts: pa.StructArray) -> list[str]:
    """The unit of each amount, in one spelling."""
    written = pc.binary_join_element_wise(
        pc.struct_field(amounts, "unit"), pc.struct_field(amounts, "unit2"), "", null_handling="replace"
    )
    encoded = pc.dictionary_encode(written)
    names = [normal_unit(unit or "") for unit in encoded.dictionary.to_pylist()]
    return [names[code] for code in encoded.indices.to_pylist()]


def _decimal_mark(amounts: pa.StructArray) -> Literal[".", ","] | None:
    """The decimal mark of all amounts of a column; None if they contradict each other."""
    numbers = pc.struct_field(amounts, "number")
    commas, stops = _is(numbers, ","), _is(numbers, r"\.")
    both = commas & stops
    if both.any():
        last_is_comma = _is(numbers, r",\d*$") & ~_is(numbers, r"\.\d*$")
        if last_is_comma[both].all():
            return ","
        return "." if not last_is_comma[both].any() else None
    if commas.any():
        grouped = _is(numbers, _THOUSANDS[","]) | _is(numbers, _LAKHS)
        return "." if grouped[commas].all() and not _is(numbers, "^0")[commas].any() else ","
    # 1.234 € and 1.234.567 hold thousands; other numbers with three decimals do not.
    grouped = _is(numbers, _THOUSANDS[r"\."])
    repeated = _is(numbers, r"\..*\.")
    currency = _is(pc.struct_field(amounts, "currency"), "€") | _is(pc.struct_field(amounts, "unit"), "€|(?i)eur")
    is_thousands = stops.any() and grouped[stops].all() and (repeated.any() or currency.any())
    return "," if is_thousands else "."


def _plain(numbers: pa.Array, decimal: str) -> pa.Array:
    """Numbers with a full stop as decimal mark and nothing between thousands; null where groups are of no such size."""
    mark, other = (r"\.", ",") if decimal == "." else (",", r"\.")
    blank = f"[{_BLANKS}]"
    whole = rf"(?:0|[1-9]\d*|[1-9]\d{{0,2}}(?:{other}\d{{3}})+|[1-9]\d{{0,2}}(?:{blank}\d{{3}})+"
    whole += r"|[1-9]\d?(?:,\d{2})*,\d{3})" if decimal == "." else ")"
    fits = pc.match_substring_regex(numbers, rf"^{whole}?(?:{mark}\d*)?$")
    plain = pc.replace_substring_regex(numbers, rf"{other}|{blank}", "")
    plain = plain if decimal == "." else pc.replace_substring(plain, ",", ".")
    return pc.if_else(fits, plain, pa.scalar(None, pa.string()))


def _clock(cells: pa.Array) -> np.ndarray:
    """(n,) minutes."""
    found = pc.extract_regex(cells, _CLOCK)
    part = {name.name: pc.struct_field(found, name.name) for name in found.type}
    hours = _floats(part["hours"])
    half = np.where(_is(part["half"], "(?i)^p"), 12.0, 0.0)
    hours = np.where(_is(part["half"], "."), hours % 12 + half, hours)
    days, seconds = np.nan_to_num(_floats(part["days"])), np.nan_to_num(_floats(part["seconds"]))
    minutes = days * 1440 + hours * 60 + _floats(part["minutes"]) + seconds / 60
    return np.where(_is(part["sign"], "-"), -minutes, minutes)


def _floats(text: pa.Array) -> np.ndarray:
    text = pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
    return np.asarray(text.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def _is(text: pa.Array, pattern: str) -> np.ndarray:
    matches = pc.fill_null(pc.match_substring_regex(text, pattern), False)
    return np.asarray(matches.to_numpy(zero_copy_only=False), dtype=bool)
