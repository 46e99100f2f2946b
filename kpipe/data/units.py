"""Units behind numbers, and what they are of each other. A new unit is one entry of ``_FAMILIES``."""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["COMPOUND", "common_unit", "normal_unit"]

_DAY = 86_400.0
# Units of one family are multiples of each other; of a family, the smallest unit that a column has counts 1.
_FAMILIES: tuple[dict[str, float], ...] = (
    {  # counts
        "": 1,
        **dict.fromkeys(("k", "thousand", "tsd"), 1e3),
        **dict.fromkeys(("lakh", "lac", "lacs"), 1e5),
        **dict.fromkeys(("m", "mn", "mio", "mil", "mln", "million"), 1e6),
        **dict.fromkeys(("crore", "cr"), 1e7),
        **dict.fromkeys(("b", "bn", "billion"), 1e9),
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
    {"b": 1, "byte": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12},
    {"k": 1e3, "mb": 1e6, "m": 1e6, "g": 1e9, "gb": 1e9},
    {"mm": 1e-3, "cm": 1e-2, "m": 1.0, "km": 1e3},
    {'"': 1.0, "in": 1.0, "inch": 1.0, "'": 12.0, "ft": 12.0, "feet": 12.0, "foot": 12.0, "yd": 36.0, "mile": 63_360.0},
    {"mg": 1e-3, "g": 1.0, "gm": 1.0, "kg": 1e3, "t": 1e6},
    {"oz": 1.0, "lb": 16.0},
    {"ml": 1e-3, "cl": 1e-2, "l": 1.0, "liter": 1.0, "litre": 1.0},
    {"hz": 1.0, "khz": 1e3, "mhz": 1e6, "ghz": 1e9},
    {"n": 1.0, "s": -1.0},
    {"e": 1.0, "w": -1.0},
)

# Amounts of several units in one cell (2h 50m): pattern of each unit, and how many of the last it is.
COMPOUND: tuple[tuple[tuple[str, float], ...], ...] = (
    (
        (r"y(?:(?:ea)?rs?)?", 12.0),
        (r"m(?:o(?:n(?:th)?)?s?|ths?)?", 1.0),
    ),
    (
        (r"y(?:(?:ea)?rs?)?", 525_960.0),
        (r"mo(?:n(?:th)?)?s?", 43_830.0),
        (r"w(?:(?:ee)?ks?)?", 10_080.0),
        (r"d(?:ays?)?", 1440.0),
        (r"h(?:(?:ou)?rs?)?", 60.0),
        (r"m(?:in(?:ute)?s?)?", 1.0),
        (r"s(?:ec(?:ond)?s?)?", 1 / 60),
    ),
    (
        (r"(?:'|\x{2019}|\x{2032}|ft|feet|foot)", 12.0),
        (r"""(?:"|\x{201d}|\x{2033}|''|\x{2019}\x{2019}|in(?:ch(?:es)?)?)""", 1.0),
    ),
    ((r"st(?:one)?", 14.0), (r"(?:lbs?|pounds?)", 1.0)),
    ((r"(?:lbs?|pounds?)", 16.0), (r"(?:oz|ounces?)", 1.0)),
)


def normal_unit(unit: str) -> str:
    """A unit in one spelling: lower case, without full stops, blanks around it, and the s of a plural.

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
    plain = " ".join(unit.lower().replace(".", "").split())
    return plain[:-1] if len(plain) > 2 and plain.endswith("s") else plain


def common_unit(units: Collection[str]) -> dict[str, float] | None:
    """How much each unit is of the smallest one, or None if they cannot be converted to each other.

    Parameters
    ----------
    units : collection of str
        As ``normal_unit`` gives them; "" is none.

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
    known = any(unit in family for unit in named for family in _FAMILIES[1:]) or not "".join(named).isalpha()
    if not named or (len(named) == 1 and ("" not in units or (known and named.isdisjoint(_FAMILIES[0])))):
        return dict.fromkeys(units, 1.0)
    for family in _FAMILIES:
        if named <= family.keys() and set(units) <= family.keys() | {""} and ("" not in units or "" in family):
            smallest = min(abs(family[unit]) for unit in units)
            return {unit: round(family[unit] / smallest, 9) for unit in units}
    return None
