"""Load a competition's tables: locate the files, assign their roles, and read the files or the cache."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from kpipe.core.request import RunRequest
from kpipe.core.values import Source, Tables
from kpipe.core.wording import listed
from kpipe.data import cache
from kpipe.data.annotations import with_annotations
from kpipe.data.assembling import Assembled, assemble
from kpipe.data.csv_reader import CsvFile
from kpipe.data.downloads import Downloader, OnDownload, metric_on_page
from kpipe.data.encodings import UTF8
from kpipe.data.files import SourceFile, header_of, list_files, list_names, open_workbooks, open_zips, unread_archives
from kpipe.data.formats import parse_tables
from kpipe.data.frames import to_frames
from kpipe.data.further_tables import FurtherTables
from kpipe.data.identifiers import check_ids, id_columns
from kpipe.data.locate import Location, locate
from kpipe.data.parts import join_parts
from kpipe.data.picture_files import PictureFolder, open_pictures
from kpipe.data.picture_labels import unread_pictures
from kpipe.data.picture_tables import COLUMN as PICTURES
from kpipe.data.picture_tables import PicturedRoles, numbers_of, unused_note, with_pictures
from kpipe.data.pixel_cells import spread_pixels
from kpipe.data.pixels import decode_pictures
from kpipe.data.roles import Roles, assign_roles, is_labels, missing_roles
from kpipe.data.tidying import tidy
from kpipe.errors import DataError

__all__ = ["FileChoice", "hash_files", "load", "open_text"]


_MAX_NOTES = 5  # on columns with odd cells, at the start of a run


@dataclass(frozen=True)
class FileChoice:
    """The files that a user names, and options for reading them.

    Attributes
    ----------
    train, test, sample : str or None
        Names or paths of the files; None to infer them from the names of the files.
    extra : tuple of str
        Further training files, whose rows are trained on and never validated.
    targets : tuple of str
        The target columns, if they are known.
    size : int, optional
        Pixels of the longer side of pictures.
    """

    train: str | None = None
    test: str | None = None
    sample: str | None = None
    extra: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    size: int | None = None

    @classmethod
    def of(cls, request: RunRequest, targets: Sequence[str]) -> FileChoice:
        """Return the options of a run that concern files.

        Parameters
        ----------
        request : RunRequest
        targets : sequence of str
            The target columns, if they are known.

        Returns
        -------
        FileChoice
        """
        files = (request.train, request.test, request.sample)
        return cls(*files, extra=tuple(request.extra), targets=tuple(targets), size=request.size)

    @property
    def named_files(self) -> dict[str, str]:
        """Role → the file that the user names."""
        given = {"train": self.train, "test": self.test, "sample": self.sample}
        return {role: name for role, name in given.items() if name is not None}


def load(
    slug: str,
    path: str | Path | None = None,
    *,
    text: Sequence[str] = (),
    id: str | None = None,
    choice: FileChoice = FileChoice(),
    downloader: Downloader | None = None,
    on_download: OnDownload = lambda done, size: None,
) -> Tables:
    """Load a competition's tables; a column has the same dtype in train and test.

    Parameters
    ----------
    slug : str
        The competition's name on Kaggle.
    path : str or Path, optional
        A folder, Kaggle's zip, a table, or "sample"; without it see ``kpipe.data.locate.locate``.
    text : sequence of str
        Columns to read as text although they look like numbers.
    id : str, optional
        The id column, if it is known.
    choice : FileChoice
        The files that the user names.
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
    UsageError
        The user names a file that does not exist.
    RemoteError
        Kaggle refuses or fails to send the files.
    """
    location = locate(slug, path, downloader=downloader, on_download=on_download)
    place = location.path
    metric = metric_on_page(slug, place, downloader)
    entry, roles = _read_tables(location, choice, text=text, id=id)
    further: dict[str, SourceFile] = {}
    for file in roles.others:
        if file.name not in entry.hashes:
            further.setdefault(file.stem, file)  # of files with the same name, use the topmost
    notes = (location.note, metric.note, *roles.notes, *entry.notes, *_offers(roles, entry))
    return Tables(
        train=entry.frames["train"],
        test=entry.frames["test"],
        sample=entry.frames["sample"],
        source=Source(
            origin=location.origin,
            path=place / location.file,
            files=entry.hashes,
            metric=metric.name,
            notes=tuple(filter(None, notes)),
            encoding=entry.encoding,
        ),
        others=FurtherTables(further),
        extra=entry.extra,
    )


def _roles(location: Location, choice: FileChoice) -> Roles:
    """The files of each role; zips and workbooks in the folder are opened if a role has no file otherwise."""
    named, place = choice.named_files, location.path
    files = list_files(place)
    if location.file and not {"train", "test", "sample"} & set(named):
        files, note = _around(location, files)
        roles = assign_roles(place, files, named, choice.extra)
        roles = replace(roles, notes=(note, *roles.notes))
    else:
        roles = assign_roles(place, files, named, choice.extra)
    if not {"train", "test"} <= set(roles.files):
        inside = open_zips(place)
        if len(inside) > len(files) and not location.file:
            files, roles = inside, assign_roles(place, inside, named, choice.extra)
    if not {"train", "test"} <= set(roles.files) and not location.file:
        sheets = open_workbooks(files)
        if len(sheets) > len(files) and "train" in (found := assign_roles(place, sheets, named, choice.extra)).files:
            files, roles = sheets, found
    if "train" not in roles.files and len(roles.others) == 1 and "test" not in roles.files:
        (only,) = roles.others
        if not is_labels(only):
            roles = replace(roles, files={**roles.files, "train": only}, others=())
    if "sample" not in roles.files and (several := [f.path for f in roles.others if "submission" in f.stem.lower()]):
        raise DataError(
            f"{place} holds {len(several)} files that may be a sample submission: {listed(several)}. Name it: "
            "--sample FILE.",
            code="ambiguous-files",
        )
    return roles


def _read_tables(
    location: Location, choice: FileChoice, *, text: Sequence[str], id: str | None
) -> tuple[cache.Entry, Roles]:
    """The tables and their roles; those of pictures have a column for each pixel."""
    roles, place = _roles(location, choice), location.path
    read = partial(_read, text=text, id=id, targets=choice.targets)
    if location.origin == "sample":
        return read(_complete(place, roles)), roles
    if not location.file:
        with open_pictures(place) as folder:
            if (pictured := _roles_with_pictures(place, roles, folder)) is not None:
                found = pictured.roles
                key = _cache_key(place, found, folder.digest(), text=tuple(text), id=id, targets=choice.targets)
                return _with_pixels(_read_cached(found, key, read), folder, pictured, choice.size), found
            unused = unused_note(folder.pictures)
        if "test" not in roles.files and (error := unread_pictures(place, list_names(place))) is not None:
            raise error
        roles = replace(_complete(place, roles, unused), notes=(*roles.notes, *unused))
    key = _cache_key(place, _complete(place, roles), text=tuple(text), id=id, targets=choice.targets)
    return _read_cached(roles, key, read), roles


def _roles_with_pictures(place: Path, roles: Roles, folder: PictureFolder) -> PicturedRoles | None:
    """The roles of a competition with pictures; None for others."""
    return with_pictures(with_annotations(place, roles), folder.pictures) if folder.pictures else None


def _complete(place: Path, roles: Roles, more: Sequence[str] = ()) -> Roles:
    """The roles, if train has a file; DataError otherwise, with further sentences."""
    if "train" not in roles.files:
        raise missing_roles(place, roles, list_files(place), [*unread_archives(place), *more])
    return roles


def _with_pixels(entry: cache.Entry, folder: PictureFolder, pictured: PicturedRoles, size: int | None) -> cache.Entry:
    """The tables with the pixels of each row's pictures in place of their numbers."""
    frames = {role: entry.frames[role] for role in ("train", "test")}
    rows = [numbers_of(cell) for frame in frames.values() for cell in frame[PICTURES]]
    pixels = decode_pictures(folder, rows, aligned=pictured.aligned, size=size)
    start, found = 0, dict(entry.frames)
    for role, frame in frames.items():
        places = np.arange(start, start + len(frame))
        start += len(frame)
        kept = ~pixels.broken[places] if role == "train" else np.ones(len(places), dtype=bool)
        table = frame.drop(columns=PICTURES)[kept].reset_index(drop=True)
        found[role] = pd.concat([table, pixels.frame(places[kept])], axis=1)
    hashes = {**entry.hashes, "pictures": folder.digest()}
    return replace(entry, frames=found, hashes=hashes, notes=(*entry.notes, *pixels.notes, *folder.notes))


