"""The CSV files in a folder or a zip. They are read into memory; nothing is unpacked to disk."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kpipe.data.archives import list_members, read_member, unpack
from kpipe.errors import DataError

__all__ = ["SourceFile", "list_files"]

_CSV = re.compile(r"\.csv(\.gz|\.zip)?$", re.IGNORECASE)
_PACKED = re.compile(r"\.(gz|zip)$", re.IGNORECASE)


@dataclass(frozen=True)
class SourceFile:
    """A CSV file in a folder or a zip.

    Attributes
    ----------
    path : str
        Where it lies in the folder or zip, such as ``deep/train.csv.gz``.
    read_packed : callable
        Reads its bytes, which may be packed.
    """

    path: str
    read_packed: Callable[[], bytes]

    @property
    def name(self) -> str:
        """Base name of the CSV: ``train.csv``, also where it is packed."""
        return _PACKED.sub("", self._base)

    @property
    def stem(self) -> str:
        """Base name without endings: ``train``."""
        return _CSV.sub("", self._base)

    @property
    def depth(self) -> int:
        """Number of folders that it lies in."""
        return self.path.count("/")

    @property
    def _base(self) -> str:
        return self.path.rsplit("/", 1)[-1]

    def read(self) -> bytes:
        """The CSV's own bytes, unpacked.

        Returns
        -------
        bytes

        Raises
        ------
        DataError
            The file cannot be read, or is damaged.
        """
        return unpack(self._base, self.read_packed(), wanted=_is_csv)


def list_files(place: Path) -> list[SourceFile]:
    """Every CSV file of a folder or zip, at any depth, except hidden ones.

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
        The zip is not one, or damaged.
    """
    if place.is_dir():
        paths = {path.relative_to(place).as_posix(): path for path in place.rglob("*") if path.is_file()}
        found = [SourceFile(inside, partial(_read_from_disk, path)) for inside, path in paths.items()]
    else:
        found = [SourceFile(member.filename, partial(read_member, place, member)) for member in list_members(place)]
    return sorted((file for file in found if _is_csv(file.path)), key=lambda file: (file.depth, file.path))


def _is_csv(path: str) -> bool:
    """Whether a path is that of a CSV file that is not hidden."""
    parts = path.split("/")
    return _CSV.search(parts[-1]) is not None and not any(part.startswith((".", "__MACOSX")) for part in parts)


def _read_from_disk(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
