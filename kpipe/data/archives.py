"""Unpack archives (zip, gzip, bzip2, xz) in memory, with limits on size and compression ratio."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import IO

from kpipe.errors import DataError

__all__ = [
    "ARCHIVE_ERRORS",
    "Unpacked",
    "is_bomb",
    "list_inner_members",
    "list_members",
    "open_packed",
    "read_member",
    "unpack",
]

# What zipfile, gzip and their decompressors raise for damaged files; not all of it is documented.
ARCHIVE_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,
    OverflowError,
    struct.error,
)

Unpacked = gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile
# Ending of a packed file → what opens it.
_STREAMS: dict[str, Callable[[IO[bytes]], Unpacked]] = {
    ".gz": lambda raw: gzip.GzipFile(fileobj=raw, mode="rb"),
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
}
_MAX_BYTES = 64 << 30  # of one unpacked file; tables of the largest competitions have about 10 GiB
_CHUNK = 1 << 20  # bytes unpacked at a time
_BOMB_BYTES, _BOMB_RATIO = 256 << 20, 500  # deflate compresses at most 1,032 times
_ENCRYPTED = 1  # bit of a member's flags


def is_bomb(unpacked: int, packed: int) -> bool:
    """Whether an archive unpacks to suspiciously many bytes.

    Parameters
    ----------
    unpacked, packed : int
        Bytes after and before unpacking.

    Returns
    -------
    bool
        True above 256 MiB if that is also more than 500 times the packed size, as tables never are.

    Examples
    --------
    >>> is_bomb(1 << 30, 1 << 20), is_bomb(1 << 30, 1 << 29)
    (True, False)
    """
    return unpacked > max(_BOMB_BYTES, _BOMB_RATIO * packed)


def open_packed(raw: IO[bytes], ending: str) -> Unpacked:
    """Open a stream that gzip, bzip2 or xz has packed.

    Parameters
    ----------
    raw : file
        Open for reading.
    ending : str
        ``.gz``, ``.bz2`` or ``.xz``.

    Returns
    -------
    file
        The unpacked bytes; reading them raises one of ``ARCHIVE_ERRORS`` if they are damaged.
    """
    return _STREAMS[ending](raw)


def list_inner_members(raw: bytes) -> list[zipfile.ZipInfo]:
    """Files and folders of a zip inside a folder or zip.

    Parameters
    ----------
    raw : bytes
        Content of the zip.

    Returns
    -------
    list of zipfile.ZipInfo
        Empty if it is not a zip or is damaged.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            return archive.infolist()
    except ARCHIVE_ERRORS:
        return []


def list_members(place: Path) -> list[zipfile.ZipInfo]:
    """Files and folders of a zip.

    Parameters
    ----------
    place : Path
        The zip.

    Returns
    -------
    list of zipfile.ZipInfo

    Raises
    ------
    DataError
        It is not a zip or is damaged.
    """
    try:
        with zipfile.ZipFile(place) as archive:
            return archive.infolist()
    except OSError as error:
        raise DataError(
            f"{place} cannot be read: {error.strerror}. Check its permissions.", code="unreadable-file", file=str(place)
        ) from error
    except ARCHIVE_ERRORS as error:
        with open(place, "rb") as file:
            start = file.read(16)
        if start.startswith(b"PK") or not start:
            raise DataError(
                f"{place} is a damaged zip archive: it is empty or truncated. Download it again.",
                code="broken-archive",
                file=str(place),
            ) from error
        raise DataError(
            f"{place} is not a zip archive: it starts with {start!r}. Pass Kaggle's zip or a folder with --data.",
            code="broken-archive",
            file=str(place),
        ) from error


def read_member(
    place: Path, member: zipfile.ZipInfo, most: int | None = None, *, archive: bytes | None = None
) -> bytes:
    """Bytes of a file in a zip.

    Parameters
    ----------
    place : Path
        The zip.
    member : zipfile.ZipInfo
        One of ``list_members(place)``.
    most : int, optional
        The largest number of bytes to read.
    archive : bytes, optional
        The zip's content, if it is itself inside a zip; ``place`` is then its name for messages.

    Returns
    -------
    bytes

    Raises
    ------
    DataError
        The file is encrypted, damaged, or a zip bomb.
    """
    name = f"{place}: {member.filename}"
    if member.flag_bits & _ENCRYPTED:
        raise DataError(
            f"{name} is encrypted. Unpack it, and pass the folder with --data.", code="broken-archive", file=name
        )
    try:
        source = place if archive is None else io.BytesIO(archive)
        with zipfile.ZipFile(source) as opened, opened.open(member) as stream:
            if most is not None:
                return stream.read(most)
            return _read_bounded(stream.read, name, packed=member.compress_size)
    except ARCHIVE_ERRORS as error:
        raise DataError(f"{name} is broken: {error}. Download it again.", code="broken-archive", file=name) from error


def unpack(name: str, raw: bytes, *, wanted: Callable[[str], bool]) -> bytes:
    """A file's bytes, unpacked if its name ends in ``.gz``, ``.bz2``, ``.xz`` or ``.zip``.

    Parameters
    ----------
    name : str
        Base name of the file.
    raw : bytes
        Its content.
    wanted : callable
        Given a path in the inner zip, returns whether that file is wanted.

    Returns
    -------
    bytes

    Raises
    ------
    DataError
        The file is damaged, a zip bomb, or a zip that does not hold exactly one wanted file.
    """
    ending = PurePath(name).suffix.lower()
    if ending not in (*_STREAMS, ".zip"):
        return raw
    try:
        if ending in _STREAMS:
            with _STREAMS[ending](io.BytesIO(raw)) as stream:
                return _read_bounded(stream.read, name, packed=len(raw))
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            inside = [member for member in archive.infolist() if wanted(member.filename)]
            if len(inside) != 1:
                raise DataError(
                    f"{name} must hold one table; got {[member.filename for member in inside]}.",
                    code="broken-archive",
                    file=name,
                )
            with archive.open(inside[0]) as member:
                return _read_bounded(member.read, name, packed=inside[0].compress_size)
    except ARCHIVE_ERRORS as error:
        raise DataError(f"{name} is broken: {error}. Download it again.", code="broken-archive", file=name) from error


def _read_bounded(read: Callable[[int], bytes], name: str, *, packed: int) -> bytes:
    """All bytes of a stream. Raises DataError if there are too many, whatever size the archive declares."""
    content = io.BytesIO()  # joining a list of chunks would hold the bytes twice
    while part := read(_CHUNK):
        content.write(part)
        if content.tell() > _MAX_BYTES:
            raise DataError(
                f"{name} unpacks to more than {_MAX_BYTES} bytes, more than kpipe reads.",
                code="archive-bomb",
                file=name,
            )
        if is_bomb(content.tell(), packed):
            raise DataError(
                f"{name} unpacks to more than {_BOMB_RATIO} times its {packed} bytes: it may be a zip bomb. "
                "If you trust it, unpack it and pass the folder with --data.",
                code="archive-bomb",
                file=name,
            )
    return content.getvalue()
