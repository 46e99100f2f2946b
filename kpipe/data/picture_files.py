"""Find and read the pictures in a folder or a zip, or in zips and tars inside it, by their file extensions."""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import tarfile
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np

from kpipe.core.wording import listed
from kpipe.data.archives import ARCHIVE_ERRORS, Unpacked, is_bomb, list_members, open_packed
from kpipe.data.files import is_hidden, is_table
from kpipe.errors import DataError

__all__ = ["Picture", "PictureFolder", "open_pictures"]

_PICTURE = re.compile(r"\.(jpe?g|png|webp|bmp|gif|tiff?|npy)$", re.IGNORECASE)
_TAR = re.compile(r"\.(tar|tgz|tar\.(gz|bz2|xz))$", re.IGNORECASE)
_LARGEST = 512 << 20  # bytes of one picture's file
_IN_MEMORY = 256 << 20  # bytes of an archive inside a zip that are kept in memory; a larger one is copied to disk
_MAX_STACKS = 4  # .npy files without other pictures beside them, each of which is an array of many pictures


@dataclass(frozen=True)
class Picture:
    """A picture's file.

    Attributes
    ----------
    path : str
        Its path in the folder or zip; a zip inside counts as a folder: ``train/cat.0.jpg``.
    mark : str
        Changes when the file changes: its size, and its checksum or time.
    """

    path: str
    mark: str

    @property
    def name(self) -> str:
        """Base name: ``cat.0.jpg``."""
        return self.path.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """Base name without its ending: ``cat.0``."""
        return _PICTURE.sub("", self.name)

    @property
    def folders(self) -> tuple[str, ...]:
        """Names of the folders above it, the outermost first."""
        return tuple(self.path.split("/")[:-1])


