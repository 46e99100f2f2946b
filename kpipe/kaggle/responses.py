"""Kaggle's responses as values: each field of the type that the client declares, no secret, a limited size.

The client's objects accept whatever the JSON holds; a wrong type would otherwise fail far from here.

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

__all__ = ["Pushed", "Submission", "check_fields", "read_bounded", "read_kernel_ref", "read_submission", "starts_at"]

_MAX_BYTES = 64 << 20  # of a response; a list of 100 submissions has about 50 kB
_CHUNK = 1 << 16
_PARTIAL = 206  # status of a response with a part of a file
_SHORTEST_CUT = 40  # characters of a description whose end Kaggle may have cut
_WHOLE = re.compile(r"-?\d{1,18}")  # an int64 may come as a string in JSON
_OWNED = re.compile(r"[A-Za-z0-9_-]+/[A-Za-z0-9_-]+")


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A submission in Kaggle's list.

    Attributes
    ----------
    ref : int
        Kaggle's number of the submission.
    date : datetime
        When it was made, UTC.
    description, file_name : str
        As they were submitted.
    status : str
        "pending", "complete" or "error".
    error : str
        Why Kaggle could not score it.
    public_score, private_score : float or None
        None while they are unknown.
    """

    ref: int
    date: datetime
    description: str
    file_name: str
    status: str
    error: str = ""
    public_score: float | None = None
    private_score: float | None = None

    def is_of(self, description: str, file_name: str) -> bool:
        """Whether this is a submission that was sent with a description and a file name.

        Parameters
        ----------
        description, file_name : str
            As they were sent. Kaggle may have trimmed the description or cut its end.

        Returns
        -------
        bool

        Examples
        --------
        >>> one = Submission(ref=1, date=datetime.now(UTC), description="first", file_name="s.csv", status="pending")
        >>> one.is_of("first ", "s.csv"), one.is_of("second", "s.csv")
        (True, False)
        """
        listed, sent = (" ".join(text.split()) for text in (self.description, description))
        cut = len(listed) >= _SHORTEST_CUT and sent.startswith(listed)
        return self.file_name == file_name and (listed == sent or cut)


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """A version of a kernel on Kaggle.

    Attributes
    ----------
    ref : str
        The kernel, owner/slug.
    version : int
        Its number, from 1.
    url : str
        The kernel's page.
    """

    ref: str
    version: int
    url: str = ""


def check_fields(response: Any, redact: Callable[[str], str]) -> Any:
    """The client's object, each field of its declared type.

    Parameters
    ----------
    response : kagglesdk object
        Made from a response; changed in place.
    redact : callable
        Removes secrets from a text.

    Returns
    -------
    kagglesdk object
        ``response``.

    Raises
    ------
    TypeError
        Naming the first field of another type.
    """
    from kagglesdk.kaggle_object import ListSerializer, MapSerializer

    for field in getattr(response, "_fields", ()):
        value = getattr(response, field.private_field_name)
        if value is None or value == field.default_value:
            continue
        check = partial(_check_value, kind=field.field_type, redact=redact, name=field.json_name)
        checked: Any
        if isinstance(field.serializer, ListSerializer):
            checked = [check(inner) for inner in _check_type(list, value, field.json_name)]
        elif isinstance(field.serializer, MapSerializer):
            checked = {key: check(inner) for key, inner in _check_type(dict, value, field.json_name).items()}
        else:
            checked = check(value)
        setattr(response, field.private_field_name, checked)
    return response


def _check_value(value: Any, *, kind: type, redact: Callable[[str], str], name: str) -> Any:
    if hasattr(value, "_fields"):
        return check_fields(value, redact)
    if kind is int and isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    if kind is float and type(value) is int:
        return float(value)
    _check_type(kind, value, name)
    return redact(value.encode(errors="replace").decode()) if isinstance(value, str) else value


def _check_type(kind: type, value: Any, name: str) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):  # a bool is an int to isinstance
        raise TypeError(f"{name} must be of the type {kind.__name__}; got {str(value)[:80]!r}")
    return value


def read_submission(listed: Any) -> Submission:
    """A submission from the client's list.

    Parameters
    ----------
    listed : kagglesdk ApiSubmission
        One item of the list.

    Returns
    -------
    Submission
        With its status in lower case and its scores as numbers.
    """
    return Submission(
        ref=listed.ref,
        date=(listed.date or datetime.fromtimestamp(0, UTC)).replace(tzinfo=UTC),
        description=listed.description or "",
        file_name=listed.file_name or "",
        status=listed.status.name.lower(),
        error=listed.error_description or "",
        public_score=_score(listed.public_score),
        private_score=_score(listed.private_score),
    )


def _score(text: str | None) -> float | None:
    """A score, which Kaggle sends as a string that is empty while it is unknown."""
    try:
        score = float(text) if text else math.nan
    except ValueError:
        return None
    return score if math.isfinite(score) else None


def read_kernel_ref(ref: str) -> str:
    """A kernel's name, from Kaggle's "/code/owner/slug".

    Parameters
    ----------
    ref : str
        As Kaggle sends it.

    Returns
    -------
    str
        owner/slug.

    Raises
    ------
    ValueError
        For anything else.
    """
    name = "/".join(ref.strip("/").split("/")[-2:])
    if not _OWNED.fullmatch(name):
        raise ValueError(f"a kernel is owner/slug; got {ref[:80]!r}")
    return name


def starts_at(response: Any, offset: int) -> bool:
    """Whether a response holds a file's bytes from an offset on, as its status and its Content-Range say.

    Parameters
    ----------
    response : requests.Response
    offset : int
        Bytes before.

    Returns
    -------
    bool
    """
    if response.status_code != _PARTIAL:
        return offset == 0
    found = re.match(r"bytes (\d{1,18})-", response.headers.get("Content-Range", ""))
    return found is not None and int(found[1]) == offset


def read_bounded(response: Any, *, most: int = _MAX_BYTES) -> bytes:
    """All bytes of a response, decompressed.

    Parameters
    ----------
    response : requests.Response
        Not read yet.
    most : int
        The largest number of bytes.

    Returns
    -------
    bytes
        At most ``most``.

    Raises
    ------
    RemoteError
        If there are more.
    """
    content = bytearray()
    for chunk in response.iter_content(_CHUNK):
        content += chunk
        if len(content) > most:
            response.close()
            raise RemoteError(
                f"Kaggle sent more than {most:,} bytes, which is more than such a response should contain.",
                code="kaggle-error",
            )
    return bytes(content)
