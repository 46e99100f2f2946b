"""The settings of competitions in ``kpipe.toml``, the file of a workspace, and the requests that they complete.

A table of the file is named by the slug of a competition, and its keys are options of ``kpipe.run``. Only the file of a
workspace that the user trusts is read (see ``kpipe.core.workspace``). The order of precedence is: options that are
given, environment variables (``KPIPE_DATA``), the file, the competition's module, what the data files show.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kpipe.competitions import is_slug
from kpipe.core import workspace
from kpipe.core.metrics import get_metric
from kpipe.core.request import COMPETITION_OPTIONS, FILE_OPTIONS, RunRequest, slug_of
from kpipe.core.wording import did_you_mean
from kpipe.data.locate import SAMPLE, data_from_environment, is_sample
from kpipe.data.weights import NO_WEIGHTS
from kpipe.errors import DataError, UsageError

__all__ = [
    "SETTINGS",
    "Settings",
    "make_request",
    "read_settings",
    "settings_of",
]

# All options of a run except flags, the folder of the results, and the name and note of the run.
SETTINGS = (
    *("data", *FILE_OPTIONS, *COMPETITION_OPTIONS),
    *("models", "folds", "seeds", "budget", "device", "weights", "jobs"),
)
_FILES = ("train", "test", "sample", "extra")
_LONGEST = 100  # characters of a value in a sentence


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of a competition in ``kpipe.toml``.

    Attributes
    ----------
    file : Path
    table : str
        The name of the competition's table.
    written : mapping of str to object
        The table as it is in the file.
    used : tuple of str
        The settings that a request has taken from it.
    note : str
        A sentence on a setting that something else overrides; else "".
    """

    file: Path
    table: str
    written: Mapping[str, Any]
    used: tuple[str, ...] = ()
    note: str = ""

    @property
    def place(self) -> str:
        """The file and the table, for messages."""
        return f"{self.file}, [{self.table}]"

    @property
    def sentence(self) -> str:
        """A sentence about the settings that a request has taken from the file; "" if there are none."""
        taken = f"Set in {self.file}: {self.show(self.used)}." if self.used else ""
        return " ".join(filter(None, (taken, self.note)))

    def show(self, names: Collection[str]) -> str:
        """Some settings as they are in the file, on one line."""
        texts = {name: json.dumps(self.written[name], ensure_ascii=False) for name in names}
        return ", ".join(
            f"{name} = {text if len(text) <= _LONGEST else text[:_LONGEST] + ' ...'}" for name, text in texts.items()
        )

    def options(self) -> dict[str, Any]:
        """The settings as options of a run: paths are absolute, since the file names them relative to its folder."""
        found, folder = dict(self.written), self.file.parent
        if "data" in found and (found["data"] != SAMPLE or (folder / SAMPLE).exists()):
            found["data"] = _path(folder, found["data"])
        if found.get("weights", NO_WEIGHTS) != NO_WEIGHTS:
            found["weights"] = _path(folder, found["weights"])
        for name in (name for name in _FILES if name in found):
            value = found[name]
            several = [_table_path(folder, one) for one in ([value] if isinstance(value, str) else value)]
            found[name] = several[0] if isinstance(value, str) else several
        return found


@dataclass(frozen=True)
class _CompletedRequest(RunRequest):
    """A request that has taken options from ``kpipe.toml``."""

    settings: Settings | None = field(default=None, kw_only=True, compare=False, repr=False)


def make_request(slug: str, given: Mapping[str, Any], *, names: Collection[str] = SETTINGS) -> RunRequest:
    """Make a request of the given options, completed by the settings of ``kpipe.toml``.

    Parameters
    ----------
    slug : str
        The competition.
    given : mapping of str to object
        Arguments of ``RunRequest``; None counts as not given.
    names : collection of str
        The settings that count here.

    Returns
    -------
    RunRequest

    Raises
    ------
    UsageError
        If an option or a setting has an impossible value, or ``kpipe.toml`` is broken.
    DataError
        If the file names data that does not exist.
    """
    given = {name: value for name, value in given.items() if value is not None}
    request = RunRequest(slug, **given)
    if (settings := read_settings(request.slug)) is None:
        return request
    others = {*given, *(("seeds",) if "seed" in given else ())}
    options = {name: value for name, value in settings.options().items() if name in names and name not in others}
    if "data" in options and (place := data_from_environment(request.slug)) is not None:
        del options["data"]
        settings = replace(settings, note=f"{place} is read: KPIPE_DATA takes precedence over data in {settings.file}.")
    _check_used(settings, options)
    return _CompletedRequest(slug, **options, **given, settings=replace(settings, used=tuple(options)))


