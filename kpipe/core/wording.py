"""Helpers for messages: suggestions of similar names, and lists that stay short."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["closest", "did_you_mean", "listed", "missing_column_message"]

_ALIKE = 0.7  # difflib's ratio: "shwo" and "show" have 0.75, "all" and "shallow" 0.6
_SHORTEST = 3  # characters of a prefix that counts as similar


def closest(word: str, known: Iterable[object]) -> str | None:
    """Return the most similar known word: equal up to case and separators, with a common prefix, or similar.

    Parameters
    ----------
    word : str
        What the user wrote.
    known : iterable
        What exists.

    Returns
    -------
    str or None
        None if no word is similar.

    Examples
    --------
    >>> closest("drug", ["Drug", "Dose"]), closest("numleaves", ["num_leaves"]), closest("all", ["shallow"])
    ('Drug', 'num_leaves', None)
    >>> closest("rum", ["run", "show"]), closest("cat", ["run", "bat"])
    ('run', None)
    """
    key, keys = _key(word), {str(name): _key(str(name)) for name in known}
    if not key:
        return None
    near = {name: _similarity(key, other) for name, other in keys.items() if other}
    best = max(near, key=lambda name: near[name], default=None)
    return best if best is not None and near[best] >= _ALIKE else None


def _key(word: str) -> str:
    return "".join(c for c in word.casefold() if c.isalnum())


def _similarity(word: str, other: str) -> float:
    """1 for the same word, at least 0.9 for a prefix, 0.8 for a longer word or one typing slip; else a ratio."""
    from difflib import SequenceMatcher  # not at the top: the command line starts without it

    if word == other:
        return 1.0
    begun = other.startswith(word) and len(word) >= _SHORTEST
    longer = word.startswith(other) and len(other) >= _SHORTEST
    wrong = sum(a != b for a, b in zip(word, other, strict=False))
    same_length = len(word) == len(other) >= _SHORTEST and word[0] == other[0]
    one_off = same_length and (wrong == 1 or (wrong == 2 and sorted(word) == sorted(other)))
    return max(
        0.9 if begun else 0.8 if longer or one_off else 0.0, min(SequenceMatcher(None, word, other).ratio(), 0.99)
    )


def did_you_mean(word: str, known: Iterable[object]) -> str:
    """Return the question "Did you mean ...?" with the most similar known word.

    Parameters
    ----------
    word, known
        As for ``closest``.

    Returns
    -------
    str
        It begins with a space, so that it can follow another sentence; "" if no word is similar.

    Examples
    --------
    >>> did_you_mean("runn", ["run", "runs"])
    ' Did you mean run?'
    >>> did_you_mean("run", ["run", "runs"])  # a known word: something else is wrong
    ''
    """
    near = closest(word, known)
    return f" Did you mean {near}?" if near and str(near) != word else ""


def listed(items: Iterable[object], most: int = 5) -> str:
    """Join the first few of several words, and say how many more there are.

    Parameters
    ----------
    items : iterable
    most : int

    Returns
    -------
    str

    Examples
    --------
    >>> listed(["a", "b", "c", "d"], most=2), listed(["a", "b", "c"], most=2)
    ('a, b and 2 more', 'a, b and 1 more')
    """
    words: Sequence[str] = [str(item) for item in items]
    more = len(words) - most
    return ", ".join(words[:most]) + (f" and {more:,} more" if more > 0 else "")


def missing_column_message(place: str, what: str, name: str, columns: Iterable[object]) -> str:
    """Return the message for a column that does not exist, with a suggestion.

    Parameters
    ----------
    place : str
        Such as "train.csv".
    what : str
        Such as "the target".
    name : str
        The column that was asked for.
    columns : iterable
        The columns that exist.

    Returns
    -------
    str

    Examples
    --------
    >>> missing_column_message("train.csv", "the target", "survived", ["Id", "Survived"])
    "train.csv lacks the target 'survived'. Did you mean Survived? It has: Id, Survived."
    """
    columns = list(columns)
    return f"{place} lacks {what} {name!r}.{did_you_mean(name, columns)} It has: {listed(columns)}."