def _around(location: Location, files: Sequence[SourceFile]) -> tuple[list[SourceFile], str]:
    """The files beside a table that the user passed as data; the table alone if they include no train and test."""
    beside = [file for file in files if file.depth == 0]
    found = assign_roles(location.path, beside).files
    if {"train", "test"} <= set(found) and any(location.file == file.path for file in found.values()):
        return beside, f"--data names the file {location.file}: kpipe reads its folder, {location.path}."
    return [file for file in beside if file.path == location.file], ""


def _offers(roles: Roles, entry: cache.Entry) -> list[str]:
    """Notes on further files with train's columns, which the user may want to train on."""
    columns = set(entry.frames["train"].columns)
    notes = []
    for file in roles.others:
        if file.name != roles.files["train"].name and columns <= set(header_of(file)):
            notes.append(
                f"{file.name} has the columns of train.csv, and is not read. To train on its rows too (without "
                f"validating on them): --extra {file.path}."
            )
    return notes


def _read_cached(roles: Roles, key: str, read: Callable[[Roles], cache.Entry]) -> cache.Entry:
    """Return the tables and hashes, from the cache if it has them."""
    entry = cache.get(cache.cache_folder(), key)
    if entry is None:
        entry = read(roles)
        pa.default_memory_pool().release_unused()  # frees the text of the files, often many megabytes
        cache.put(cache.cache_folder(), key, entry)
    return entry


