"""What Kaggle answers, made into values: every field of the type that the client declares, no secret, no end of bytes.

The client's objects take whatever the JSON holds; what is wrong there would else be met far from here.

References
----------
kagglesdk 0.1.37, ``KaggleObject`` and ``FieldMetadata``: each class lists its fields and their types.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from kpipe.errors import RemoteError

__all__ = ["Pushed", "Submission", "bounded", "listed", "owned", "typed"]

_MOST_BYTES = 64 << 20  # of an answer; a list of 100 submissions has some 50 kB
_CHUNK = 1 << 16
_WHOLE = re.compile(r"-?\d{1,18}")  # JSON's int64 may come as a string
_OWNED = re.compile(r"[A-Za-z0-9_-]+/[A-Za-z0-9_-]+")


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A submission as Kaggle lists it. status : "pending", "complete" or "error". Scores : None while unknown."""

    ref: int
    date: datetime
    description: str
    file_name: str
    status: str
    error: str = ""
    public_score: float | None = None
    private_score: float | None = None


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """A version of a kernel. ref : owner/slug."""

    ref: str
    version: int
    url: str = ""


def typed(answer: Any, hide: Callable[[str], str]) -> Any:
    """The client's object, each field of its declared type. hide : takes what must not be shown out of a text.

    Raises TypeError naming the field.
    """
    from kagglesdk.kaggle_object import ListSerializer, MapSerializer

    for field in getattr(answer, "_fields", ()):
        value = getattr(answer, field.private_field_name)
        if value is None or value == field.default_value:
            continue
        one = partial(_value, kind=field.field_type, hide=hide, name=field.json_name)
        made: Any
        if isinstance(field.serializer, ListSerializer):
            made = [one(inner) for inner in _of(list, value, field.json_name)]
        elif isinstance(field.serializer, MapSerializer):
            made = {key: one(inner) for key, inner in _of(dict, value, field.json_name).items()}
        else:
            made = one(value)
        setattr(answer, field.private_field_name, made)
    return answer


def _value(value: Any, *, kind: type, hide: Callable[[str], str], name: str) -> Any:
    if hasattr(value, "_fields"):
        return typed(value, hide)
    if kind is int and isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    if kind is float and type(value) is int:
        return float(value)
    _of(kind, value, name)
    return hide(value.encode(errors="replace").decode()) if isinstance(value, str) else value


def _of(kind: type, value: Any, name: str) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):  # a bool is an int to isinstance
        raise TypeError(f"{name} must be of the type {kind.__name__}, however: {str(value)[:80]!r}")
    return value


def listed(one: Any) -> Submission:
    """A submission of the client's list."""
    return Submission(
        ref=one.ref,
        date=(one.date or datetime.fromtimestamp(0, UTC)).replace(tzinfo=UTC),
        description=one.description or "",
        file_name=one.file_name or "",
        status=one.status.name.lower(),
        error=one.error_description or "",
        public_score=_score(one.public_score),
        private_score=_score(one.private_score),
    )


def _score(text: str | None) -> float | None:
    """Scores are strings, empty while unknown."""
    try:
        score = float(text) if text else math.nan
    except ValueError:
        return None
    return score if math.isfinite(score) else None


def owned(ref: str) -> str:
    """``owner/slug`` of a kernel, which Kaggle gives as "/code/owner/slug". Raises ValueError for anything else."""
    name = "/".join(ref.strip("/").split("/")[-2:])
    if not _OWNED.fullmatch(name):
        raise ValueError(f"a kernel is owner/slug, however: {ref[:80]!r}")
    return name


def bounded(answer: Any, *, most: int = _MOST_BYTES) -> bytes:
    """All bytes of a ``requests.Response``, unpacked. Raises RemoteError where there are more than ``most``."""
    content = bytearray()
    for chunk in answer.iter_content(_CHUNK):
        content += chunk
        if len(content) > most:
            answer.close()
            raise RemoteError(f"Kaggle sent more than {most:,} bytes where it sends fewer: they are not read.")
    return bytes(content)
