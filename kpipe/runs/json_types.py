"""Validate the types in JSON files that kpipe wrote, or that somebody else wrote in its place."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["NUMBER", "check_types", "refuse_constant"]

NUMBER = (float, int, type(None))


def refuse_constant(name: str) -> None:
    """Refuse NaN and Infinity, which JSON does not have: for ``json.loads(parse_constant=...)``.

    Parameters
    ----------
    name : str
        The constant.

    Raises
    ------
    ValueError
        Always.
    """
    raise ValueError(f"{name} is not a JSON number")


def check_types(value: Any, kinds: Any, place: str) -> None:
    """Raise an error unless a value has the expected types.

    Parameters
    ----------
    value : object
        What ``json.loads`` returned.
    kinds : type, tuple of type, list or dict
        The expected types: one of several for a tuple; for ``[kinds]``, a list of any length; for a dict, an object
        with these keys, of which those that end in "?" may be missing. Other keys are ignored.
    place : str
        What the value is called in the error's message.

    Raises
    ------
    TypeError
        If a value has another type, a key is missing or a number is not finite.

    Examples
    --------
    >>> check_types({"seed": [0, 1]}, {"seed": [int], "id?": str}, "run.json")
    >>> check_types({"seed": [0.5]}, {"seed": [int]}, "run.json")
    Traceback (most recent call last):
    TypeError: each of 'seed' must be a whole number; got 0.5
    """
    if isinstance(kinds, dict):
        if not isinstance(value, dict):
            raise TypeError(f"{place} must be an object; got {value!r}")
        for key, inner in kinds.items():
            name = key.rstrip("?")
            if name in value:
                check_types(value[name], inner, f"{name!r}")
            elif name == key:
                raise TypeError(f"{place} lacks {name!r}")
    elif isinstance(kinds, list):
        if not isinstance(value, list):
            raise TypeError(f"{place} must be a list; got {value!r}")
        for one in value:
            check_types(one, kinds[0], f"each of {place}")
    elif type(value) not in _alternatives(kinds):
        raise TypeError(f"{place} must be {_in_words(kinds)}; got {value!r}")
    elif isinstance(value, float) and not math.isfinite(value):
        raise TypeError(f"{place} must be finite; got {value}")


def _alternatives(kinds: Any) -> tuple[type, ...]:
    return kinds if isinstance(kinds, tuple) else (kinds,)


def _in_words(kinds: Any) -> str:
    words = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", type(None): "null"}
    return " or ".join(words.get(kind, kind.__name__) for kind in _alternatives(kinds))
