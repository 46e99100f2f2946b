"""Remember ``--data``: the entry of a competition's data in the ``kpipe.toml`` of the user's workspace."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from kpipe.competitions import is_slug
from kpipe.core import workspace
from kpipe.data.locate import SAMPLE, is_sample
from kpipe.problem.settings import read_settings

__all__ = ["is_remembered", "remember_data", "suggest_entry"]


def remember_data(slug: str, data: str | Path) -> str:
    """Append a table with the data of a competition to ``kpipe.toml``, unless the file has one.

    Parameters
    ----------
    slug : str
    data : str or Path
        What ``--data`` names.

    Returns
    -------
    str
        A sentence for the user; "" outside of a workspace, and where the file names this data already.
    """
    settings, (_, line) = read_settings(slug), _entry(slug, data)
    if settings is None and (file := _append(slug, line)) is not None:
        return f"{file} now contains the path of {slug}'s data: --data can be omitted from now on."
    if settings is None or "data" not in settings.written:
        return suggest_entry(slug, data)
    if is_remembered(slug, data):
        return ""
    return f"{settings.place} sets other data, which kpipe reads without --data: {settings.show(['data'])}."


def is_remembered(slug: str, data: str | Path) -> bool:
    """Whether ``kpipe.toml`` names this data of a competition.

    Parameters
    ----------
    slug : str
    data : str or Path
        What ``--data`` names.

    Returns
    -------
    bool
    """
    settings = read_settings(slug)
    named = None if settings is None else settings.options().get("data")
    if named is None or is_sample(data):
        return bool(named == data)
    return Path(named).resolve() == Path(data).expanduser().resolve()


def suggest_entry(slug: str, data: str | Path) -> str:
    """The lines to add to ``kpipe.toml`` so that ``--data`` can be omitted.

    Parameters
    ----------
    slug : str
    data : str or Path
        What ``--data`` names.

    Returns
    -------
    str
        "" outside of a workspace, and where the file names data of the competition.
    """
    folder, settings = workspace.find_trusted(), read_settings(slug)
    if folder is None or (settings is not None and "data" in settings.written):
        return ""
    header, line = _entry(settings.table if settings else slug, data)
    return f"To omit --data from now on, add to {folder / workspace.MARKER}:\n{header}\n{line}"


def _append(slug: str, line: str) -> Path | None:
    """Append a table with one line to the file, as text, so that all else in it stays; None if that is impossible."""
    folder = workspace.find_trusted()
    if folder is None or not is_slug(slug):
        return None
    file = folder / workspace.MARKER
    try:
        before = file.read_text(encoding="utf-8")
        table = f"{'' if before.endswith(chr(10)) or not before else chr(10)}\n[{slug}]\n{line}\n"
        if tomllib.loads(before + table) != {**tomllib.loads(before), slug: tomllib.loads(line)}:
            return None
        with open(file, "a", encoding="utf-8", newline="\n") as end:
            end.write(table)
    except (OSError, ValueError):
        return None
    return file


def _entry(slug: str, data: str | Path) -> tuple[str, str]:
    """The header and the line that name the data of a competition, relative to the workspace if it lies inside."""
    if is_sample(data):
        return f"[{slug}]", f'data = "{SAMPLE}"'
    path, folder = Path(data).expanduser().resolve(), workspace.find_trusted()
    inside = folder is not None and path.is_relative_to(folder)
    written = (path.relative_to(folder) if folder is not None and inside else path).as_posix()
    if written == SAMPLE or written.startswith("~"):  # which would not be read as a name
        written = f"./{written}"
    quoted = json.dumps(written, ensure_ascii=False).replace("\x7f", "\\u007f")  # TOML escapes it, and JSON does not
    return f"[{slug}]", f"data = {quoted}"
