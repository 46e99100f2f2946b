"""Downloads from Kaggle: the zips of competitions in the cache, and the names of their metrics."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

from kpipe.data.cache import cache_folder
from kpipe.errors import RemoteError

__all__ = ["Downloader", "MetricName", "OnDownload", "downloads_folder", "metric_on_page"]

_MAX_NAME = 200  # characters of a metric's name

OnDownload = Callable[[int, int], None]  # bytes downloaded so far, and in total


class Downloader(Protocol):
    """The interface of ``kpipe.kaggle.download.KaggleDownloader``."""

    def download(self, slug: str, folder: Path, *, on_download: OnDownload) -> Path | None:
        """Download the competition's zip unless it exists, and return its path.

        Parameters
        ----------
        slug : str
            The competition's name on Kaggle.
        folder : Path
            The folder in which the zip is stored as ``<slug>.zip``.
        on_download : callable
            Called with the number of bytes downloaded so far, and in total.

        Returns
        -------
        Path or None
            None without credentials.

        Raises
        ------
        RemoteError
            Kaggle refuses or fails to send the zip.
        """

    def metric_name(self, slug: str) -> str | None:
        """Return the name of the metric on the competition's page.

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
            Kaggle does not answer.
        """


class MetricName(NamedTuple):
    """The name of a metric on Kaggle's page.

    Attributes
    ----------
    name : str
        "" if it is unknown.
    note : str
        A sentence for the user if it could not be looked up, else "".
    """

    name: str
    note: str = ""


def downloads_folder() -> Path:
    """The folder in the cache that keeps the zips of competitions.

    Returns
    -------
    Path
    """
    return cache_folder() / "downloads"


def metric_on_page(slug: str, place: Path, downloader: Downloader | None) -> MetricName:
    """Look up the name of the metric on a competition's page, and store it beside the zip.

    Parameters
    ----------
    slug : str
        The competition's name on Kaggle.
    place : Path
        The folder or zip that the competition's files are read from. Kaggle is asked only about places in
        ``downloads_folder()``, and only until it has answered once.
    downloader : Downloader or None
        Asks Kaggle.

    Returns
    -------
    MetricName
    """
    kept = place.parent / f"{place.stem}.metric.txt"  # not with_suffix, which refuses the root folder
    if kept.is_file():
        return MetricName(kept.read_text(encoding="utf-8", errors="replace")[:_MAX_NAME].strip())
    if downloader is None or place.parent != downloads_folder():
        return MetricName("")
    try:
        name = downloader.metric_name(slug)
    except RemoteError as error:
        return MetricName(
            "",
            f"The metric could not be looked up on Kaggle's page, so it is inferred from the files: {error} "
            "The next run looks it up again.",
        )
    if name is not None:
        _write(kept, name)
    return MetricName(name or "")


def _write(path: Path, text: str) -> None:
    """Write a file atomically; if it cannot be written, the next run sends the request again."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
