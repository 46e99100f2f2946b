"""A user's workspace: a folder with ``kpipe.toml`` and ``competitions/``, found from the current folder upwards.

A workspace's ``competitions/`` holds code that runs, so the marker file alone is not enough: it may have come with
somebody else's repository, or lie in a folder that others can write to (``/tmp/kpipe.toml``). A workspace is used only
if this user has called ``kpipe init`` in it, which adds its path to a list in the user's configuration folder. Light to
import.

References
----------
git's ``safe.directory`` (CVE-2022-24765: a repository found above the current folder ran others' code); direnv's
``allow``.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from kpipe.errors import OutputError, UsageError

__all__ = ["MARKER", "create", "find", "find_trusted", "is_trusted"]

MARKER = "kpipe.toml"

_MARKER_TEXT = """\
# A workspace of kpipe. In this folder and below it, competitions/SLUG/competition.py takes precedence over kpipe's own
# module of that competition, for users who have called `kpipe init` here.
#
# Options of kpipe run that every command uses in this folder, in a table for each competition. Options on the command
# line override them. Paths are relative to this file.
#
# [titanic]
# data = "data/titanic.zip"   # --data can then be omitted
# metric = "accuracy"
# split = "rows"
# drop = ["Cabin"]
# budget = "5m"
"""
_GITIGNORE_TEXT = """\
# Output of runs, and Kaggle's files, which its rules forbid passing on
submissions/
*.zip
"""


def find(start: Path | None = None) -> Path | None:
    """Return the nearest folder with a marker, trusted or not.

    Parameters
    ----------
    start : path, optional
        The folder to search from upwards. By default the current folder.

    Returns
    -------
    path or None
    """
    try:
        start = Path.cwd() if start is None else start.resolve()
    except OSError:
        return None  # the current folder was removed
    return next((folder for folder in (start, *start.parents) if os.path.isfile(folder / MARKER)), None)


def find_trusted() -> Path | None:
    """Return the workspace that the current folder lies in, if this user trusts it.

    Returns
    -------
    path or None
    """
    folder = find()
    return folder if folder is not None and is_trusted(folder) else None


def is_trusted(folder: Path) -> bool:
    """Return whether this user has called ``kpipe init`` in a folder.

    Parameters
    ----------
    folder : path

    Returns
    -------
    bool
    """
    return str(folder.resolve()) in _read_trusted()


def create(folder: Path) -> tuple[Path, ...]:
    """Make a folder a workspace that this user trusts. Existing files are kept.

    Parameters
    ----------
    folder : path
        Created if it does not exist.

    Returns
    -------
    tuple of path
        The files that were written.

    Raises
    ------
    UsageError
        If ``folder`` is a file.
    OutputError
        If the folder or the user's list of workspaces cannot be written.
    """
    folder = folder.expanduser().resolve()
    if folder.exists() and not folder.is_dir():
        raise UsageError(
            f"{folder} is a file. kpipe init needs a folder; it creates one that does not exist.", code="invalid-value"
        )
    written = []
    try:
        (folder / "competitions").mkdir(parents=True, exist_ok=True)
        for name, text in ((MARKER, _MARKER_TEXT), (".gitignore", _GITIGNORE_TEXT)):
            if not (folder / name).exists():
                (folder / name).write_text(text, encoding="utf-8")
                written.append(folder / name)
    except OSError as error:
        raise OutputError(
            f"Cannot create a workspace in {folder}: {error.strerror}. Choose another folder.", code="cannot-write"
        ) from error
    _trust(folder)
    return tuple(written)


def _list_path() -> Path:
    import platformdirs  # imported only where a marker was found or is written

    return Path(platformdirs.user_config_dir("kpipe")) / "workspaces.json"


def _read_trusted() -> list[str]:
    """The paths in the user's list; none if it cannot be read."""
    try:
        paths = json.loads(_list_path().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    return [path for path in paths if isinstance(path, str)] if isinstance(paths, list) else []


def _trust(folder: Path) -> None:
    """Add a folder to the user's list."""
    trusted, path = _read_trusted(), _list_path()
    if str(folder) in trusted:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
            json.dump([*trusted, str(folder)], file, indent=2)
        os.replace(file.name, path)
    except OSError as error:
        raise OutputError(
            f"Cannot write {path}: {error.strerror}. kpipe needs it to know that you trust {folder}. To use the "
            f"competitions without it, set KPIPE_COMPETITIONS={folder / 'competitions'}.",
            code="cannot-write",
        ) from error
