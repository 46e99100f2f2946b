"""Validate the types in JSON files that kpipe wrote, or that somebody else wrote in its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["NUMBER", "Range", "check_sizes", "check_types", "refuse_constant"]

_LARGEST = 1e100  # of a number: its square and sums of many such numbers are finite
_DEEPEST = 32  # objects and lists inside each other


@dataclass(frozen=True)
class Range:
    """The numbers that are expected in a place, for ``check_types``.

    Parameters
    ----------
    least, most : float
        Bounds, inclusive.
    whole : bool
        Only whole numbers.
    null : bool
        Null is expected, too.
    """

    least: float = -_LARGEST
    most: float = _LARGEST
    whole: bool = False
    null: bool = False

    def __contains__(self, value: object) -> bool:
        if value is None:
            return self.null
        kinds = int if self.whole else (int, float)
        return isinstance(value, kinds) and not isinstance(value, bool) and self.least <= value <= self.most

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        bounds = "" if (self.least, self.most) == (-_LARGEST, _LARGEST) else f" from {self.least:g} to {self.most:g}"
        return f"{kind}{bounds}{' or null' * self.null}"


NUMBER = Range(null=True)


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


def check_sizes(value: Any) -> None:
    """Refuse JSON whose use could exhaust the stack, or whose numbers no calculation can take.

    Parameters
    ----------
    value : object
        What ``json.loads`` returned.

    Raises
    ------
    ValueError
        If objects and lists are nested deeply, or a number is not finite or larger than 1e100.
    """
    level: list[Any] = [value]
    for _ in range(_DEEPEST):
        level = [inner for one in level for inner in _parts(one)]
        if not level:
            return
    raise ValueError(f"it has more than {_DEEPEST} levels of lists and objects")


def _parts(value: Any) -> Iterator[Any]:
    """The values in a list or object. Raises ValueError for a number that no calculation can take."""
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value
    elif isinstance(value, int | float) and not isinstance(value, bool) and value not in Range():
        raise ValueError("it holds a number that is larger than 1e100")


def check_types(value: Any, kinds: Any, place: str) -> None:
    """Raise an error unless a value has the expected types.

    Parameters
    ----------
    value : object
        What ``json.loads`` returned.
    kinds : type, tuple of type, Range, list or dict
        The expected types: one of several for a tuple; for ``[kinds]``, a list of any length; for ``{str: kinds}``, an
        object with any keys; for another dict, an object with these keys, of which those that end in "?" may be missing
        or null. Other keys are ignored.
    place : str
        What the value is called in the error's message.

    Raises
    ------
    TypeError
        If a value has another type, a key is missing or a number is out of range.

    Examples
    --------
    >>> check_types({"seed": [0, 1]}, {"seed": [int], "id?": str}, "run.json")
    >>> check_types({"seed": [0.5]}, {"seed": [int]}, "run.json")
    Traceback (most recent call last):
    TypeError: each of 'seed' must be a whole number; got 0.5
    >>> check_types({"score": -1}, {"score": Range(0, 1)}, "run.json")
    Traceback (most recent call last):
    TypeError: 'score' must be a number from 0 to 1; got -1
    """
    if isinstance(kinds, dict):
        _check_object(value, kinds, place)
    elif isinstance(kinds, list):
        if not isinstance(value, list):
            raise TypeError(f"{place} must be a list; got {value!r:.200}")
        for one in value:
            check_types(one, kinds[0], f"each of {place}")
    elif isinstance(kinds, Range):
        if value not in kinds:
            raise TypeError(f"{place} must be {kinds}; got {value!r:.200}")
    elif type(value) not in _alternatives(kinds):
        raise TypeError(f"{place} must be {_in_words(kinds)}; got {value!r:.200}")


def _check_object(value: Any, kinds: dict[Any, Any], place: str) -> None:
    if not isinstance(value, dict):
        raise TypeError(f"{place} must be an object; got {value!r:.200}")
    if str in kinds:
        for name, inner in value.items():
            check_types(inner, kinds[str], f"{name!r:.80} of {place}")
        return
    for key, kind in kinds.items():
        name = key.rstrip("?")
        if name in value and (value[name] is not None or name == key):
            check_types(value[name], kind, f"{name!r}")
        elif name == key:
            raise TypeError(f"{place} lacks {name!r}")


def _alternatives(kinds: Any) -> tuple[type, ...]:
    return kinds if isinstance(kinds, tuple) else (kinds,)


def _in_words(kinds: Any) -> str:
    words = {str: "a text", int: "a whole number", bool: "true or false", dict: "an object", list: "a list"}
    return " or ".join(words.get(kind, kind.__name__) for kind in _alternatives(kinds))
