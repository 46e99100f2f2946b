"""A clock that is ahead, for the rest of a process: what depends on the time of the fit then becomes different."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from typing import Any

import pandas as pd

__all__ = ["shift_clock"]

_DATE: Any = datetime.date
_DATETIME: Any = datetime.datetime
_TIMESTAMP = pd.Timestamp.__new__
_WORDS = ("now", "today")


class _LikeDate(type):
    """Objects of the original class count as instances, so that libraries agree on what is a date."""

    def __instancecheck__(cls, one: object) -> bool:
        return isinstance(one, _DATETIME if issubclass(cls, _DATETIME) else _DATE)

    def __subclasscheck__(cls, other: type) -> bool:
        return type.__subclasscheck__(_DATETIME if _DATETIME in cls.__mro__ else _DATE, other)


class _Date(_DATE, metaclass=_LikeDate):
    @classmethod
    def today(cls) -> Any:
        return _DATE.fromtimestamp(time.time())


class _Datetime(_DATETIME, metaclass=_LikeDate):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        return _DATETIME.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls) -> Any:
        return _DATETIME.fromtimestamp(time.time(), datetime.UTC).replace(tzinfo=None)

    @classmethod
    def today(cls) -> Any:
        return cls.now()


def shift_clock(ahead: float) -> None:
    """Set the clock of this process ahead, for ``time``, ``datetime`` and ``pandas``; numpy's ``"now"`` stays.

    Code that was imported before keeps the classes of ``datetime`` that it has imported.

    Parameters
    ----------
    ahead : float
        Seconds.
    """
    seconds, nanoseconds = time.time, time.time_ns
    time.time, time.time_ns = (lambda: seconds() + ahead), (lambda: nanoseconds() + int(ahead * 1e9))
    for name in ("localtime", "gmtime", "ctime"):
        setattr(time, name, _of_now(getattr(time, name)))
    datetime.date, datetime.datetime = _Date, _Datetime  # type: ignore[misc]  # classes are replaced on purpose
    pandas: Any = pd.Timestamp
    pandas.__new__ = _new_timestamp
    pandas.now = classmethod(lambda cls, tz=None: cls.fromtimestamp(time.time(), tz))
    pandas.today = classmethod(lambda cls, tz=None: cls.fromtimestamp(time.time(), tz))
    pandas.utcnow = classmethod(lambda cls: cls.fromtimestamp(time.time(), "UTC"))
    convert = pd.to_datetime
    pd.to_datetime = lambda arg, *args, **options: convert(  # type: ignore[assignment]
        pd.Timestamp(arg) if isinstance(arg, str) and arg in _WORDS else arg, *args, **options
    )


def _of_now(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, which takes the shifted clock's time where it is given none."""
    return lambda seconds=None: function(time.time() if seconds is None else seconds)


def _new_timestamp(cls: type[pd.Timestamp], *args: Any, **options: Any) -> Any:
    first = args[0] if args else options.get("ts_input")
    if isinstance(first, str) and first in _WORDS:
        return _TIMESTAMP(cls, _DATETIME.fromtimestamp(time.time()))
    return _TIMESTAMP(cls, *args, **options)
