"""How scores and text are written for people."""

from __future__ import annotations

import math

__all__ = [
    "format_score",
    "format_with_error",
    "plain_text",
    "with_minus_sign",
]


def format_score(value: float | None, like: float | None = None) -> str:
    """A score as text, with a number of decimals that suits its size.

    Parameters
    ----------
    value : float or None
    like : float, optional
        Another score, whose size chooses the number of decimals instead.

    Returns
    -------
    str
        Four decimals below 100, none from 100, scientific notation below 0.001; "unknown" for None, NaN or infinity.

    Examples
    --------
    >>> format_score(0.86532), format_score(None), format_score(12345.6), format_score(0.00001234)
    ('0.8653', 'unknown', '12,346', '1.23e-05')
    """
    if value is None or not math.isfinite(value):
        return "unknown"
    size = abs(value if like is None or not math.isfinite(like) else like)
    return with_minus_sign(format(value, ".2e" if 0 < size < 0.001 else ".4f" if size < 100 else ",.0f"))


def format_with_error(value: float | None, error: float | None, like: float | None = None) -> str:
    """A score and its standard error as text, both with the same number of decimals.

    Parameters
    ----------
    value, error : float or None
        The score and its standard error.
    like : float, optional
        A score whose size chooses the number of decimals; by default ``value``.

    Returns
    -------
    str
        ``value ± error``, each as ``format_score`` writes it.

    Examples
    --------
    >>> format_with_error(0.8653, 0.01142)
    '0.8653 ± 0.0114'
    """
    like = value if like is None else like
    return f"{format_score(value, like)} ± {format_score(error, like)}"


def with_minus_sign(number: str) -> str:
    r"""A formatted number with a minus sign (U+2212) in place of its leading hyphen.

    Parameters
    ----------
    number : str
        As ``format`` returned it.

    Returns
    -------
    str
        The same text where it does not start with a hyphen.

    Examples
    --------
    >>> ascii(with_minus_sign("-0.5")), with_minus_sign("1e-05")
    ("'\\u22120.5'", '1e-05')
    """
    return "\N{MINUS SIGN}" + number[1:] if number.startswith("-") else number


def plain_text(value: object) -> str:
    """Any value as text without control characters, which XML forbids.

    Parameters
    ----------
    value : object
        Such as a cell of a table or an exception.

    Returns
    -------
    str
        ``str(value)`` with a space for each character that is not printable.

    Examples
    --------
    >>> plain_text("a" + chr(0) + "b")
    'a b'
    """
    text = str(value).encode("utf-8", "replace").decode("utf-8")
    return "".join(c if c.isprintable() else " " for c in text)
