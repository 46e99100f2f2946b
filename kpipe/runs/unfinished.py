"""Find unfinished runs: runs that were killed, failed, or still work.

An unfinished run lies in ``<out>/<slug>/.partial-<key>/``; ``key`` names everything that its results depend on.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpipe.runs.find import UNFINISHED, competition_folder
from kpipe.runs.locks import is_locked, try_lock

__all__ = ["CALL", "UnfinishedRun", "find_unfinished", "read_call"]

CALL = "call.json"
_NAME = re.compile(r"\.partial-([0-9a-f]{12})(?:-\d+)?")
_MOST_THREADS = 4096


@dataclass(frozen=True, kw_only=True)
class UnfinishedRun:
    """A run that was killed, failed, or still works.

    Parameters
    ----------
    path : Path
        Its folder.
    key : str
        The name of everything that its results depend on, 12 hexadecimal digits.
    call : mapping
        The content of ``call.json``, unvalidated; empty if it is missing or broken.
    parts : int
        The number of finished fits that are kept.
    at_work : bool
        Whether a process works in the folder.
    """

    path: Path
    key: str
    call: Mapping[str, Any]
    parts: int
    at_work: bool


def find_unfinished(out: Path, slug: str = "*") -> list[UnfinishedRun]:
    """The unfinished runs of one competition or of all, newest last.

    Folders without a finished fit, in which nothing works, are of no use to any later run and are removed, and so are
    the lock files of folders that no longer exist.

    Parameters
    ----------
    out : Path
        The folder that runs are written to.
    slug : str
        A competition, or "*" for all.

    Returns
    -------
    list of UnfinishedRun

    Raises
    ------
    UsageError
        If the slug cannot be a competition's.
    """
    if slug != "*":
        competition_folder(out, slug)
    for lock in sorted(out.glob(f"{slug}/{UNFINISHED}*.lock")):
        if not lock.with_suffix("").is_dir():
            is_locked(lock.with_suffix(""))
    found = []
    for path in sorted(out.glob(f"{slug}/{UNFINISHED}*"), key=_modified):
        name = _NAME.fullmatch(path.name)
        if not name or not path.is_dir() or path.is_symlink():  # kpipe creates no links: they are not its to remove
            continue
        at_work, parts = is_locked(path), len([*path.glob("parts/*.npz")])
        if at_work or parts:
            found.append(UnfinishedRun(path=path, key=name[1], call=read_call(path), parts=parts, at_work=at_work))
            continue
        with contextlib.suppress(OSError), try_lock(path) as acquired:
            if acquired:
                shutil.rmtree(path)
    return found


def read_call(folder: Path) -> dict[str, Any]:
    """The content of a folder's ``call.json``, which anybody may have written.

    Parameters
    ----------
    folder : Path
        The folder of an unfinished run.

    Returns
    -------
    dict
        Empty if the file cannot be read, belongs to another folder or has no usable number of threads.
    """
    try:
        call = json.loads((folder / CALL).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    name = _NAME.fullmatch(folder.name)
    threads = call.get("threads") if isinstance(call, dict) and name and call.get("key") == name[1] else None
    return call if isinstance(threads, int) and 0 < threads <= _MOST_THREADS else {}


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # the run has finished in the meantime
        return 0.0
