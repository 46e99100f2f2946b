# ruff: noqa: RUF001 - Cyrillic letters are intended
"""Units of numbers and their conversion factors. To add a unit, add an entry to ``_FAMILIES``."""

from __future__ import annotations

import re
from collections.abc import Collection

__all__ = ["COMPOUND", "OFFSETS", "common_unit", "is_unit", "normal_unit", "split_currency"]

_DAY = 86_400.0
_CELSIUS, _FAHRENHEIT = ("°c", "degc", "celsiu", "℃"), ("°f", "degf", "fahrenheit", "℉")
_KELVIN = ("°k", "kelvin")
# Units of one family can be converted to each other. In a column, the smallest unit that occurs has the factor 1;
# counts become plain numbers.
_FAMILIES: tuple[dict[str, float], ...] = (
    {  # counts
        "": 1,
        **dict.fromkeys(("千", "천"), 1e3),
        **dict.fromkeys(("k", "thousand", "tsd", "тыс"), 1e3),
        **dict.fromkeys(("万", "萬", "만"), 1e4),
        **dict.fromkeys(("lakh", "lac", "lacs"), 1e5),
        **dict.fromkeys(("m", "mn", "mm", "mio", "mil", "mill", "mln", "million", "млн"), 1e6),
        **dict.fromkeys(("crore", "cr"), 1e7),
        **dict.fromkeys(("億", "亿", "억"), 1e8),
        **dict.fromkeys(("b", "bn", "billion", "mrd", "mld", "млрд"), 1e9),
        **dict.fromkeys(("t", "tn", "trillion"), 1e12),
    },
    {  # seconds
        "ms": 1e-3,
        **dict.fromkeys(("s", "sec", "second"), 1.0),
        **dict.fromkeys(("m", "min", "minute"), 60.0),
        **dict.fromkeys(("h", "hr", "hour"), 3600.0),
        **dict.fromkeys(("d", "day"), _DAY),
        **dict.fromkeys(("w", "wk", "week"), 7 * _DAY),
        **dict.fromkeys(("mo", "mon", "mth", "month"), 365.25 / 12 * _DAY),
        **dict.fromkeys(("y", "yr", "year"), 365.25 * _DAY),
    },
    {"b": 1, "byte": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 2**10, "mib": 2**20, "gib": 2**30},
    {"k": 1e3, "mb": 1e6, "m": 1e6, "g": 1e9, "gb": 1e9},
    {  # metres
        "mm": 1e-3,
        "cm": 1e-2,
        **dict.fromkeys(("m", "metre", "meter"), 1.0),
        **dict.fromkeys(("km", "kms", "kilometre", "kilometer"), 1e3),
        **dict.fromkeys(('"', "in", "inch", "inche"), 0.0254),
        **dict.fromkeys(("'", "ft", "feet", "foot"), 0.3048),
        **dict.fromkeys(("yd", "yard"), 0.9144),
        **dict.fromkeys(("mi", "mile"), 1609.344),
    },
    {  # grams
        **dict.fromkeys(("mcg", "µg", "μg", "ug"), 1e-6),
        "mg": 1e-3,
        **dict.fromkeys(("g", "gm", "gram"), 1.0),
        **dict.fromkeys(("kg", "kgs", "kilo", "kilogram"), 1e3),
        **dict.fromkeys(("t", "ton", "tonne"), 1e6),
        **dict.fromkeys(("oz", "ounce"), 28.349523125),
        **dict.fromkeys(("lb", "pound"), 453.59237),
    },
    {"km/h": 1.0, "kmh": 1.0, "kph": 1.0, "mph": 1.609344, "m/s": 3.6, "kt": 1.852, "knot": 1.852},
    {
        "ml": 1e-3,
        "cl": 1e-2,
        "l": 1.0,
        "liter": 1.0,
        "litre": 1.0,
        "fl oz": 0.0295735,
        "gal": 3.785412,
        "gallon": 3.785412,
    },
    {  # square metres
        **dict.fromkeys(("m2", "m²", "sqm", "sq m", "sq meter", "sq metre"), 1.0),
        **dict.fromkeys(("sqft", "sq ft", "ft2", "ft²", "sq feet", "square feet"), 0.09290304),
        **dict.fromkeys(("sqyd", "sq yd", "sq yard"), 0.83612736),
        **dict.fromkeys(("acre",), 4046.8564224),
        **dict.fromkeys(("ha", "hectare"), 1e4),
        **dict.fromkeys(("km2", "km²", "sq km"), 1e6),
        **dict.fromkeys(("sq mi", "sq mile"), 2_589_988.110336),
    },
    {
        "pa": 1.0,
        "hpa": 100.0,
        "mbar": 100.0,
        "mmhg": 133.322,
        "kpa": 1e3,
        "psi": 6894.757,
        "bar": 1e5,
        "atm": 101_325.0,
    },
    {"w": 1e-3, "kw": 1.0, "mw": 1e3, **dict.fromkeys(("hp", "bhp"), 0.7457), **dict.fromkeys(("ps", "cv"), 0.7355)},
    {"wh": 1e-3, "kwh": 1.0, "mwh": 1e3, "gwh": 1e6, "kj": 1 / 3600, "mj": 1 / 3.6, "kcal": 0.001163},
    {"hz": 1.0, "khz": 1e3, "mhz": 1e6, "ghz": 1e9},
    {"n": 1.0, "°n": 1.0, "s": -1.0, "°s": -1.0},
    {"e": 1.0, "°e": 1.0, "w": -1.0, "°w": -1.0},
    {"cr": 1.0, "dr": -1.0},
    {**dict.fromkeys(_CELSIUS, 1.0), **dict.fromkeys(_FAHRENHEIT, 5 / 9), **dict.fromkeys(_KELVIN, 1.0)},
)
# Units that may also be suffixes of labels, such as the a of 10a: used only if a column has two of a family.
_LETTERS: tuple[dict[str, float], ...] = (
    {"c": 1.0, "f": 5 / 9},
    {"µa": 1e-6, "ma": 1e-3, "a": 1.0},
    {"mv": 1e-3, "v": 1.0, "kv": 1e3},
)

