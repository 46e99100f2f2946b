"""How the report writes numbers and texts that come from data."""

from __future__ import annotations

import math

from kpipe.core.formatting import plain_text, with_minus_sign

__all__ = ["compact", "exact", "share", "short"]

_LONG = 1e12  # larger numbers are written with an exponent


def short(value: object, longest: int = 80) -> str:
    """A value as text of a limited length.

    Parameters
    ----------
    value : object
        Anything; control characters are replaced by blanks.
    longest : int
        The greatest number of characters.

    Returns
    -------
    str

    Examples
    --------
    >>> short("abcdefgh", 5)
    'abcd…'
    """
    text = plain_text(value)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def compact(value: float, digits: int | None = None) -> str:
    """A number in few characters, with separators between thousands.

    Parameters
    ----------
    value : float
        A finite number.
    digits : int, optional
        Significant digits to round to first; default: no rounding of whole numbers, four digits of others.

    Returns
    -------
    str

    Examples
    --------
    >>> compact(3), compact(1234567), compact(0.12346), compact(1234567, 3)
    ('3', '1,234,567', '0.1235', '1,230,000')
    """
    if digits is not None:
        value = float(f"{value:.{digits}g}")
    if math.isnan(value):
        return "missing"  # one of several targets
    if value == int(value) and abs(value) < _LONG:
        return with_minus_sign(f"{int(value):,}")
    if abs(value) >= 1000:
        return with_minus_sign(f"{value:,.0f}" if abs(value) < _LONG else f"{value:.3g}")
    return with_minus_sign(f"{value:.4g}")


def exact(value: float, digits: int | None = None) -> str:
    """A number as in the data, without separators, so that years and codes stay readable.

    Parameters
    ----------
    value : float
        A finite number.
    digits : int, optional
        Significant digits to round to first.

    Returns
    -------
    str

    Examples
    --------
    >>> exact(1954.0), exact(0.5), exact(0.123456789), exact(19543.7, 4)
    ('1954', '0.5', '0.123457', '19540')
    """
    if digits is not None:
        value = float(f"{value:.{digits}g}")
    whole = abs(value) < 1e15 and value == int(value)
    return with_minus_sign(str(int(value)) if whole else f"{value:.6g}")


def share(value: float) -> str:
    """A share between 0 and 1 as a percentage.

    Parameters
    ----------
    value : float
        The share.

    Returns
    -------
    str

    Examples
    --------
    >>> share(0.123), share(0.0004), share(1.0)
    ('12 %', '0.04 %', '100 %')
    """
    return f"{100 * value:.0f} %" if value == 0 or value >= 0.1 else f"{100 * value:.2g} %"