def _cache_key(place: Path, roles: Roles, pictures: str = "", **options: object) -> str:
    """Return a hash of the bytes that are read (of the zip, or of each file) and of the options for reading them.

    The digest of pictures stands for the bytes of a zip, which may be many.
    """
    files = [*roles.files.values(), *_all_parts(roles), *roles.extra]
    digests = [pictures] if pictures else []
    if place.is_file() and not pictures:
        with open(place, "rb") as opened:
            digests = [hashlib.file_digest(opened, "sha256").hexdigest()]
    if place.is_dir() or pictures or roles.extra or any(file.outside for file in files):
        digests += [hashlib.sha256(file.read()).hexdigest() for file in files]
    names = sorted((role, file.path) for role, file in roles.files.items())
    names += [("part", file.path) for file in _all_parts(roles)] + [("extra", file.path) for file in roles.extra]
    return hashlib.sha256(repr((digests, names, sorted(options.items()))).encode()).hexdigest()[:32]


def _all_parts(roles: Roles) -> list[SourceFile]:
    return [part for parts in roles.parts.values() for part in parts]


@contextmanager
def open_text(location: Location, choice: FileChoice) -> Iterator[tuple[dict[str, CsvFile], PictureFolder | None]]:
    """Open a competition's tables as text: the cells as they are in the files.

    Parameters
    ----------
    location : Location
        Where the files are.
    choice : FileChoice
        The files that the user names.

    Yields
    ------
    files : dict of str to CsvFile
        "train", "test" and "sample", with the rows of the frames that ``load`` returns. Those of pictures have the
        column ``kpipe.data.picture_tables.COLUMN`` instead of the pixels.
    pictures : PictureFolder or None
        The pictures that this column refers to; they can be read inside the ``with`` block.

    Raises
    ------
    DataError
        A file is missing or broken.
    """
    with _open_roles(location, choice) as (roles, pictures):
        yield _read_text(roles, targets=choice.targets)[0].files, pictures


