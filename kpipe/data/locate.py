"""Find a competition's files. Each place to look is a function here and an entry of ``_ORIGINS``."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from kpipe import competitions
from kpipe.core.wording import listed
from kpipe.data.downloads import Downloader, OnDownload, downloads_folder
from kpipe.data.files import is_table, unpacking_command
from kpipe.errors import DataError, RemoteError

__all__ = ["SAMPLE", "Location", "data_from_environment", "is_sample", "locate"]

_ADDRESS = re.compile(r"(?i)[a-z][a-z0-9+.-]+:/{1,2}[^/]|www\.|(www\.)?kaggle\.com/")
SAMPLE = "sample"  # the value of --data for the data that a competition's module embeds


class Location(NamedTuple):
    """A folder or zip with a competition's files.

    Attributes
    ----------
    origin : str
        Kind of place: "directory", "zip", "kernel", "cache", "kaggle" or "sample".
    path : Path
        The folder or zip.
    file : str
        The table that the user named in the folder; "" if the folder itself was named.
    note : str
        A sentence for the user about a place that kpipe chose; else "".
    """

    origin: str
    path: Path
    file: str = ""
    note: str = ""


@dataclass(frozen=True)
class _Search:
    """What to search the origins for, and how to download it from Kaggle."""

    slug: str
    downloader: Downloader | None
    on_download: OnDownload


def locate(
    slug: str,
    path: str | Path | None = None,
    *,
    downloader: Downloader | None = None,
    on_download: OnDownload = lambda done, size: None,
) -> Location:
    """Find the folder or zip that a competition's files are read from.

    Parameters
    ----------
    slug : str
        The competition's name on Kaggle.
    path : str or Path, optional
        A folder, a zip, a table in a folder, or "sample". Without it the origins are searched in order: ``KPIPE_DATA``,
        a kernel's input folders, the cache of downloads, the current folder, Kaggle, the embedded sample.
    downloader : Downloader, optional
        Downloads from Kaggle; without it Kaggle is not asked.
    on_download : callable
        Called with the number of bytes downloaded so far, and in total.

    Returns
    -------
    Location

    Raises
    ------
    DataError
        There is no such path, or no origin has the files.
    RemoteError
        Kaggle refuses or fails to send the files.
    """
    search = _Search(slug, downloader, on_download)
    if path is not None:
        return _at_path(search, path)
    tried = []
    for origin in _ORIGINS:
        for name, place in origin(search):
            if _may_hold_files(place):
                return Location(name, place, note=_note(origin, place))
            tried.append(place)
    raise _not_found(slug, tried)


def data_from_environment(slug: str) -> Path | None:
    """The files of a competition in the folder that ``KPIPE_DATA`` names; None if there are none."""
    places = _data_variable(_Search(slug, None, lambda done, size: None))
    return next((place for _, place in places if _may_hold_files(place)), None)


def is_sample(path: str | Path) -> bool:
    """Whether the user's path means the embedded sample."""
    return str(path) == SAMPLE and not os.path.exists(SAMPLE)


def _may_hold_files(place: Path) -> bool:
    return place.is_dir() or (place.is_file() and place.suffix == ".zip")


def _at_path(search: _Search, path: str | Path) -> Location:
    """The place that the user named."""
    if is_sample(path):
        for name, place in _embedded_sample(search):
            return Location(name, place)
    place = Path(path).expanduser()
    if _ADDRESS.match(str(path)):
        raise DataError(
            f"--data {path} is an address, and kpipe reads files. Download the competition's zip (kaggle competitions "
            f"download -c {search.slug}) and pass it with --data {search.slug}.zip. Without --data, kpipe downloads it "
            "if it finds Kaggle credentials (kpipe doctor).",
            code="data-not-found",
        )
    if not os.path.exists(place):  # Path.exists raises for a name that is too long
        within = "" if place.is_absolute() else f" in {Path.cwd()}"
        raise DataError(
            f"{place} does not exist{within}. Pass a folder or Kaggle's zip with --data.",
            code="data-not-found",
            file=str(place),
        )
    if not place.is_dir() and not place.is_file():  # reading it may never end
        raise DataError(
            f"{place} is neither a folder nor a file, but a pipe or a device, which can be read only once. Save what "
            "it gives as a zip, and pass that with --data.",
            code="data-not-found",
            file=str(place),
        )
    if place.is_file() and is_table(place.name):
        return Location("directory", place.resolve().parent, place.name)
    if place.is_file() and (command := unpacking_command(place.name)):
        raise DataError(
            f"kpipe cannot open {place}; unpack it, and pass the folder with --data: {command}.",
            code="unsupported-format",
            file=str(place),
        )
    return Location("directory" if place.is_dir() else "zip", place.resolve())