OFFSETS = {**dict.fromkeys((*_FAHRENHEIT, "f"), 32.0), **dict.fromkeys(_KELVIN, 273.15)}
"""Offsets of temperature scales, for columns that mix several: they are converted to degrees Celsius."""

_CURRENCIES = {
    **dict.fromkeys(("$", "us$", "usd", "dollar"), "$"),
    **dict.fromkeys(("€", "eur", "euro"), "€"),
    **dict.fromkeys(("£", "gbp"), "£"),
    **dict.fromkeys(("¥", "jpy", "円", "yen"), "¥"),
    **dict.fromkeys(("₹", "rs", "inr", "rupee"), "₹"),
    **dict.fromkeys(("₽", "rub"), "₽"),
    **dict.fromkeys(("₩", "krw", "원"), "₩"),
    **{code: code.upper() for code in "cny chf cad aud brl sek nok dkk pln kr zł r$ c$ a$ s$ hk$ nz$ ca$ au$".split()},
}

# Several units in one cell (2h 50m): the pattern of each unit, and its size in the last unit.
COMPOUND: tuple[tuple[tuple[str, float], ...], ...] = (
    (
        (r"y(?:(?:ea)?rs?)?", 12.0),
        (r"m(?:o(?:n(?:th)?)?s?|ths?)?", 1.0),
    ),
    (
        (r"y(?:(?:ea)?rs?)?", 525_960.0),
        (r"mo(?:n(?:th)?)?s?", 43_830.0),
        (r"w(?:(?:ee)?ks?)?", 10_080.0),
        (r"(?:d(?:ays?|[ií]as?|ní)?|j(?:ours?)?|tage?n?|日|天)", 1440.0),
        (r"(?:h(?:(?:ou)?rs?|eures?|oras?)?|st(?:d|unden?)|ore|uur|uren|ч|час(?:а|ов)?|時間|小时|시간)", 60.0),
        (r"(?:m(?:in(?:ut[eoai]?[sn]?)?s?)?|мин(?:ут[аы]?)?|分钟?|분)", 1.0),
        (r"(?:s(?:e[ck](?:ond)?[es]?n?)?|сек|秒|초)", 1 / 60),
    ),
    (
        (r"(?:'|\x{2019}|\x{2032}|ft|feet|foot)", 12.0),
        (r"""(?:"|\x{201d}|\x{2033}|''|\x{2019}\x{2019}|in(?:ch(?:es)?)?)""", 1.0),
    ),
    ((r"st(?:one)?", 14.0), (r"(?:lbs?|pounds?)", 1.0)),
    ((r"(?:lbs?|pounds?)", 16.0), (r"(?:oz|ounces?)", 1.0)),
    ((r"m(?:et(?:re|er)s?)?", 100.0), (r"c(?:enti)?m(?:et(?:re|er)s?)?", 1.0)),
)


