"""Public holidays near the dates of rows, in the countries that a column names.

References
----------
https://pypi.org/project/holidays/: the public holidays of 250 countries, past and future, computed offline.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Self

import numpy as np
import pandas as pd

from kpipe.data.column_names import plain_name

__all__ = ["HOLIDAY_OFFSETS", "PublicHolidays", "find_countries"]

HOLIDAY_OFFSETS = range(-5, 13)  # days after a holiday (negative: before it) that get a feature each

_NAMED = 2 / 3  # share of a column's labels that must name countries
_YEARS = (1900, 2100)  # for which holidays are computed; a date outside is a mistake
# Common names that the package spells differently.
_ALIASES = {
    "burma": "MM",
    "cotedivoire": "CI",
    "czechrepublic": "CZ",
    "england": "GB",
    "greatbritain": "GB",
    "holland": "NL",
    "koreasouth": "KR",
    "republicofkorea": "KR",
    "russianfederation": "RU",
    "thenetherlands": "NL",
    "turkiye": "TR",
    "uae": "AE",
    "unitedstatesofamerica": "US",
}

_LOG = logging.getLogger("kpipe")


def find_countries(labels: Iterable[str]) -> dict[str, str]:
    """Map labels to country codes, if they are a column of countries.

    Parameters
    ----------
    labels : iterable of str
        The distinct labels of a column.

    Returns
    -------
    dict of str to str
        Label → ISO 3166 code. Empty unless two thirds of the labels are names or three-letter codes of countries, or
        all of at least two labels are two-letter codes. Also empty if the package ``holidays`` is not installed.

    Examples
    --------
    >>> find_countries(["Belgium", "Türkiye", "South Korea", "FRA"])
    {'Belgium': 'BE', 'Türkiye': 'TR', 'South Korea': 'KR', 'FRA': 'FR'}
    >>> find_countries(["BE", "FR"]), find_countries(["BE", "XX"]), find_countries(["north", "south"])
    ({'BE': 'BE', 'FR': 'FR'}, {}, {})
    """
    labels = list(labels)
    known = _known_names()
    found = {label: known[key] for label in labels if (key := plain_name(label)) in known}
    codes = {label for label in found if len(label) == 2}
    if codes and (len(found) < len(labels) or len(labels) < 2):
        found = {label: code for label, code in found.items() if label not in codes}
    return found if found and len(found) >= _NAMED * len(labels) else {}


@dataclass(frozen=True)
class PublicHolidays:
    """Which days of a table's countries are public holidays.

    Attributes
    ----------
    codes : dict of str to str
        Label → the country's ISO 3166 code.
    """

    codes: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, labels: pd.Series) -> Self | None:
        """The holidays for a column of labels, or None if it does not name countries.

        Parameters
        ----------
        labels : Series of str, shape (n,)
            A column of the fitting rows.

        Returns
        -------
        PublicHolidays or None
        """
        codes = find_countries(labels.unique())
        return cls(codes) if codes else None

    def near(self, labels: pd.Series, dates: pd.Series) -> np.ndarray:
        """Return, for each offset, whether a holiday of the row's country was that many days before the row's date.

        Parameters
        ----------
        labels : Series of str, shape (n,)
            The same column of any rows.
        dates : Series of datetime64, shape (n,)
            Missing dates, and labels that are not countries, have no holidays.

        Returns
        -------
        ndarray of shape (n, len(HOLIDAY_OFFSETS))
            0.0 or 1.0.
        """
        days = dates.dt.normalize()
        near = np.zeros((len(days), len(HOLIDAY_OFFSETS)))
        years = tuple(sorted({int(year) for year in days.dt.year.dropna().unique()}))
        for label, code in self.codes.items():
            rows = np.flatnonzero((labels == label).to_numpy())
            holidays = _holidays(code, years)
            for column, offset in enumerate(HOLIDAY_OFFSETS):
                near[rows, column] = (days.iloc[rows] - pd.Timedelta(days=offset)).isin(holidays)
        return near


@cache
def _known_names() -> dict[str, str]:
    """Names and codes of countries, without blanks, marks and accents; empty without the package ``holidays``."""
    try:
        from holidays.registry import COUNTRIES
    except ImportError:
        _LOG.warning("public holidays are not used: the package 'holidays' is not installed")
        return {}
    names = {plain_name(key): entry[1] for key, entry in COUNTRIES.items()}
    for name, *codes in COUNTRIES.values():
        names |= {plain_name(name): codes[0]} | {plain_name(code): codes[0] for code in codes[:2]}
    return names | _ALIASES


@cache
def _holidays(code: str, years: tuple[int, ...]) -> pd.DatetimeIndex:
    """The public holidays of a country in these years, and in the weeks around them."""
    from holidays import country_holidays

    wanted = {near for year in years for near in (year - 1, year, year + 1) if _YEARS[0] <= near <= _YEARS[1]}
    return pd.DatetimeIndex(sorted(country_holidays(code, years=sorted(wanted)))) if wanted else pd.DatetimeIndex([])
