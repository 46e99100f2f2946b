"""List the tables in a folder or a zip. They are read into memory; nothing is unpacked to disk."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kpipe.data.archives import list_inner_members, list_members, read_member, unpack
from kpipe.data.csv_reader import parse_csv
from kpipe.data.formats import FORMATS, sheet_as_csv, sheet_names
from kpipe.errors import DataError

__all__ = [
    "SourceFile",
    "header_of",
    "is_hidden",
    "is_table",
    "list_files",
    "list_json",
    "list_names",
    "open_workbooks",
    "open_zips",
    "source_file",
    "unpacking_command",
    "unread_archives",
]

_ENDINGS = "|".join(map(re.escape, FORMATS))
_TABLE = re.compile(rf"({_ENDINGS})(\.(gz|bz2|xz|zip))?$", re.IGNORECASE)
# Text files are tables only if their names say so, unlike readme.txt and data_description.txt.
_TEXT = re.compile(
    r"(?:.*[^a-z])?(?:train|test|sample|submission)[^/]*\.(txt|dat|data)(\.(gz|bz2|xz|zip))?$", re.IGNORECASE
)
_START = 64 << 10  # bytes from which the header of a text file is read
_PACKED = re.compile(r"\.(gz|bz2|xz|zip)$", re.IGNORECASE)
_ENDING = re.compile(r"\.[a-z0-9]+$", re.IGNORECASE)
_METADATA = re.compile(r"(metadata|schema|config|manifest|settings)\.json$", re.IGNORECASE)  # JSON that is not a table
# Archives that kpipe does not open, and the commands that unpack them.
_UNPACK = {
    ".7z": "7z x {name} (apt install p7zip-full)",
    ".rar": "unrar x {name}",
    ".zst": "zstd -d {name}",
    ".tar": "tar -xf {name}",
    ".tar.gz": "tar -xf {name}",
    ".tgz": "tar -xf {name}",
    ".tar.bz2": "tar -xf {name}",
    ".tar.xz": "tar -xf {name}",
}


@dataclass(frozen=True)
class SourceFile:
    """A table in a folder or a zip.

    Attributes
    ----------
    path : str
        Its path in the folder or zip, such as ``deep/train.csv.gz``.
    read_packed : callable
        Returns its bytes, still compressed; given a number, at most that many.
    outside : bool
        Whether it is elsewhere on disk, because the user gave its path.
    archive : str
        Path of the zip within the folder or zip that holds it; empty for other files.
    """

    path: str
    read_packed: Callable[..., bytes]
    outside: bool = False
    archive: str = ""

    @property
    def name(self) -> str:
        """Base name of the table: ``train.csv``, also if it is compressed."""
        return _PACKED.sub("", self._base)

    @property
    def stem(self) -> str:
        """Base name without endings: ``train``."""
        return _ENDING.sub("", self.name)

    @property
    def depth(self) -> int:
        """Number of folders above it."""
        return self.path.count("/")

    @property
    def _base(self) -> str:
        return self.path.rsplit("/", 1)[-1]

    def read(self) -> bytes:
        """Return the table's bytes, decompressed.

        Returns
        -------
        bytes

        Raises
        ------
        DataError
            The file cannot be read, or is damaged.
        """
        return unpack(self._base, self.read_packed(), wanted=is_table)

    def read_start(self) -> bytes:
        """Return the first lines, about 64 KiB, of a text file that is not compressed; b"" for other files.

        Returns
        -------
        bytes

        Raises
        ------
        DataError
            The file cannot be read, or is damaged.
        """
        if self.name != self._base or not self.name.lower().endswith((".csv", ".tsv", ".tab", ".psv")):
            return b""
        start = self.read_packed(_START)
        return start[: start.rfind(b"\n") + 1] if len(start) == _START else start


def header_of(file: SourceFile) -> list[str]:
    """Return the column names of a text file that is not compressed.

    Parameters
    ----------
    file : SourceFile

    Returns
    -------
    list of str
        Empty for other files, and for those that cannot be read.
    """
    try:
        start = file.read_start()
        return parse_csv(file.name, start).header if start else []
    except DataError:
        return []


def list_files(place: Path) -> list[SourceFile]:
    """List the tables of a folder or zip at any depth, except hidden ones.

    Parameters
    ----------
    place : Path
        The folder or zip.

    Returns
    -------
    list of SourceFile
        Sorted by depth, then by path.

    Raises
    ------
    DataError
        The zip is damaged or not a zip.
    """
    return _sort(file for file in _all_files(place) if is_table(file.path))


def list_json(place: Path) -> list[SourceFile]:
    """List the JSON files of a folder or zip at any depth, tables or not, except hidden ones.

    Parameters
    ----------
    place : Path

    Returns
    -------
    list of SourceFile
        Sorted by depth, then by path.

    Raises
    ------
    DataError
        The zip is damaged or not a zip.
    """
    return _sort(file for file in _all_files(place) if file.path.lower().endswith(".json") and not is_hidden(file.path))


def list_names(place: Path) -> list[str]:
    """List the paths of all files of a folder or zip, except hidden ones.

    Parameters
    ----------
    place : Path

    Returns
    -------
    list of str
        Sorted.

    Raises
    ------
    DataError
        The zip is damaged or not a zip.
    """
    return sorted(file.path for file in _all_files(place) if not is_hidden(file.path))


def open_zips(place: Path) -> list[SourceFile]:
    """List the tables of a folder or zip and of the zips in it. In their paths, a zip does not count as a folder.

    Parameters
    ----------
    place : Path
        The folder or zip.

    Returns
    -------
    list of SourceFile
        Sorted by depth, then by path.

    Raises
    ------
    DataError
        A zip is encrypted or a zip bomb.
    """
    found: list[SourceFile] = []
    for file in _all_files(place):
        if is_table(file.path):
            found.append(file)
        elif file.path.lower().endswith(".zip") and not is_hidden(file.path):
            found += _inside(file, levels=2)
    return _sort(found)


def open_workbooks(files: Sequence[SourceFile]) -> list[SourceFile]:
    """Replace Excel workbooks of several sheets by their sheets, as tables ``data.xlsx/train.csv``.

    Parameters
    ----------
    files : sequence of SourceFile

    Returns
    -------
    list of SourceFile
        Other files unchanged; sorted by depth, then by path.

    Raises
    ------
    DataError
        A file cannot be read.
    """
    found: list[SourceFile] = []
    for file in files:
        sheets = sheet_names(file.read()) if file.name.lower().endswith((".xlsx", ".xlsm")) else []
        several = sheets if len(sheets) > 1 else []
        found += [SourceFile(f"{file.path}/{name}.csv", partial(_read_sheet, file, name)) for name in several]
        found += [] if several else [file]
    return _sort(found)


def is_table(path: str) -> bool:
    """Whether a path is, by its name, a table that is not hidden.

    Parameters
    ----------
    path : str

    Returns
    -------
    bool

    Examples
    --------
    >>> is_table("deep/train.csv.gz"), is_table("readme.txt"), is_table("train.txt")
    (True, False, True)
    """
    name = path.rsplit("/", 1)[-1]
    named = _TABLE.search(name) is not None or _TEXT.match(name) is not None
    return named and not is_hidden(path) and not _METADATA.search(_PACKED.sub("", name))


def source_file(path: Path) -> SourceFile:
    """Return a file on disk, at a path that the user gave.

    Parameters
    ----------
    path : Path

    Returns
    -------
    SourceFile
    """
    return SourceFile(path.name, partial(_read_from_disk, path), outside=True)


def unread_archives(place: Path) -> list[str]:
    """Return sentences about archives that kpipe cannot open, with the commands that unpack them.

    Parameters
    ----------
    place : Path
        The folder or zip.

    Returns
    -------
    list of str
    """
    files = [file for file in _all_files(place) if not is_hidden(file.path)]
    commands = {file.path: unpacking_command(file.path) for file in files}
    found = [f"kpipe cannot open {path}; unpack it: {command}." for path, command in commands.items() if command]
    zips = [file for file in files if file.path.lower().endswith(".zip") and not is_table(file.path)]
    return found + [
        f"{file.path} is not a complete zip archive." for file in zips if not list_inner_members(file.read_packed())
    ]


def unpacking_command(path: str) -> str:
    """The command that unpacks an archive that kpipe cannot open.

    Parameters
    ----------
    path : str

    Returns
    -------
    str
        "" for every other file.

    Examples
    --------
    >>> unpacking_command("train.tar.gz")
    'tar -xf train.tar.gz'
    """
    ending = max((end for end in _UNPACK if path.lower().endswith(end)), key=len, default=None)
    return "" if ending is None else _UNPACK[ending].format(name=path)


def _all_files(place: Path) -> list[SourceFile]:
    if place.is_dir():
        paths = {path.relative_to(place).as_posix(): path for path in place.rglob("*") if path.is_file()}
        return [SourceFile(inside, partial(_read_from_disk, path)) for inside, path in paths.items()]
    return [SourceFile(member.filename, partial(read_member, place, member)) for member in list_members(place)]


def _inside(zip: SourceFile, *, levels: int) -> Iterator[SourceFile]:
    """The tables of a zip in a folder or zip, and of the zips in it, down to ``levels`` zips deep."""
    raw = zip.read_packed()
    folder = zip.path.rpartition("/")[0]
    for member in list_inner_members(raw):
        path = "/".join(filter(None, (folder, member.filename)))
        file = SourceFile(path, partial(_read_inner, zip, member), archive=zip.path)
        if is_table(member.filename):
            yield file
        elif levels > 1 and member.filename.lower().endswith(".zip") and not is_hidden(member.filename):
            yield from _inside(file, levels=levels - 1)


def _read_inner(zip: SourceFile, member: zipfile.ZipInfo, most: int | None = None) -> bytes:
    return read_member(Path(zip.path), member, archive=zip.read_packed(), most=most)


def _read_sheet(workbook: SourceFile, sheet: str, most: int | None = None) -> bytes:
    return sheet_as_csv(workbook.name, workbook.read(), sheet)[:most]


def _sort(files: Iterator[SourceFile] | Sequence[SourceFile]) -> list[SourceFile]:
    return sorted(files, key=lambda file: (file.depth, file.path, file.archive))


def is_hidden(path: str) -> bool:
    """Whether a path is hidden or belongs to files such as ``__MACOSX`` that operating systems create.

    Parameters
    ----------
    path : str
        In a folder or zip.

    Returns
    -------
    bool
    """
    return any(part.startswith((".", "__MACOSX", "~$")) for part in path.split("/"))


def _read_from_disk(path: Path, most: int | None = None) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read() if most is None else file.read(most)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.", code="unreadable-file", file=str(path)) from error
