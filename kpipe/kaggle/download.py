"""Download a competition's zip from Kaggle: resumable, validated, by one process at a time."""

from __future__ import annotations

import contextlib
import errno
import json
import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import filelock

from kpipe.data.archives import is_bomb
from kpipe.data.downloads import OnDownload
from kpipe.errors import OutputError, RemoteError
from kpipe.kaggle.client import Kaggle, connect
from kpipe.kaggle.credentials import find_credentials
from kpipe.kaggle.responses import starts_at

__all__ = ["KaggleDownloader", "download"]

_CHUNK = 1 << 16  # bytes; a connection that breaks loses at most as many
_MAX_MEMBERS = 1_000_000
_LONGEST_LENGTH = 18  # digits
_TRIES = 5  # connections that may break in one call; each resumes where the one before broke
_WAIT_SECONDS = 3600.0  # for another process that downloads the same competition

# What zipfile raises on a file that is not a valid zip.
_INVALID = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    RuntimeError,
    ValueError,
    struct.error,
    OverflowError,
)


def download(kaggle: Kaggle, slug: str, folder: Path, *, on_download: OnDownload = lambda done, size: None) -> Path:
    """A competition's zip, complete and valid; an interrupted download is resumed, also by a later call.

    Parameters
    ----------
    kaggle : Kaggle
        The client.
    slug : str
        The competition.
    folder : Path
        Where the zip is kept, as ``<slug>.zip``; a zip that exists is not downloaded again.
    on_download : callable
        Called with the number of bytes downloaded so far, and in all (0 where Kaggle does not say).

    Returns
    -------
    Path
        The zip.

    Raises
    ------
    RemoteError
        If Kaggle refuses, cannot be reached, or sends no valid zip.
    OutputError
        If the folder cannot be written.
    """
    target = folder / f"{slug}.zip"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder / f".{slug}.lock", timeout=_WAIT_SECONDS):
            if not target.exists():
                part = _download_part(kaggle, slug, folder, on_download)
                _validate(part, slug)
                os.replace(part, target)
    except filelock.Timeout:
        raise RemoteError(
            f"Another process has been downloading {slug} for an hour. Stop it, and try again.", code="download-failed"
        ) from None
    except OSError as error:
        raise OutputError(
            f"{slug} cannot be downloaded to {folder}: {error.strerror}. Free space, or set KPIPE_CACHE.",
            code="cannot-write",
        ) from error
    return target


def _download_part(kaggle: Kaggle, slug: str, folder: Path, on_download: OnDownload) -> Path:
    """The unfinished file, once it has as many bytes as Kaggle announced."""
    part, note = folder / f".{slug}.part", folder / f".{slug}.part.json"
    for _ in range(_TRIES):
        with contextlib.closing(kaggle.competitions.download(slug, *_resume_point(part, note))) as response:
            if _save(response, slug, part, note, on_download):
                note.unlink()
                return part
    kept, _ = _resume_point(part, note)
    resumes = f"{kept:,} bytes are kept: run the same command again to resume it."
    raise RemoteError(
        f"The download of {slug} was interrupted {_TRIES} times. {resumes if kept else 'Try again.'}",
        code="download-failed",
    )


def _save(response: Any, slug: str, part: Path, note: Path, on_download: OnDownload) -> bool:
    """Write a response to the unfinished file, and return whether it is complete: connections may break silently."""
    import requests
    import urllib3

    resumed = part.exists() and starts_at(response, part.stat().st_size)
    announced = _content_length(response.headers, slug)
    with open(part, "ab" if resumed else "wb") as file:
        have = file.tell()
        size = have + announced
        note.write_text(json.dumps({"etag": response.headers.get("ETag", "")}))  # after another ETag's bytes are gone
        with contextlib.suppress(requests.RequestException, urllib3.exceptions.HTTPError):
            for chunk in response.iter_content(_CHUNK):
                file.write(chunk)
                have += len(chunk)
                on_download(have, size)
            file.flush()
            os.fsync(file.fileno())
            return have == size or not announced
    return False


def _content_length(headers: Mapping[str, str], slug: str) -> int:
    """How many bytes follow; 0 if Kaggle does not say. Raises RemoteError for a compressed response."""
    if headers.get("Content-Encoding", "identity") != "identity":
        raise RemoteError(
            f"Kaggle's zip of {slug} arrived compressed twice. If you use a proxy, check its settings; then try again.",
            code="download-failed",
        )
    length = headers.get("Content-Length", "")
    return int(length) if length.isdecimal() and len(length) < _LONGEST_LENGTH else 0


def _resume_point(part: Path, note: Path) -> tuple[int, str]:
    """The number of bytes kept from before, and the ETag that they belong to; (0, "") if they cannot be used."""
    try:
        etag = json.loads(note.read_text())["etag"]
        return (part.stat().st_size, etag) if etag and isinstance(etag, str) else (0, "")
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return 0, ""


def _validate(part: Path, slug: str) -> None:
    """Delete the file and raise RemoteError unless it is a zip whose members all match their checksums."""
    try:
        fault = _fault(part)
    except _INVALID:
        fault = _what_it_is(part)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        fault = _what_it_is(part)  # zipfile looks for a member before the file's beginning
    if fault:
        with contextlib.suppress(OSError):
            part.unlink()
        raise RemoteError(
            f"The downloaded zip of {slug} is damaged ({fault}), and was deleted. Try again.", code="download-failed"
        )


def _what_it_is(part: Path) -> str:
    """What Kaggle, or a proxy in its place, sent instead of a zip."""
    with open(part, "rb") as file:
        start = file.read(_CHUNK).lstrip()
    if not start:
        return "it is empty"
    if start.startswith(b"<"):
        return "it is a web page: is there a proxy or a network that you must log in to?"
    return "the archive itself"


def _fault(part: Path) -> str | None:
    """What is wrong with a zip: that it would unpack to far more than it has, or a broken member's name."""
    with zipfile.ZipFile(part) as archive:
        members = archive.infolist()
        unpacked = sum(member.file_size for member in members)
        if is_bomb(unpacked, part.stat().st_size) or len(members) > _MAX_MEMBERS:
            return f"a zip bomb of {len(members):,} members, {unpacked:,} bytes unpacked"
        return archive.testzip()


class KaggleDownloader:
    """Asks Kaggle for a competition's files with the user's credentials; see ``kpipe.data.downloads.Downloader``."""

    def download(self, slug: str, folder: Path, *, on_download: OnDownload) -> Path | None:
        """The competition's zip, downloaded unless it exists.

        Parameters
        ----------
        slug : str
            The competition's name on Kaggle.
        folder : Path
            Where the zip is kept, as ``<slug>.zip``.
        on_download : callable
            Called with the number of bytes downloaded so far, and in all (0 where Kaggle does not say).

        Returns
        -------
        Path or None
            None without credentials.

        Raises
        ------
        RemoteError
            If Kaggle refuses, cannot be reached, or sends no valid zip.
        OutputError
            If the folder cannot be written.
        """
        return None if find_credentials() is None else download(connect(), slug, folder, on_download=on_download)

    def metric_name(self, slug: str) -> str | None:
        """The name of the metric on the competition's page.

        Parameters
        ----------
        slug : str
            The competition's name on Kaggle.

        Returns
        -------
        str or None
            "" if the page names none; None without credentials.

        Raises
        ------
        RemoteError
            If Kaggle refuses, cannot be reached, or sends a response that cannot be read.
        """
        return None if find_credentials() is None else str(connect().competitions.get(slug).evaluation_metric or "")
