"""Families of features that were chosen before for the same rows, in this process or another one of the same run.

Every model of a fold asks for the same choice, which takes seconds, and a run's fits are spread over processes that may
be stopped. They share a folder, with a file for each choice.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path

from kpipe.features.family_choice import Choice

__all__ = ["choices_for", "choices_in", "folder_of_choices", "share_choices"]

Choices = dict[str, Choice]

_IN_PROCESS: dict[tuple[object, ...], Choices] = {}
_FOLDER: ContextVar[str] = ContextVar("folder", default="")


def choices_for(key: tuple[object, ...], choose: Callable[[], Choices]) -> Choices:
    """Return the choice for a key, made now if it is not known.

    Parameters
    ----------
    key : tuple
        All that the choice depends on, as values with a ``repr`` of their own.
    choose : callable
        Makes the choice.
    """
    if key not in _IN_PROCESS:
        known = _read(key)
        _IN_PROCESS[key] = choose() if known is None else known
        if known is None:
            _write(key, _IN_PROCESS[key])
    return _IN_PROCESS[key]


@contextlib.contextmanager
def share_choices() -> Iterator[None]:
    """Share the choices of a ``with`` block with the processes of its fits, in a folder that is removed at its end."""
    with tempfile.TemporaryDirectory(prefix="kpipe-", ignore_cleanup_errors=True) as folder, choices_in(folder):
        yield


@contextlib.contextmanager
def choices_in(folder: str) -> Iterator[None]:
    """Read and write the choices of a ``with`` block in a folder.

    Parameters
    ----------
    folder : str
        Empty: choices are shared in this process alone.
    """
    token = _FOLDER.set(folder)
    try:
        yield
    finally:
        _FOLDER.reset(token)


def folder_of_choices() -> str:
    """Return the folder in which choices are shared; empty if there is none."""
    return _FOLDER.get()


def _path(key: tuple[object, ...]) -> Path:
    return Path(_FOLDER.get(), f"{hashlib.sha256(repr(key).encode()).hexdigest()}.json")


def _read(key: tuple[object, ...]) -> Choices | None:
    if not _FOLDER.get():
        return None
    try:
        found = json.loads(_path(key).read_text(encoding="utf-8"))
    except OSError:  # not chosen yet, or a folder of another machine
        return None
    return {name: Choice([tuple(one) for one in ones], gain, error) for name, (ones, gain, error) in found.items()}


def _write(key: tuple[object, ...], choices: Choices) -> None:
    try:
        text = json.dumps(choices)
    except TypeError:  # names of columns that are no texts
        return
    path = _path(key)
    temporary = path.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(OSError):
        if _FOLDER.get():
            temporary.write_text(text, encoding="utf-8")
            os.replace(temporary, path)
