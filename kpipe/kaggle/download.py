"""A competition's zip from Kaggle: resumed where it broke off, proved before it counts, one process at a time."""

from __future__ import annotations

import contextlib
import json
import lzma
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import filelock

from kpipe.data.downloads import OnDownload
from kpipe.errors import OutputError, RemoteError
from kpipe.kaggle.client import Kaggle, connect
from kpipe.kaggle.credentials import find

__all__ = ["KaggleDownloader", "Tell", "download"]

_CHUNK = 1 << 16  # bytes; a line that breaks loses less than that
_MOST_MEMBERS = 1_000_000
_BOMB_BYTES, _BOMB_RATIO = 256 << 20, 500  # as in kpipe.data.loading: deflate's bound is 1,032 times
_LONGEST_LENGTH = 18  # digits
_TRIES = 5  # a line that breaks is taken up again so often, each time from where it broke
_WAIT_SECONDS = 3600.0  # for another process that downloads the same competition

Tell = Callable[[int, int], None]


def download(kaggle: Kaggle, slug: str, folder: Path, *, tell: Tell = lambda done, size: None) -> Path:
    """``folder/<slug>.zip``, whole and proved; a broken download is taken up where it ended, also by a later call.

    tell : called with the bytes that are there and the bytes in all (0 where Kaggle does not say).
    Raises RemoteError where Kaggle does not give it, or gives no whole zip; OutputError where it cannot be written.
    """
    target = folder / f"{slug}.zip"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder / f".{slug}.lock", timeout=_WAIT_SECONDS):
            if not target.exists():
                part = _fetched(kaggle, slug, folder, tell)
                _prove(part, slug)
                os.replace(part, target)
    except filelock.Timeout:
        raise RemoteError(f"Another process has been downloading {slug} for an hour. Stop it, and try again.") from None
    except OSError as error:
        raise OutputError(
            f"{slug} cannot be downloaded to {folder}: {error.strerror}. Free space, or set KPIPE_CACHE."
        ) from error
    return target


def _fetched(kaggle: Kaggle, slug: str, folder: Path, tell: Tell) -> Path:
    """The part file, as long as Kaggle says that the zip is."""
    import requests
    import urllib3

    part, note = folder / f".{slug}.part", folder / f".{slug}.part.json"
    for attempt in range(1, _TRIES + 1):
        kept = _kept(part, note)
        response = kaggle.download(slug, *kept)
        with contextlib.closing(response):
            resumed = response.status_code == 206
            have = kept[0] if resumed else 0
            announced = _announced(response.headers, slug)
            size = have + announced
            note.write_text(json.dumps({"etag": response.headers.get("ETag", "")}))
            try:
                with open(part, "ab" if resumed else "wb") as file:
                    for chunk in response.iter_content(_CHUNK):
                        file.write(chunk)
                        have += len(chunk)
                        tell(have, size)
                    file.flush()
                    os.fsync(file.fileno())
            except (requests.RequestException, urllib3.exceptions.HTTPError):
                if attempt == _TRIES:
                    break
                continue
        if have == size or not announced:
            note.unlink()
            return part
    raise RemoteError(
        f"The download of {slug} broke off {_TRIES} times. {part.stat().st_size:,} bytes are kept: "
        "the same command goes on from there."
    )


def _announced(headers: Mapping[str, str], slug: str) -> int:
    """How many bytes follow; 0 where Kaggle does not say. Raises RemoteError where they are packed once more."""
    if headers.get("Content-Encoding", "identity") != "identity":
        raise RemoteError(f"Kaggle sends {slug} packed as it was not asked to. Is there a proxy? Then try again.")
    length = headers.get("Content-Length", "")
    return int(length) if length.isdecimal() and len(length) < _LONGEST_LENGTH else 0


def _kept(part: Path, note: Path) -> tuple[int, str]:
    """How many bytes are there from before, and of which version; (0, "") where they are of no use."""
    try:
        etag = json.loads(note.read_text())["etag"]
        return (part.stat().st_size, etag) if etag and isinstance(etag, str) else (0, "")
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return 0, ""


def _prove(part: Path, slug: str) -> None:
    """Raise RemoteError unless the file is a zip whose every member has its checksum; what is not is thrown away."""
    try:
        with zipfile.ZipFile(part) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
            bomb = unpacked > max(_BOMB_BYTES, _BOMB_RATIO * part.stat().st_size)
            broken: str | None
            if bomb or len(archive.infolist()) > _MOST_MEMBERS:
                broken = f"a bomb of {len(archive.infolist()):,} members, {unpacked:,} bytes unpacked"
            else:
                broken = archive.testzip()
    except (
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        RuntimeError,
        ValueError,
        OverflowError,
        struct.error,
    ):
        broken = "the archive itself"
    if broken:
        with contextlib.suppress(OSError):
            part.unlink()
        raise RemoteError(f"What Kaggle sent for {slug} is damaged ({broken}), and was thrown away. Try again.")


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
            Kaggle refuses, cannot be reached, or sends no whole zip.
        OutputError
            The folder cannot be written.
        """
        return None if find() is None else download(connect(), slug, folder, tell=on_download)

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
            Kaggle refuses, cannot be reached, or gives an answer that cannot be read.
        """
        return None if find() is None else str(connect().competition(slug).evaluation_metric or "")
