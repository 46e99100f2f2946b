"""Find the user's Kaggle credentials, in the client's order of precedence, without loading the client.

References
----------
kaggle 2.2.4, ``KaggleApi.authenticate`` and ``kagglesdk.kaggle_env.get_access_token_from_env``: the order and places.
"""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

__all__ = ["Credentials", "all_credentials", "find_credentials"]

Kind = Literal["token", "key", "oauth"]

_VARIABLES = {"username": "KAGGLE_USERNAME", "key": "KAGGLE_KEY"}


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """A token, key or login for Kaggle.

    Attributes
    ----------
    kind : {"token", "key", "oauth"}
        An API token, a user name and key, or the login of ``kaggle auth login``.
    place : str
        Where the credentials were found, for messages.
    username : str
        The user's name on Kaggle; empty where it is not known.
    secret : str
        The token or key; neither ``repr`` nor any message contains it.
    problem : str
        Why the credentials cannot be used; empty if they can.
    open_file : Path or None
        The file that holds the credentials, if other users of this machine may read it.
    """

    kind: Kind
    place: str
    username: str = ""
    secret: str = field(default="", repr=False)
    problem: str = ""
    open_file: Path | None = None


def find_credentials() -> Credentials | None:
    """Find the credentials that the client would use: the first usable ones.

    Returns
    -------
    Credentials or None
        None if there are none.
    """
    return next((credentials for credentials in all_credentials() if not credentials.problem), None)


def all_credentials() -> list[Credentials]:
    """List all credentials of this user, in the client's order of precedence.

    Returns
    -------
    list of Credentials
        Those with a ``problem`` cannot be used.
    """
    return [*_tokens(), *_keys(), *_logins()]


def _tokens() -> Iterator[Credentials]:
    if value := os.environ.get("KAGGLE_API_TOKEN", "").strip():
        place = "the variable KAGGLE_API_TOKEN"
        if _is_file(value):
            yield _read_token(Path(value), f"{value}, which the variable KAGGLE_API_TOKEN names")
        else:
            yield Credentials(kind="token", place=place, secret=value, problem=_fault(value))
    for name in ("access_token", "access_token.txt"):
        path = _kaggle_folder() / name
        if path.is_file():
            yield _read_token(path, str(path))


def _is_file(value: str) -> bool:
    try:
        return Path(value).is_file()
    except (OSError, ValueError):  # a token may be too long for a file name
        return False


def _read_token(path: Path, place: str) -> Credentials:
    secret, problem = "", "the file cannot be read"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        secret = _read_text(path).strip()
        problem = _fault(secret) if secret else "the file is empty"
    return Credentials(kind="token", place=place, secret=secret, problem=problem, open_file=_if_open_to_others(path))


def _keys() -> Iterator[Credentials]:
    """A user name and key; each variable takes precedence over the file, as in the client."""
    path = _key_file()
    in_file, problem = _read_key_file(path) if path.is_file() else ({}, "")
    in_variables = {part: given for part, name in _VARIABLES.items() if (given := os.environ.get(name, "").strip())}
    if not in_file and not in_variables and not problem:
        return
    both = {**in_file, **in_variables}
    missing = [part for part in _VARIABLES if not both.get(part)]
    places = [f"the variable {_VARIABLES[part]}" for part in in_variables]
    if missing and not problem:
        problem = f"it has no {' and no '.join(missing)}"
    if len(in_variables) == len(_VARIABLES):
        problem = ""
    elif path.is_file():
        places.append(str(path))
    problem = problem or _fault(both.get("username", "")) or _fault(both.get("key", ""))
    yield Credentials(
        kind="key",
        place=" and ".join(places),
        username=both.get("username", ""),
        secret=both.get("key", ""),
        problem=problem,
        open_file=_if_open_to_others(path) if path.is_file() else None,
    )


def _read_key_file(path: Path) -> tuple[dict[str, str], str]:
    try:
        content = json.loads(_read_text(path))
    except OSError:
        return {}, "the file cannot be read"
    except (ValueError, RecursionError):
        return {}, "the file is not JSON"
    if not isinstance(content, dict):
        return {}, "the file must hold a JSON object with username and key"
    return {name: value.strip() for name, value in content.items() if isinstance(value, str)}, ""


def _read_text(path: Path) -> str:
    """The text of a file. Editors of Windows put a mark before it, and its PowerShell writes UTF-16."""
    content = path.read_bytes()
    is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if is_utf16 else "utf-8-sig")


def _fault(secret: str) -> str:
    """Why a token, name or key cannot be sent; empty if it can. What follows a line break would be another header."""
    fits = all("!" <= character <= "~" for character in secret)
    return "" if fits else "it holds blanks, line breaks or characters that are not ASCII"


def _logins() -> Iterator[Credentials]:
    path = _kaggle_folder() / "credentials.json"
    if not path.is_file():
        return
    content, problem = _read_key_file(path)
    if not problem and not content.get("refresh_token"):
        problem = "it has no refresh_token"
    yield Credentials(
        kind="oauth",
        place=str(path),
        username=content.get("username", ""),
        problem=problem,
        open_file=_if_open_to_others(path),
    )


def _kaggle_folder() -> Path:
    return Path(os.path.expanduser("~")) / ".kaggle"


def _key_file() -> Path:
    """Where the client reads kaggle.json: ``KAGGLE_CONFIG_DIR``, ``~/.kaggle``, else on Linux the XDG place."""
    if folder := os.environ.get("KAGGLE_CONFIG_DIR"):
        return Path(folder) / "kaggle.json"
    if sys.platform.startswith("linux") and not _kaggle_folder().exists():
        return (
            Path(os.environ.get("XDG_CONFIG_HOME") or Path(os.path.expanduser("~")) / ".config") / "kaggle/kaggle.json"
        )
    return _kaggle_folder() / "kaggle.json"


def _if_open_to_others(path: Path) -> Path | None:
    """The path, if other users of this machine may read it."""
    if os.name == "nt":
        return None
    mode = path.stat().st_mode
    return path if mode & (stat.S_IRGRP | stat.S_IROTH) else None
