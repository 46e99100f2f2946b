"""Find unfinished runs: runs that were killed, failed, or are still running.

An unfinished run lies in ``<out>/<slug>/.partial-<key>/``; ``key`` is a hash of everything that its results depend on.
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

__all__ = ["CHECKPOINTS", "REQUEST", "UnfinishedRun", "find_unfinished", "read_request"]

REQUEST = "request.json"
CHECKPOINTS = "checkpoints"  # the folder of the finished fits; "parts" before kpipe 0.2
_OLD_REQUEST = "call.json"  # before kpipe 0.2
_NAME = re.compile(r"\.partial-([0-9a-f]{12})(?:-\d+)?")
_MAX_THREADS = 4096


@dataclass(frozen=True, kw_only=True)
class UnfinishedRun:
    """A run that was killed, failed, or is still running.

    Parameters
    ----------
    path : Path
        Its folder.
    key : str
        A hash of everything that its results depend on, 12 hexadecimal digits.
    request : mapping
        The content of ``request.json``, unvalidated; empty if it is missing or broken.
    fits : int
        The number of finished fits that are kept.
    is_running : bool
        Whether a process works in the folder.
    """

    path: Path
    key: str
    request: Mapping[str, Any]
    fits: int
    is_running: bool

    @property
    def is_of_earlier_version(self) -> bool:
        """Whether a version of kpipe before 0.2 started the run."""
        return (self.path / _OLD_REQUEST).exists()


def find_unfinished(out: Path, slug: str = "*") -> list[UnfinishedRun]:
    """The unfinished runs of one competition or of all, newest last.

    Folders without a finished fit that no process uses are of no use to a later run and are removed, and so are the
    lock files of folders that no longer exist.

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
        is_running, fits = is_locked(path), len([*path.glob("*/*.npz")])
        if is_running or fits:
            request = read_request(path)
            found.append(UnfinishedRun(path=path, key=name[1], request=request, fits=fits, is_running=is_running))
            continue
        with contextlib.suppress(OSError), try_lock(path) as acquired:
            if acquired:
                shutil.rmtree(path)
    return found


def read_request(folder: Path) -> dict[str, Any]:
    """The content of a folder's ``request.json``, which anybody may have written.

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
        request = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    name = _NAME.fullmatch(folder.name)
    threads = request.get("threads") if isinstance(request, dict) and name and request.get("key") == name[1] else None
    return request if isinstance(threads, int) and 0 < threads <= _MAX_THREADS else {}


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # the run has finished in the meantime
        return 0.0
