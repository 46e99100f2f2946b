"""The types of a run's options: how each is parsed in a call, and validated in a file."""

from __future__ import annotations

import numbers
import operator
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from kpipe.errors import UsageError

__all__ = ["JSON_TYPES", "PARSERS", "Kind", "has_kind", "parse_duration"]

Kind = Literal["text", "texts", "counts", "count", "seconds", "flag"]
JSON_TYPES: dict[Kind, str] = {
    "text": "a string",
    "texts": "a list of strings",
    "counts": "a list of whole numbers",
    "count": "a whole number",
    "seconds": "a number of seconds",
    "flag": "true or false",
}


def parse_duration(text: str) -> float:
    """Return the seconds of a duration such as 90, 90s, 5m or 1h.

    Raises
    ------
    ValueError
        If the text is not a duration, or the duration is not positive.

    Examples
    --------
    >>> parse_duration("5m"), parse_duration("90")
    (300.0, 90.0)
    """
    found = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*([smhSMH]?)", text.strip())
    seconds = float(found[1]) * {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}[found[2].lower()] if found else 0.0
    if not 0 < seconds < float("inf"):
        raise ValueError(f"must be a duration such as 90s, 5m or 1h; got {text!r}")
    return seconds


def _text(name: str, value: object) -> str | Path | None:
    if not (value is None or isinstance(value, str) or (name == "data" and isinstance(value, Path))):
        raise UsageError(f"{name} must be a string; got {value!r:.200}.", code="invalid-value")
    if "\0" in str(value):
        raise UsageError(f"{name} must not contain a null character.", code="invalid-value")
    return value


def _texts(name: str, value: object) -> tuple[str, ...]:
    several = (value,) if isinstance(value, str) else () if value is None else value
    if not isinstance(several, Sequence) or not all(isinstance(one, str) for one in several):
        raise UsageError(f"{name} must be a name or a list of names; got {value!r:.200}.", code="invalid-value")
    return tuple(several)


def _count(name: str, value: object) -> int | None:
    if value is None:
        return None
    number = _whole(value)
    if number is None:
        raise UsageError(f"{name} must be a whole number of at least 0; got {value!r:.200}.", code="invalid-value")
    return number


def _counts(name: str, value: object) -> tuple[int, ...]:
    several = tuple(value) if isinstance(value, Iterable) and not isinstance(value, str | bytes) else (value,)
    numbers = tuple(map(_whole, several))
    if None in numbers:
        raise UsageError(
            f"{name} must be a whole number of at least 0, or a list of them; got {value!r:.200}.", code="invalid-value"
        )
    return tuple(number for number in numbers if number is not None)


def _whole(value: object) -> int | None:
    """Return a Python or numpy integer of at least 0 as an int; None for any other value."""
    if isinstance(value, bool):
        return None
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # of any type
    except TypeError:
        return None
    return number if number >= 0 else None


def _seconds(name: str, value: object) -> float | None:
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except ValueError as error:
            raise UsageError(f"{name} {error}.", code="invalid-value") from None
    if value is None:
        return None
    try:
        seconds = float(value) if not isinstance(value, bool) and isinstance(value, numbers.Real) else 0.0
    except OverflowError:
        seconds = float("inf")
    if not 0 < seconds < float("inf"):
        raise UsageError(
            f"{name} must be a duration such as '90s', '5m' or a number of seconds; got {value!r:.200}.",
            code="invalid-value",
        )
    return seconds


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"{name} must be True or False; got {value!r:.200}.", code="invalid-value")
    return value


PARSERS = {"flag": _flag, "text": _text, "texts": _texts, "count": _count, "counts": _counts, "seconds": _seconds}


def has_kind(value: object, kind: Kind) -> bool:
    """Return whether a value of a JSON file has the type that ``RunRequest.to_json`` writes for a kind of option.

    Parameters
    ----------
    value : object
    kind : {"text", "texts", "count", "counts", "seconds", "flag"}

    Returns
    -------
    bool
    """
    if kind in ("texts", "counts"):
        one: Kind = "text" if kind == "texts" else "count"
        return isinstance(value, list | tuple) and all(has_kind(each, one) for each in value)
    if kind == "flag":
        return isinstance(value, bool)
    if kind == "text":
        return isinstance(value, str) and "\0" not in value
    number = (int, float) if kind == "seconds" else int
    return isinstance(value, number) and not isinstance(value, bool) and 0 <= value < float("inf")
