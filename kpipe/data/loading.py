"""Load a competition's tables: locate the files, assign their roles, and read them or use the cache."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from kpipe.core.values import Source, Tables
from kpipe.data import cache
from kpipe.data.csv_reader import parse_csv
from kpipe.data.downloads import Downloader, OnDownload, metric_on_page
from kpipe.data.files import SourceFile, list_files
from kpipe.data.frames import to_frames
from kpipe.data.further_tables import FurtherTables
from kpipe.data.identifiers import check_ids, id_columns
from kpipe.data.locate import locate
from kpipe.data.roles import assign_roles
from kpipe.errors import DataError

__all__ = ["load"]


def load(
    slug: str,
    path: str | Path | None = None,
    *,
    text: Sequence[str] = (),
    id: str | None = None,
    downloader: Downloader | None = None,
    on_download: OnDownload = lambda done, size: None,
) -> Tables:
    """Load a competition's tables; a column has the same dtype in train and test.

    Parameters
    ----------
    slug : str
        The competition's name on Kaggle.
    path : str or Path, optional
        A folder, Kaggle's zip, or "sample"; without it see ``kpipe.data.locate.locate``.
    text : sequence of str
        Columns to read as text although they look like numbers.
    id : str, optional
        The id column, if it is known.
    downloader : Downloader, optional
        Asks Kaggle for files and for the name of the metric; without it Kaggle is not asked.
    on_download : callable
        Called with the number of bytes downloaded so far, and in total.

    Returns
    -------
    Tables

    Raises
    ------
    DataError
        A file is missing, broken, or contradicts the others; the message names file, line and column.
    RemoteError
        Kaggle refuses or fails to send the files.
    """
    origin, place = locate(slug, path, downloader=downloader, on_download=on_download)
    metric = metric_on_page(slug, place, downloader)
    files = list_files(place)
    roles = assign_roles(place, files)
    frames, hashes = _read_cached(place, roles, text=text, id=id, cached=origin != "sample")
    further: dict[str, SourceFile] = {}
    for file in files:
        if file.name not in hashes:
            further.setdefault(file.stem, file)  # of files with the same name, use the topmost
    return Tables(
        train=frames["train"],
        test=frames["test"],
        sample=frames["sample"],
        source=Source(
            origin=origin, path=place, files=hashes, metric=metric.name, notes=(metric.note,) if metric.note else ()
        ),
        others=FurtherTables(further),
    )


def _read_cached(
    place: Path, roles: Mapping[str, SourceFile], *, text: Sequence[str], id: str | None, cached: bool
) -> cache.Entry:
    """Return frames and hashes, from the cache if it has them."""
    if not cached:
        return _read(roles, text=text, id=id)
    key = _cache_key(place, roles, text=tuple(text), id=id)
    entry = cache.get(cache.cache_folder(), key)
    if entry is None:
        entry = _read(roles, text=text, id=id)
        pa.default_memory_pool().release_unused()  # frees the text of the files, often many megabytes
        cache.put(cache.cache_folder(), key, *entry)
    return entry


def _cache_key(place: Path, roles: Mapping[str, SourceFile], **options: object) -> str:
    """Return a hash of the bytes that are read (of the zip, or of each file) and of the options for reading them."""
    if place.is_file():
        with open(place, "rb") as file:
            digests = [hashlib.file_digest(file, "sha256").hexdigest()]
    else:
        digests = [hashlib.sha256(file.read()).hexdigest() for file in roles.values()]
    names = sorted((role, file.name) for role, file in roles.items())
    return hashlib.sha256(repr((digests, names, sorted(options.items()))).encode()).hexdigest()[:32]


def _read(roles: Mapping[str, SourceFile], *, text: Sequence[str], id: str | None) -> cache.Entry:
    parsed, hashes = {}, {}
    for role, file in roles.items():
        raw = file.read()
        hashes[file.name] = hashlib.sha256(raw).hexdigest()
        parsed[role] = parse_csv(file.name, raw)
        if parsed[role].rows == 0:
            raise DataError(f"{file.name} has no rows, only a header. Check that the file is complete.")
    ids = id_columns(parsed, id)
    frames: dict[str, pd.DataFrame] = to_frames(parsed, ids=ids, text=text)
    check_ids(parsed, frames, ids)
    return frames, hashes
