"""Reuse the families of features that were chosen for the same rows, in this process or another one of the run.

Every model of a fold asks for the same choice, which takes seconds, and a run's fits are spread over processes that may
be stopped. They share a folder, with a file for each choice. A process outlives a run: it remembers what was chosen,
and only the folder says that a run had no time to choose.
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

Choices = dict[str, Choice] | None  # None: there was no time to choose

_IN_PROCESS: dict[tuple[object, ...], dict[str, Choice]] = {}
_FOLDER: ContextVar[str] = ContextVar("folder", default="")


def choices_for(key: tuple[object, ...], choose: Callable[[], Choices]) -> Choices:
    """Return the choice for a key, made now if it is not known.

    Parameters
    ----------
    key : tuple
        All that the choice depends on, as values with a ``repr`` of their own.
    choose : callable
        Makes the choice.

    Returns
    -------
    dict or None
        Family's name → choice; None if there was no time to choose.
    """
    if key in _IN_PROCESS:
        return _IN_PROCESS[key]
    with contextlib.suppress(OSError):  # not chosen yet, or a folder of another machine
        return _remember(key, _read(key))
    choices = _remember(key, choose())
    _write(key, choices)
    return choices


def _remember(key: tuple[object, ...], choices: Choices) -> Choices:
    if choices is not None:
        _IN_PROCESS[key] = choices
    return choices


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


def _read(key: tuple[object, ...]) -> Choices:
    """The choice of another process of the run. Raises FileNotFoundError if there is none."""
    if not _FOLDER.get():
        raise FileNotFoundError
    found = json.loads(_path(key).read_text(encoding="utf-8"))
    return found and {
        name: Choice([tuple(one) for one in candidates], gain, error)
        for name, (candidates, gain, error) in found.items()
    }


def _write(key: tuple[object, ...], choices: Choices) -> None:
    if not _FOLDER.get():
        return
    path = _path(key)
    temporary = path.with_suffix(f".{os.getpid()}")
    # OSError: a folder of another machine. TypeError: column names that are not strings.
    with contextlib.suppress(OSError, TypeError):
        temporary.write_text(json.dumps(choices), encoding="utf-8")
        os.replace(temporary, path)
