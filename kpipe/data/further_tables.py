"""Further tables of a competition, each read when it is first used."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pandas as pd

from kpipe.core.values import Tables
from kpipe.data.files import SourceFile, header_of
from kpipe.data.formats import parse_table
from kpipe.data.frames import to_frames
from kpipe.errors import DataError

__all__ = ["FurtherTables", "file_hashes"]


_LARGEST = 32 << 20  # bytes of a file whose header is read


class _Read(NamedTuple):
    frame: pd.DataFrame
    sha256: str


class FurtherTables(Mapping[str, pd.DataFrame]):
    """Further tables of a competition by file name without ending; each is read when it is first used.

    Parameters
    ----------
    files : mapping of str to SourceFile
        File name without ending → file.
    """

    def __init__(self, files: Mapping[str, SourceFile]) -> None:
        self._files = dict(files)
        self._read: dict[str, _Read] = {}

    @property
    def hashes(self) -> dict[str, str]:
        """Base name → sha256 in hex of each file that was read so far."""
        return {self._files[name].name: table.sha256 for name, table in self._read.items()}

    def was_read(self, name: str) -> bool:
        """Whether a table was read so far, and is therefore an input of the run.

        Parameters
        ----------
        name : str
            File name without ending.

        Returns
        -------
        bool
        """
        return name in self._read

    def header(self, name: str) -> list[str]:
        """Return the columns of a table, without reading it as an input of the run.

        Parameters
        ----------
        name : str
            File name without ending.

        Returns
        -------
        list of str
            Empty for files above 32 MB, and for those that cannot be read.
        """
        file = self._files[name]
        try:
            if len(file.read_packed(_LARGEST + 1)) > _LARGEST:
                return []
            return header_of(file) or parse_table(file.name, file.read()).header
        except DataError:
            return []

    def contents(self) -> dict[str, bytes]:
        """Return base name → bytes of each file that was read so far.

        Returns
        -------
        dict of str to bytes
        """
        return {self._files[name].name: self._files[name].read() for name in self._read}

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self._read:
            file = self._files[name]
            raw = file.read()
            frame = to_frames({"other": parse_table(file.name, raw)}, ids=(), text=())["other"]
            self._read[name] = _Read(frame, hashlib.sha256(raw).hexdigest())
        return self._read[name].frame

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def file_hashes(tables: Tables) -> dict[str, str]:
    """Hash the files that were read so far, including further tables: the inputs of a run.

    Parameters
    ----------
    tables : Tables
        A competition's tables.

    Returns
    -------
    dict of str to str
        Base name → sha256 in hex of the CSV's own bytes.
    """
    further = tables.others.hashes if isinstance(tables.others, FurtherTables) else {}
    return {**tables.source.files, **further}