@dataclass
class PictureFolder:
    """The pictures of a folder or zip, which can be read as long as it is open.

    Attributes
    ----------
    place : Path
    pictures : list of Picture
        Sorted by path.
    outside : list of str
        Paths in archives that lead out of them; these files are not read.
    """

    place: Path
    pictures: list[Picture] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    _members: dict[str, tuple[zipfile.ZipFile, zipfile.ZipInfo]] = field(default_factory=dict)
    _ranges: dict[str, tuple[IO[bytes], int, int]] = field(default_factory=dict)  # of tars: (file, start, bytes)
    _layers: dict[str, np.ndarray] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, picture: Picture) -> bytes:
        """Return the bytes of a picture's file. Several threads may call it.

        Parameters
        ----------
        picture : Picture

        Returns
        -------
        bytes

        Raises
        ------
        DataError
            It cannot be read, or is larger than 512 MiB.
        """
        if picture.path in self._layers:
            return _as_npy(self._layers[picture.path])
        try:
            if picture.path in self._ranges:
                stream, start, size = self._ranges[picture.path]
                with self._lock:
                    stream.seek(start)
                    content = stream.read(min(size, _LARGEST + 1))
            elif picture.path not in self._members:
                with open(self.place / picture.path, "rb") as file:
                    content = file.read(_LARGEST + 1)
            else:
                archive, member = self._members[picture.path]
                with self._lock, archive.open(member) as stream:
                    content = stream.read(_LARGEST + 1)
        except ARCHIVE_ERRORS as error:
            raise DataError(
                f"{picture.path} cannot be read: {error}.", code="broken-pictures", file=str(picture.path)
            ) from error
        if len(content) > _LARGEST:
            raise DataError(
                f"{picture.path} is larger than {_LARGEST >> 20} MiB.", code="broken-pictures", file=str(picture.path)
            )
        return content

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the user about the archives."""
        if not self.outside:
            return ()
        return (
            f"Paths that point outside the archive are ignored ({len(self.outside):,}): "
            f"{listed(self.outside, most=3)}.",
        )

    def digest(self) -> str:
        """Hash the names and marks of all pictures; the hash changes when one of them does.

        Returns
        -------
        str
            64 hexadecimal digits.
        """
        return hashlib.sha256("\n".join(f"{each.path}\t{each.mark}" for each in self.pictures).encode()).hexdigest()


@contextmanager
def open_pictures(place: Path) -> Iterator[PictureFolder]:
    """Open a folder or zip to read its pictures.

    Parameters
    ----------
    place : Path

    Yields
    ------
    PictureFolder
        Hidden files are ignored. Archives inside are opened only if there are no pictures beside them.

    Raises
    ------
    DataError
        The zip is damaged or not a zip.
    """
    with ExitStack() as stack:
        found = PictureFolder(place)
        if place.is_dir():
            _add_files(found)
            if not found.pictures:
                _add_archives_of_folder(found, stack)
        else:
            list_members(place)  # says what is wrong with a broken zip
            outer = _open(stack, place)
            _add_members(found, outer, "")
            if outer is not None and not found.pictures:
                _add_archives_of_zip(found, stack, outer)
        _open_stacks(found)
        found.pictures.sort(key=lambda picture: picture.path)
        yield found


def _open_stacks(found: PictureFolder) -> None:
    """Replace arrays of pictures, such as train_images.npy, by their pictures: train_images/0.npy."""
    stacks = [picture for picture in found.pictures if picture.name.lower().endswith(".npy")]
    if not stacks or len(stacks) > _MAX_STACKS or len(stacks) < len(found.pictures):
        return
    for stack in stacks:
        found.pictures.remove(stack)
        try:
            values = np.load(io.BytesIO(found.read(stack)), allow_pickle=False)
        except (DataError, ValueError, EOFError, OSError):
            continue
        if values.ndim in (3, 4) and values.dtype.kind in "buif":
            for number, layer in enumerate(values):
                path = f"{stack.path[: -len('.npy')]}/{number}.npy"
                found.pictures.append(Picture(path, stack.mark))
                found._layers[path] = layer


def _as_npy(values: np.ndarray) -> bytes:
    made = io.BytesIO()
    np.save(made, values, allow_pickle=False)
    return made.getvalue()


def _may_hold_pictures(path: str) -> bool:
    """Whether a file is a zip or tar that is not a compressed table (train.csv.zip), which may be large."""
    packed = path.lower().endswith(".zip") or _TAR.search(path) is not None
    return packed and not is_hidden(path) and not is_table(path)


def _add_archives_of_folder(found: PictureFolder, stack: ExitStack) -> None:
    for path in sorted(found.place.rglob("*")):
        inside = path.relative_to(found.place).as_posix()
        if _may_hold_pictures(inside) and path.is_file():
            stat = path.stat()
            _add_archive(found, stack, path, inside, f"{stat.st_size} {stat.st_mtime_ns}")


def _add_archives_of_zip(found: PictureFolder, stack: ExitStack, outer: zipfile.ZipFile) -> None:
    for member in filter(lambda each: _may_hold_pictures(each.filename), outer.infolist()):
        copy = _temporary(stack)
        with contextlib.suppress(*ARCHIVE_ERRORS), outer.open(member) as stream:
            if _copy(stream, copy, packed=member.compress_size):
                _add_archive(found, stack, copy, member.filename, f"{member.file_size} {member.CRC}")


def _add_archive(found: PictureFolder, stack: ExitStack, source: Path | IO[bytes], path: str, mark: str) -> None:
    """Add the pictures of a zip or tar at this path; those of a damaged one are reported where they are missed."""
    if _TAR.search(path) is None:
        _add_members(found, _open(stack, source), path[: -len(".zip")])
        return
    with contextlib.suppress(*ARCHIVE_ERRORS, tarfile.TarError):
        packed = stack.enter_context(source.open("rb")) if isinstance(source, Path) else source
        _add_tar(found, _unpack(stack, packed, path), _TAR.sub("", path), mark)


def _unpack(stack: ExitStack, packed: IO[bytes], path: str) -> IO[bytes]:
    """A tar that can be read at any place: a compressed one is unpacked into a temporary file."""
    ending = path.lower().rpartition(".")[2]
    if ending == "tar":
        return packed
    size = packed.seek(0, io.SEEK_END)
    packed.seek(0)
    copy = _temporary(stack)
    with open_packed(packed, ".gz" if ending == "tgz" else f".{ending}") as stream:
        if not _copy(stream, copy, packed=size):
            raise EOFError
    return copy


def _temporary(stack: ExitStack) -> IO[bytes]:
    return stack.enter_context(tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY))


def _open(stack: ExitStack, source: Path | IO[bytes]) -> zipfile.ZipFile | None:
    """An open zip; None if it is damaged, which is reported where its tables are read."""
    try:
        return stack.enter_context(zipfile.ZipFile(source))
    except ARCHIVE_ERRORS:
        return None


def _copy(stream: IO[bytes] | Unpacked, target: IO[bytes], *, packed: int) -> bool:
    """Unpack an archive inside an archive; False if it is a bomb."""
    while part := stream.read(1 << 20):
        target.write(part)
        if is_bomb(target.tell(), packed):
            return False
    target.seek(0)
    return True


def _add_files(found: PictureFolder) -> None:
    for path in found.place.rglob("*"):
        inside = path.relative_to(found.place).as_posix()
        if _PICTURE.search(inside) and not is_hidden(inside) and path.is_file():
            stat = path.stat()
            found.pictures.append(Picture(inside, f"{stat.st_size} {stat.st_mtime_ns}"))


def _add_members(found: PictureFolder, archive: zipfile.ZipFile | None, folder: str) -> None:
    """Add the pictures of a zip. ``train.zip`` that holds ``train/1.jpg`` counts as one folder."""
    for member in () if archive is None else archive.infolist():
        if archive is not None and (inside := _path_inside(found, member.filename, folder)):
            found.pictures.append(Picture(inside, f"{member.file_size} {member.CRC}"))
            found._members[inside] = (archive, member)


def _add_tar(found: PictureFolder, stream: IO[bytes], folder: str, mark: str) -> None:
    """Add the pictures of a tar, as ``_add_members`` does."""
    with tarfile.open(fileobj=stream, mode="r:") as archive:
        for member in archive:
            if member.isreg() and (inside := _path_inside(found, member.name, folder)):
                found.pictures.append(Picture(inside, f"{member.size} {mark}"))
                found._ranges[inside] = (stream, member.offset_data, member.size)


def _path_inside(found: PictureFolder, path: str, folder: str) -> str:
    """The path of a picture of an archive at ``folder``; "" for other files, and for paths that leave it."""
    path = path.removeprefix("./")
    if not _PICTURE.search(path) or is_hidden(path.lstrip("./")):
        return ""
    if path.startswith("/") or ".." in path.split("/"):
        found.outside.append(path)
        return ""
    base = folder.rpartition("/")[2]
    return path if not folder or path.startswith(f"{base}/") else f"{folder}/{path}"
