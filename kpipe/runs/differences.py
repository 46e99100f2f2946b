"""Describe the differences between the inputs of two runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

__all__ = ["differences"]

_KINDS = {"files": "data", "code": "code", "versions": "versions", "settings": "options", "machine": "machine"}
_MAX_LENGTH = 80  # characters of a value that are shown


def differences(then: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """The differences between the inputs of two runs, one phrase each.

    Parameters
    ----------
    then : mapping of str to object
        The inputs of one run, as ``kpipe.runs.provenance.inputs_of`` returns them. The file is not trusted.
    now : mapping of str to object
        The inputs of the other run.

    Returns
    -------
    list of str
        Printable phrases, each prefixed with its kind: data, code, versions, options or machine.

    Examples
    --------
    >>> differences({"versions": {"numpy": "2.1"}}, {"versions": {"numpy": "2.2"}})
    ['versions: numpy was 2.1, is 2.2']
    """
    found = []
    for part, kind in _KINDS.items():
        before, after = (_mapping(inputs.get(part)) for inputs in (then, now))
        found += [f"{kind}: {phrase}" for phrase in _phrases(before, after)]
    # A record that somebody else wrote must not send control sequences to the terminal.
    return [phrase if phrase.isprintable() else ascii(phrase) for phrase in found]


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _phrases(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[str]:
    changed = [name for name in sorted({*before, *after}, key=str) if before.get(name) != after.get(name)]
    hashed = [name for name in changed if name in before and name in after and _is_hash(after[name])]
    if hashed:
        yield f"{', '.join(hashed)} changed"
    for name in changed:
        if name not in before or name not in after:
            yield f"{name} was {'removed' if name in before else 'added'}"
        elif name not in hashed:
            yield f"{name} was {_shortened(before[name])}, is {_shortened(after[name])}"


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def _shortened(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _MAX_LENGTH else f"{text[:_MAX_LENGTH]}..."