def normal_unit(unit: str) -> str:
    """Normalise a unit: lower case, without full stops, surrounding blanks and the plural s.

    Parameters
    ----------
    unit : str

    Returns
    -------
    str

    Examples
    --------
    >>> normal_unit(" Months "), normal_unit("lbs."), normal_unit("s")
    ('month', 'lb', 's')
    """
    plain = " ".join(unit.lower().replace(".", "").split()).replace("° ", "°").replace("deg ", "°")
    plain = plain.removesuffix(" ago").removesuffix(" old")
    return plain[:-1] if len(plain) > 2 and plain.endswith("s") else plain


def is_unit(word: str) -> bool:
    """Whether a word after a number is a unit and not the suffix of a label, such as the a of 10a.

    Parameters
    ----------
    word : str
        As ``normal_unit`` returns it.

    Returns
    -------
    bool
    """
    return len(word) > 1 or not word.isalpha() or any(word in family for family in _FAMILIES[1:])


def split_currency(unit: str) -> tuple[str, str]:
    """Split a unit into the unit without its currency, and the currency; "" if there is none.

    Parameters
    ----------
    unit : str
        As ``normal_unit`` returns it.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> split_currency("k€"), split_currency("usd"), split_currency("kg")
    (('k', '€'), ('', '$'), ('kg', ''))
    """
    for word in (unit, unit[1:], unit[:-1], *unit.split()):
        if word in _CURRENCIES:
            return unit.replace(word, "", 1).strip(), _CURRENCIES[word]
    found = re.search(r"[$€£¥₹₽₩]", unit)
    return (unit, "") if found is None else (unit.replace(found[0], "", 1).strip(), found[0])


def common_unit(units: Collection[str]) -> dict[str, float] | None:
    """The size of each unit in the smallest one (counts: in 1), or None if they cannot be converted to each other.

    Parameters
    ----------
    units : collection of str
        As ``normal_unit`` returns them; "" stands for no unit.

    Returns
    -------
    dict or None

    Examples
    --------
    >>> common_unit({"month", "year"})["year"]
    12.0
    >>> common_unit({"kmpl"}), common_unit({"bed", "rk"})
    ({'kmpl': 1.0}, None)
    """
    named = {unit for unit in units if unit}
    if not named or len(named) == 1 == len(set(units)):
        return dict.fromkeys(units, 1.0)
    for family in (*_FAMILIES, *(family for family in _LETTERS if len(named) > 1)):
        if named <= family.keys() and set(units) <= family.keys() | {""} and ("" not in units or "" in family):
            # Counts become plain numbers, as people expect: 30.0M is 30,000,000.
            plain = family is _FAMILIES[0] or bool(OFFSETS.keys() & units)
            smallest = 1.0 if plain else min(abs(family[unit]) for unit in units)
            return {unit: round(family[unit] / smallest, 9) for unit in units}
    return None
