"""A kernel's way on Kaggle: validated, pushed, followed by its version, its submission fetched by its exact name."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kpipe.errors import OutputError, RemoteError, UsageError
from kpipe.kaggle.client import Kaggle
from kpipe.kaggle.responses import Pushed

__all__ = ["fetched", "followed", "read_metadata"]

_FIRST_PAUSE, _LONGEST_PAUSE = 3.0, 30.0  # seconds between two looks at a kernel
_TAIL = 30  # lines of a failed kernel's log
_RUNNING = ("queued", "running", "new_script")
_WANTED = ("submission.csv", "run.json")


def read_metadata(folder: Path) -> dict[str, Any]:
    """kernel-metadata.json, with what Kaggle would refuse, or guess otherwise than meant, refused first.

    Raises UsageError with the field.
    """
    path = folder / "kernel-metadata.json"
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}. `kpipe kernel build` writes it.") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is no JSON: {error}.") from error
    if not isinstance(held, dict):
        raise UsageError(f"{path} must hold a JSON object.")
    for holds, fault in _rules(held, folder):
        if not holds:
            raise UsageError(f"{path}: {fault}")
    return held


def _rules(held: dict[str, Any], folder: Path) -> list[tuple[bool, str]]:
    title, name = str(held.get("title", "")), str(held.get("id", ""))
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    competitions, datasets, code = (held.get(key) for key in ("competition_sources", "dataset_sources", "code_file"))
    return [
        (len(title) >= 5 and len(slug) >= 5, f"title must have at least 5 letters, however: {title!r}."),
        (name.count("/") == 1, f"id must be user/slug, however: {name!r}."),
        (name.endswith(f"/{slug}"), f"id must end with the title's slug, /{slug}, however: {name!r}."),
        (held.get("kernel_type") == "script", f"kernel_type must be 'script', however: {held.get('kernel_type')!r}."),
        (isinstance(held.get("is_private"), bool), "is_private must be said: true or false."),
        (held.get("enable_internet") is False, "enable_internet must be false, which is not the client's default."),
        (
            _are_names(competitions, r"[a-z0-9-]+") and len(competitions or ()) == 1,
            f"competition_sources must be a list of bare slugs, of one competition, however: {competitions!r}.",
        ),
        (
            _are_names(datasets, r"[\w-]+/[\w-]+"),
            f"dataset_sources must be a list of owner/slug, however: {datasets!r}.",
        ),
        # a file of elsewhere would be sent to Kaggle
        (isinstance(code, str) and Path(code).name == code, f"code_file must be a bare name, however: {code!r}."),
        (os.path.isfile(folder / str(code)), f"code_file {code!r} is not there."),
        (not os.path.islink(folder / str(code)), f"code_file {code!r} is a link. Put the file in its place."),
    ]


def _are_names(held: Any, pattern: str) -> bool:
    return isinstance(held, list) and all(isinstance(one, str) and re.fullmatch(pattern, one) for one in held)


def followed(kaggle: Kaggle, pushed: Pushed, *, tell: Callable[[str], None], seconds: float = 12 * 3600.0) -> None:
    """Wait until the version has run.

    tell : called with each new state.
    Raises RemoteError with the tail of its log if it failed, or if it has not ended after ``seconds``.
    """
    began, pause, last = time.monotonic(), _FIRST_PAUSE, ""
    while True:
        status, reason = kaggle.kernels.status(pushed)
        if status != last:
            tell(f"{pushed.ref}, version {pushed.version}: {status}")
            last = status
        if status == "complete":
            return
        if status not in _RUNNING:
            _, log = kaggle.kernels.output(pushed)
            lines = "\n".join(_lines(log)[-_TAIL:])
            raise RemoteError(
                f"{pushed.ref}, version {pushed.version}, ended with {status}. {reason}\n{lines}".rstrip()
            )
        if time.monotonic() - began > seconds:
            raise RemoteError(f"{pushed.ref}, version {pushed.version}, has not ended. It goes on: {pushed.url}")
        time.sleep(pause)
        pause = min(1.5 * pause, _LONGEST_PAUSE)


def _lines(log: str) -> list[str]:
    """A log's lines; Kaggle gives them as JSON objects with stream_name, time and data, or as they are."""
    try:
        events = json.loads(log)
        return "".join(str(event["data"]) for event in events).splitlines()
    except (ValueError, TypeError, KeyError, RecursionError):
        return log.splitlines()


def fetched(kaggle: Kaggle, pushed: Pushed, folder: Path) -> Path:
    """The version's submission.csv, in the folder, its run.json beside it. Raises RemoteError if there is none."""
    files, _ = kaggle.kernels.output(pushed)
    if "submission.csv" not in files:
        wrote = ", ".join(sorted(files)[:10]) or "nothing"
        raise RemoteError(f"{pushed.ref}, version {pushed.version}, wrote no submission.csv. It wrote: {wrote}.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error.strerror}.") from error
    for name in _WANTED:
        if name in files:
            kaggle.kernels.download_file(files[name], folder / name)
    return folder / "submission.csv"
