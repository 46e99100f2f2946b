"""Which Kaggle credentials there are, in the order in which the client takes them; found without loading the client.

References
----------
kaggle 2.2.4, ``KaggleApi.authenticate`` and ``kagglesdk.kaggle_env.get_access_token_from_env``: the order and places.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

__all__ = ["Credentials", "find", "found"]

Kind = Literal["token", "key", "oauth"]


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """One way to be known to Kaggle.

    kind : "token" (an API token), "key" (a user name and key), "oauth" (what ``kaggle auth login`` left).
    place : where it was found, in words.
    secret : never shown: not in ``repr``, not in a message.
    problem : why it cannot be used, or empty.
    open_file : the file that holds it, if others on this machine may read that file.
    """

    kind: Kind
    place: str
    username: str = ""
    secret: str = field(default="", repr=False)
    problem: str = ""
    open_file: Path | None = None


def find() -> Credentials | None:
    """The credentials that the client uses: the first that can be, as it does; None if there are none."""
    return next((credentials for credentials in found() if not credentials.problem), None)


def found() -> list[Credentials]:
    """Every credential of this user, in the client's order; those with a ``problem`` cannot be used."""
    return [*_tokens(), *_keys(), *_logins()]


def _tokens() -> Iterator[Credentials]:
    if value := os.environ.get("KAGGLE_API_TOKEN"):
        place = "the variable KAGGLE_API_TOKEN"
        if _is_file(value):
            yield _token(Path(value), f"{value}, which the variable KAGGLE_API_TOKEN names")
        else:
            yield Credentials(kind="token", place=place, secret=value.strip())
    for name in ("access_token", "access_token.txt"):
        path = _home() / name
        if path.is_file():
            yield _token(path, str(path))


def _is_file(value: str) -> bool:
    try:
        return Path(value).is_file()
    except (OSError, ValueError):  # too long for a name: a token
        return False


def _token(path: Path, place: str) -> Credentials:
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return Credentials(kind="token", place=place, problem="the file cannot be read", open_file=_open(path))
    problem = "" if secret else "the file is empty"
    return Credentials(kind="token", place=place, secret=secret, problem=problem, open_file=_open(path))


def _keys() -> Iterator[Credentials]:
    """A user name and a key; variables go before the file, each by itself, as in the client."""
    path = _key_file()
    held, problem = _read_key_file(path) if path.is_file() else ({}, "")
    names = {"username": "KAGGLE_USERNAME", "key": "KAGGLE_KEY"}
    given = {part: os.environ[name] for part, name in names.items() if os.environ.get(name)}
    if not held and not given and not problem:
        return
    both = {**held, **given}
    missing = [part for part in names if not both.get(part)]
    if missing and not problem:
        problem = f"it has no {' and no '.join(missing)}"
    place = " and ".join(f"the variable {names[part]}" for part in given)
    if len(given) < 2 and path.is_file():
        place = f"{place} and {path}" if place else str(path)
    yield Credentials(
        kind="key",
        place=place,
        username=both.get("username", ""),
        secret=both.get("key", ""),
        problem="" if len(given) == 2 else problem,
        open_file=_open(path) if path.is_file() else None,
    )


def _read_key_file(path: Path) -> tuple[dict[str, str], str]:
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        return {}, "the file cannot be read"
    except ValueError:
        return {}, "the file is no JSON"
    if not isinstance(held, dict):
        return {}, "the file must hold a JSON object with username and key"
    return {name: value for name, value in held.items() if isinstance(value, str)}, ""


def _logins() -> Iterator[Credentials]:
    path = _home() / "credentials.json"
    if not path.is_file():
        return
    held, problem = _read_key_file(path)
    if not problem and not held.get("refresh_token"):
        problem = "it has no refresh_token"
    yield Credentials(
        kind="oauth", place=str(path), username=held.get("username", ""), problem=problem, open_file=_open(path)
    )


def _home() -> Path:
    return Path(os.path.expanduser("~")) / ".kaggle"


def _key_file() -> Path:
    """Where the client reads kaggle.json: ``KAGGLE_CONFIG_DIR``, ``~/.kaggle``, else on Linux the XDG place."""
    if folder := os.environ.get("KAGGLE_CONFIG_DIR"):
        return Path(folder) / "kaggle.json"
    if sys.platform.startswith("linux") and not _home().exists():
        return (
            Path(os.environ.get("XDG_CONFIG_HOME") or Path(os.path.expanduser("~")) / ".config") / "kaggle/kaggle.json"
        )
    return _home() / "kaggle.json"


def _open(path: Path) -> Path | None:
    """The path, if others may read it."""
    if os.name == "nt":
        return None
    mode = path.stat().st_mode
    return path if mode & (stat.S_IRGRP | stat.S_IROTH) else None
