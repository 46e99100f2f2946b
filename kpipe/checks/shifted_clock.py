"""Set the clock of a process ahead, so that a fit which depends on the current time gives another result."""

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
_WORDS = ("now", "today")  # texts that pandas reads as the current time


class _OriginalInstances(type):
    """Make objects of the original class instances of its subclass, so that ``isinstance`` works with either."""

    def __instancecheck__(cls, one: object) -> bool:
        return isinstance(one, _DATETIME if issubclass(cls, _DATETIME) else _DATE)

    def __subclasscheck__(cls, other: type) -> bool:
        return type.__subclasscheck__(_DATETIME if _DATETIME in cls.__mro__ else _DATE, other)


class _Date(_DATE, metaclass=_OriginalInstances):
    @classmethod
    def today(cls) -> Any:
        return _DATE.fromtimestamp(time.time())


class _Datetime(_DATETIME, metaclass=_OriginalInstances):
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
    """Set the clock of this process ahead, for ``time``, ``datetime`` and ``pandas``, but not for numpy's ``"now"``.

    Modules that were imported before keep the classes of ``datetime`` that they have imported.

    Parameters
    ----------
    ahead : float
        Seconds.
    """
    seconds, nanoseconds = time.time, time.time_ns
    time.time, time.time_ns = (lambda: seconds() + ahead), (lambda: nanoseconds() + int(ahead * 1e9))
    for name in ("localtime", "gmtime", "ctime"):
        setattr(time, name, _default_to_now(getattr(time, name)))
    for name in ("asctime", "strftime"):
        setattr(time, name, _default_to_local_time(getattr(time, name), at=name == "strftime"))
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


def _default_to_now(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of seconds whose default is the time of the shifted clock."""
    return lambda seconds=None: function(time.time() if seconds is None else seconds)


def _default_to_local_time(function: Callable[..., Any], *, at: int) -> Callable[..., Any]:
    """A function whose argument ``at``, a struct_time, is by default the local time of the shifted clock."""
    return lambda *args: function(*args, *([time.localtime()] if len(args) == at else []))


def _new_timestamp(cls: type[pd.Timestamp], *args: Any, **options: Any) -> Any:
    first = args[0] if args else options.get("ts_input")
    if isinstance(first, str) and first in _WORDS:
        return _TIMESTAMP(cls, _DATETIME.fromtimestamp(time.time()))
    return _TIMESTAMP(cls, *args, **options)