def _data_variable(search: _Search) -> Iterator[tuple[str, Path]]:
    """The folder that the environment variable ``KPIPE_DATA`` names."""
    if home := os.environ.get("KPIPE_DATA"):
        folder = Path(home).expanduser()
        yield "directory", folder / search.slug
        yield "zip", folder / f"{search.slug}.zip"


def _kernel_input(search: _Search) -> Iterator[tuple[str, Path]]:
    """Where Kaggle mounts a competition's files in a kernel; a rehearsal of a kernel may name another root."""
    folder = Path(os.environ.get("KPIPE_KAGGLE_ROOT", "/kaggle")) / "input"
    yield "kernel", folder / "competitions" / search.slug
    yield "kernel", folder / search.slug


def _downloaded_before(search: _Search) -> Iterator[tuple[str, Path]]:
    """The cache of downloads."""
    yield "cache", downloads_folder() / search.slug
    yield "cache", downloads_folder() / f"{search.slug}.zip"


def _current_folder(search: _Search) -> Iterator[tuple[str, Path]]:
    """``<slug>.zip``, or train.csv and the files beside it, in the current folder."""
    try:
        here = Path.cwd()
    except OSError:
        return  # it was removed
    if competitions.is_slug(search.slug) and zipfile.is_zipfile(here / f"{search.slug}.zip"):
        yield "zip", here / f"{search.slug}.zip"
    if (here / "train.csv").is_file():
        yield "directory", here


def _note(origin: Callable[[_Search], Iterator[tuple[str, Path]]], place: Path) -> str:
    """The note that kpipe reads the current folder, although the user did not name it."""
    if origin is not _current_folder:
        return ""
    what = f"train.csv and the files beside it in {place}" if place.is_dir() else str(place)
    return f"kpipe reads {what}, found in the current folder. To use other data: --data PATH."


def _kaggle(search: _Search) -> Iterator[tuple[str, Path]]:
    """Kaggle itself, if there are credentials."""
    if search.downloader is None or not competitions.is_slug(search.slug):
        return
    try:
        place = search.downloader.download(search.slug, downloads_folder(), on_download=search.on_download)
    except RemoteError as error:
        instead = " To train on the embedded sample: --data sample." if any(_embedded_sample(search)) else ""
        raise RemoteError(f"{error}{instead}", code=error.code) from error
    if place is not None:
        yield "kaggle", place


def _embedded_sample(search: _Search) -> Iterator[tuple[str, Path]]:
    """The first sample among the folders of a competition: a user's own module may have none."""
    for folder in competitions.folders(search.slug):
        if (folder / "sample").is_dir():
            yield "sample", folder / "sample"


# In the order in which they are searched.
_ORIGINS: tuple[Callable[[_Search], Iterator[tuple[str, Path]]], ...] = (
    _data_variable,
    _kernel_input,
    _downloaded_before,
    _current_folder,
    _kaggle,
    _embedded_sample,
)


def _not_found(slug: str, tried: list[Path]) -> DataError:
    zip = Path(f"{slug}.zip")
    if competitions.is_slug(slug) and zip.is_file():
        return DataError(
            f"No data was found for {slug!r}: {zip} is in the current folder, but it is not a zip archive, or it is "
            "cut short. Download it again, or name another one with --data.",
            code="data-not-found",
            file=str(zip),
        )
    return DataError(
        f"No data was found for {slug!r}, and no competition module of that name embeds a sample."
        f"{competitions.suggestion(slug)} Competitions with a module: {listed(competitions.slugs())}. For any "
        f"other, download its zip (kaggle competitions download -c {slug}) and pass it with --data {slug}.zip, put it "
        "into the folder set in KPIPE_DATA, or set up credentials (`kpipe doctor`) so that kpipe downloads it. "
        f"Searched: {', '.join(map(str, tried))}.",
        code="data-not-found",
    )
