"""A workspace of one's own: a folder with ``kpipe.toml`` and ``competitions/``, found from the current folder upwards.

What lies in a found folder is code that will run, so the marker alone is not enough: it may have come with somebody
else's repository, or lie in a folder that others can write to (``/tmp/kpipe.toml``). A workspace counts where this user
has called ``kpipe init`` in it, which writes its path into a file of the user's. Light to import.

References: git's ``safe.directory`` (CVE-2022-24765: a repository found above the current folder ran others' code);
direnv's ``allow``.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from kpipe.errors import OutputError, UsageError

__all__ = ["MARKER", "found", "is_trusted", "make"]

MARKER = "kpipe.toml"

_MARKER_TEXT = """\
# A workspace of kpipe: competitions/SLUG/competition.py below this folder goes before what kpipe brings, in this folder
# and all below it, for whoever has called `kpipe init` here. There is nothing to set in this file.
"""
_IGNORED = """\
# What runs write, and Kaggle's files, whose rules forbid passing them on
submissions/
*.zip
"""


def found(start: Path | None = None) -> Path | None:
    """The nearest folder with a marker, from ``start`` (the current folder) upwards; None where there is none."""
    try:
        start = Path.cwd() if start is None else start.resolve()
    except OSError:
        return None  # the current folder was removed
    return next((folder for folder in (start, *start.parents) if os.path.isfile(folder / MARKER)), None)


def is_trusted(folder: Path) -> bool:
    """Whether this user has called ``kpipe init`` in a folder."""
    return str(folder.resolve()) in _trusted()


def make(folder: Path) -> tuple[Path, ...]:
    """Make a folder a workspace that this user trusts; what is there is left as it is.

    Gives the files and folders that were made. Raises UsageError where the folder is a file, OutputError where it, or
    the user's list of workspaces, cannot be written.
    """
    folder = folder.expanduser().resolve()
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file. kpipe init takes a folder; it is made where it is absent.")
    made = []
    try:
        (folder / "competitions").mkdir(parents=True, exist_ok=True)
        for name, text in ((MARKER, _MARKER_TEXT), (".gitignore", _IGNORED)):
            if not (folder / name).exists():
                (folder / name).write_text(text, encoding="utf-8")
                made.append(folder / name)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made a workspace: {error.strerror}. Choose another folder.") from error
    _trust(folder)
    return tuple(made)


def _list() -> Path:
    import platformdirs  # loaded only where a marker was found or is made

    return Path(platformdirs.user_config_dir("kpipe")) / "workspaces.json"


def _trusted() -> list[str]:
    """The paths of the user's list; none where it cannot be read."""
    try:
        listed = json.loads(_list().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    return [path for path in listed if isinstance(path, str)] if isinstance(listed, list) else []


def _trust(folder: Path) -> None:
    listed, path = _trusted(), _list()
    if str(folder) in listed:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
            json.dump([*listed, str(folder)], file, indent=2)
        os.replace(file.name, path)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror}. Without it kpipe does not know that {folder} is yours; "
            f"set KPIPE_COMPETITIONS={folder / 'competitions'} instead."
        ) from error
