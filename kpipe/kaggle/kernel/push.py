"""Run a kernel on Kaggle: validate its metadata, wait for its version, fetch the submission that it wrote."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kpipe.errors import OutputError, RemoteError, UsageError
from kpipe.kaggle.client import Kaggle
from kpipe.kaggle.polling import poll
from kpipe.kaggle.responses import Pushed

__all__ = ["fetch_output", "read_metadata", "wait_until_complete"]

_SHOWN_LINES = 30  # the last ones of a failed kernel's log
_RUNNING = ("queued", "running", "new_script")
_FETCHED = ("submission.csv", "run.json")
_SHORTEST_TITLE = 5


def read_metadata(folder: Path) -> dict[str, Any]:
    """The content of kernel-metadata.json, after a check that Kaggle will accept and understand it.

    Parameters
    ----------
    folder : Path
        The kernel's folder.

    Returns
    -------
    dict
        The fields.

    Raises
    ------
    UsageError
        If a field is missing or wrong; the message names it.
    """
    path = folder / "kernel-metadata.json"
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}. `kpipe kernel build` writes it.",
            code="broken-kernel-folder",
            file=str(path),
        ) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not JSON: {error}.", code="broken-kernel-folder", file=str(path)) from error
    if not isinstance(metadata, dict):
        raise UsageError(f"{path} must hold a JSON object.", code="broken-kernel-folder", file=str(path))
    if faults := [*_identity_faults(metadata), *_source_faults(metadata), *_code_faults(metadata, folder)]:
        raise UsageError(f"{path}: {faults[0]}", code="broken-kernel-folder", file=str(path))
    return metadata


def _identity_faults(metadata: dict[str, Any]) -> Iterator[str]:
    title, name = str(metadata.get("title", "")), str(metadata.get("id", ""))
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    if len(title) < _SHORTEST_TITLE or len(slug) < _SHORTEST_TITLE:
        yield f"title must have at least {_SHORTEST_TITLE} letters; got {title!r}."
    if name.count("/") != 1:
        yield f"id must be user/slug; got {name!r}."
    if not name.endswith(f"/{slug}"):
        yield f"id must end with the title's slug, /{slug}; got {name!r}."
    if metadata.get("kernel_type") != "script":
        yield f"kernel_type must be 'script'; got {metadata.get('kernel_type')!r}."
    if not isinstance(metadata.get("is_private"), bool):
        yield f"is_private must be true or false; got {metadata.get('is_private')!r}."
    if metadata.get("enable_internet") is not False:
        yield "enable_internet must be false, which is not the client's default."


def _source_faults(metadata: dict[str, Any]) -> Iterator[str]:
    competitions, datasets = metadata.get("competition_sources"), metadata.get("dataset_sources")
    if not _are_names(competitions, r"[a-z0-9-]+") or len(competitions or ()) != 1:
        yield f"competition_sources must be a list of one competition's slug; got {competitions!r}."
    if not _are_names(datasets, r"[\w-]+/[\w-]+"):
        yield f"dataset_sources must be a list of owner/slug; got {datasets!r}."


def _code_faults(metadata: dict[str, Any], folder: Path) -> Iterator[str]:
    """What is wrong with the script's name: a file from elsewhere must not be uploaded."""
    code = metadata.get("code_file")
    if not isinstance(code, str) or Path(code).name != code:
        yield f"code_file must be a file name without a folder; got {code!r}."
    elif not os.path.isfile(folder / code):
        yield f"code_file {code!r} does not exist."
    elif os.path.islink(folder / code):
        yield f"code_file {code!r} is a link. Replace it by the file."


def _are_names(value: Any, pattern: str) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) and re.fullmatch(pattern, one) for one in value)


def wait_until_complete(
    kaggle: Kaggle, pushed: Pushed, *, on_status: Callable[[str], None], seconds: float = 12 * 3600.0
) -> None:
    """Return when Kaggle has run a version of a kernel.

    Parameters
    ----------
    kaggle : Kaggle
        The client.
    pushed : Pushed
        The version.
    on_status : callable
        Called with a line of text for each new state.
    seconds : float
        How long to wait.

    Raises
    ------
    RemoteError
        If the version fails, with the end of its log; or if it has not ended after ``seconds``.
    """
    last = ""
    for _ in poll(seconds):
        status, reason = kaggle.kernels.status(pushed)
        if status != last:
            on_status(f"{pushed.ref}, version {pushed.version}: {status}")
            last = status
        if status == "complete":
            return
        if status not in _RUNNING:
            _, log = kaggle.kernels.output(pushed)
            lines = "\n".join(_lines(log)[-_SHOWN_LINES:])
            raise RemoteError(
                f"{pushed.ref}, version {pushed.version}, ended with {status}. {reason}\n{lines}".rstrip(),
                code="kernel-failed",
            )
    raise RemoteError(
        f"{pushed.ref}, version {pushed.version}, has not finished in {seconds / 3600:.0f} hours. "
        f"It continues on Kaggle: {pushed.url}",
        code="kernel-failed",
    )


def _lines(log: str) -> list[str]:
    """The lines of a log, which Kaggle gives as text or as JSON objects with stream_name, time and data."""
    try:
        events = json.loads(log)
        return "".join(str(event["data"]) for event in events).splitlines()
    except (ValueError, TypeError, KeyError, RecursionError):
        return log.splitlines()


def fetch_output(kaggle: Kaggle, pushed: Pushed, folder: Path) -> Path:
    """The submission.csv that a version wrote, downloaded together with its run.json.

    Parameters
    ----------
    kaggle : Kaggle
        The client.
    pushed : Pushed
        The version.
    folder : Path
        Where to write the files.

    Returns
    -------
    Path
        ``folder / "submission.csv"``.

    Raises
    ------
    RemoteError
        If the version wrote no submission.csv.
    OutputError
        If the folder cannot be written.
    """
    files, _ = kaggle.kernels.output(pushed)
    if "submission.csv" not in files:
        wrote = ", ".join(sorted(files)[:10]) or "nothing"
        raise RemoteError(
            f"{pushed.ref}, version {pushed.version}, wrote no submission.csv. It wrote: {wrote}.", code="kernel-failed"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be created: {error.strerror}.", code="cannot-write") from error
    for name in _FETCHED:
        if name in files:
            kaggle.kernels.download_file(files[name], folder / name)
    return folder / "submission.csv"