@contextmanager
def _open_roles(location: Location, choice: FileChoice) -> Iterator[tuple[Roles, PictureFolder | None]]:
    """The files of each role, and the pictures that they refer to, if any."""
    roles = _roles(location, choice)
    with nullcontext() if location.file else open_pictures(location.path) as folder:
        pictured = None if folder is None else _roles_with_pictures(location.path, roles, folder)
        found = _complete(location.path, roles) if pictured is None else pictured.roles
        yield found, None if pictured is None else folder


def hash_files(slug: str, path: str | Path | None = None, *, choice: FileChoice = FileChoice()) -> Source:
    """Find and hash a competition's files as ``load`` does, without reading their tables or asking Kaggle.

    Parameters
    ----------
    slug : str
        The competition's name on Kaggle.
    path : str or Path, optional
        A folder, Kaggle's zip, a table, or "sample"; without it see ``kpipe.data.locate.locate``.
    choice : FileChoice
        The files that the user names.

    Returns
    -------
    Source
        Its ``files`` are those of the tables that ``load`` returns.

    Raises
    ------
    DataError
        A file is missing or broken.
    """
    location = locate(slug, path)
    with _open_roles(location, choice) as (roles, pictures):
        hashes = {name: hashlib.sha256(raw).hexdigest() for name, raw in _read_raw(roles)}
        if pictures is not None:
            hashes["pictures"] = pictures.digest()
    return Source(origin=location.origin, path=location.path / location.file, files=hashes)


def _read_raw(roles: Roles) -> list[tuple[str, bytes]]:
    """The name and bytes of each file, those of the roles first; files with the same name are named by their paths."""
    files = [*roles.files.values(), *_all_parts(roles), *roles.extra]
    count = Counter(file.name for file in files)
    return [(file.name if count[file.name] == 1 else file.path, file.read()) for file in files]


def _read_text(roles: Roles, *, targets: Sequence[str]) -> tuple[Assembled, dict[str, CsvFile], dict[str, str]]:
    """The assembled tables, the files of each role, and the hashes of all files by name."""
    names, raws = zip(*_read_raw(roles), strict=True)
    hashes = {name: hashlib.sha256(raw).hexdigest() for name, raw in zip(names, raws, strict=True)}
    parsed = [tidy(file) for file in parse_tables(names, raws)]
    for file in parsed:
        if file.rows == 0:
            raise DataError(
                f"{file.name} has no rows, only a header. Check that the file is complete.",
                code="empty-table",
                file=file.name,
            )
    further = iter(parsed[len(roles.files) :])
    parts = {role: [next(further) for _ in those] for role, those in roles.parts.items()}
    by_role = {
        role: join_parts(role, [table, *parts.get(role, ())]) for role, table in zip(roles.files, parsed, strict=False)
    }
    return assemble(by_role, list(further), targets=targets), by_role, hashes


def _read(roles: Roles, *, text: Sequence[str], id: str | None, targets: Sequence[str]) -> cache.Entry:
    assembled, by_role, hashes = _read_text(roles, targets=targets)
    notes: list[str] = []
    ids = id_columns(assembled.files, id)
    frames = to_frames(assembled.files, ids=ids, text=text, on_note=notes.append)
    check_ids(assembled.files, frames, ids, extra=assembled.extra)
    frames, more = spread_pixels(frames)
    notes += more
    if len(notes) > _MAX_NOTES:
        notes[_MAX_NOTES:] = [f"Cells of {len(notes) - _MAX_NOTES:,} more columns are read as missing, too."]
    encoding = _encoding_of_submission(by_role)
    return cache.Entry(frames, hashes, (*assembled.notes, *notes), encoding, assembled.extra)


def _encoding_of_submission(files: Mapping[str, CsvFile]) -> str:
    """The sample's encoding; that of train if it is a legacy encoding and the sample is ASCII."""
    sample, train = files.get("sample"), files["train"]
    plain = sample is None or (sample.encoding == UTF8 and sample.content.isascii())
    if plain and not train.encoding.startswith("utf"):
        return train.encoding
    return UTF8 if sample is None else sample.encoding