def settings_of(request: RunRequest) -> Settings | None:
    """Return the settings that a request has taken from ``kpipe.toml``.

    Parameters
    ----------
    request : RunRequest

    Returns
    -------
    Settings or None
        None if the file has no table of the competition, and for the request of an earlier run.
    """
    return request.settings if isinstance(request, _CompletedRequest) else None


def read_settings(slug: str) -> Settings | None:
    """Read the settings of a competition in the workspace that the current folder lies in.

    Parameters
    ----------
    slug : str
        The competition, in any case.

    Returns
    -------
    Settings or None
        None outside of a workspace that the user trusts, and if its file has no table of the competition.

    Raises
    ------
    UsageError
        If the file is not valid TOML, or the table has an unknown key or an impossible value.
    """
    slug, folder = slug_of(slug), workspace.find_trusted()
    if folder is None:
        return None
    file = folder / workspace.MARKER
    tables = _read_tables(file)
    for name in sorted((name for name in tables if name.lower() == slug.lower()), key=lambda name: name != slug):
        settings = Settings(file=file, table=name, written=tables[name])
        _check_table(settings)
        return settings
    return None


def _read_tables(file: Path) -> dict[str, dict[str, Any]]:
    """The tables of the file, whose values are not validated yet."""
    try:
        content = tomllib.loads(file.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise _refuse(file, f"cannot be read: {error.strerror}. Change its permissions.") from error
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, a number with too many digits, deep nesting
        line = re.search(r"\bline (\d+)", str(error))
        raise UsageError(
            f"{file} is not valid TOML: {str(error) or type(error).__name__}. Correct it, or move it away.",
            code="invalid-settings",
            file=str(file),
            line=int(line[1]) if line else None,
        ) from error
    for name, table in content.items():
        if not isinstance(table, dict):
            raise _refuse(
                file,
                f"{name!r} is not in the table of a competition. Write it below a line with the competition's slug, "
                "such as [titanic].",
            )
        if not is_slug(name):
            raise _refuse(
                file,
                f"[{json.dumps(name)}] is not the slug of a competition. Name it as in kaggle.com/competitions/SLUG.",
            )
        for inner in (key for key, value in table.items() if isinstance(value, dict) and key not in SETTINGS):
            raise _refuse(file, f"[{name}.{inner}] is a table inside of another one. Write [{inner}] instead.")
    return content


def _check_table(settings: Settings) -> None:
    for name in settings.written:
        if name not in SETTINGS:
            raise _refuse(
                settings.file,
                f"[{settings.table}] has an unknown setting, {name!r}.{did_you_mean(name, SETTINGS)} The settings are: "
                f"{', '.join(SETTINGS)}.",
            )
    try:
        RunRequest("any", **settings.written)
    except UsageError as error:
        raise _refuse(settings.file, f"[{settings.table}]: {error}") from error


def _check_used(settings: Settings, options: Mapping[str, Any]) -> None:
    """Raise an error for a metric or data that does not exist."""
    if (data := options.get("data")) and not is_sample(data) and not os.path.exists(data):
        raise DataError(
            f"{settings.place}: data names {data}, which does not exist. Correct the entry, or pass --data PATH.",
            code="data-not-found",
            file=str(settings.file),
        )
    if metric := options.get("metric"):
        try:
            get_metric(metric)
        except UsageError as error:
            raise UsageError(f"{settings.place}: {error}", code=error.code, file=str(settings.file)) from error


def _refuse(file: Path, problem: str) -> UsageError:
    return UsageError(f"{file}: {problem}", code="invalid-settings", file=str(file))


def _path(folder: Path, value: str) -> str:
    return str(folder / os.path.expanduser(value))


def _table_path(folder: Path, value: str) -> str:
    """A table that is named by a path beside ``kpipe.toml``; the name of a file in the data, unchanged."""
    path = _path(folder, value)
    return path if os.path.basename(value) != value and os.path.exists(path) else value
