"""Check that JSON from elsewhere holds the types that kpipe writes."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["NUMBER", "check_types", "refuse_constant"]

NUMBER = (float, int, type(None))


def refuse_constant(name: str) -> None:
    """For ``json.loads(parse_constant=...)``: raise ValueError for NaN and Infinity, which JSON lacks."""
    raise ValueError(f"{name} is no number of JSON's")


def check_types(value: Any, kinds: Any, place: str) -> None:
    """Raise TypeError unless a value is of the types that are listed for it.

    Of an object, those of its keys are, of which those with "?" may be missing; a list stands for any number of them.
    """
    if isinstance(kinds, dict):
        if not isinstance(value, dict):
            raise TypeError(f"{place} must be an object, however: {value!r}")
        for key, inner in kinds.items():
            name = key.rstrip("?")
            if name in value:
                check_types(value[name], inner, f"{name!r}")
            elif name == key:
                raise TypeError(f"{place} lacks {name!r}")
    elif isinstance(kinds, list):
        if not isinstance(value, list):
            raise TypeError(f"{place} must be a list, however: {value!r}")
        for one in value:
            check_types(one, kinds[0], f"each of {place}")
    elif type(value) not in _alternatives(kinds):
        raise TypeError(f"{place} must be {_said(kinds)}, however: {value!r}")
    elif isinstance(value, float) and not math.isfinite(value):
        raise TypeError(f"{place} must be finite, however: {value}")


def _alternatives(kinds: Any) -> tuple[type, ...]:
    return kinds if isinstance(kinds, tuple) else (kinds,)


def _said(kinds: Any) -> str:
    words = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", type(None): "null"}
    return " or ".join(words.get(kind, kind.__name__) for kind in _alternatives(kinds))
