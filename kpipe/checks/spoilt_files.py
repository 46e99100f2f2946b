"""An altered copy of the training file that replaces the file for one process.

A module that reads the file by itself, by whatever means, then predicts otherwise. On Linux the copy is mounted over
the file, in a mount namespace of that process alone; elsewhere only the path that the tables name leads to the copy.
"""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from kpipe.core.values import Source

__all__ = ["spoil", "with_mounts"]

_MAX_BYTES = 20_000_000  # of a file that is copied: the digits' 77 MB take half a minute
_MOUNT = 'while [ "$1" != -- ]; do mount --bind "$1" "$2" || exit 97; shift 2; done; shift; exec "$@"'


def spoil(source: Source, folder: Path) -> tuple[Path, Mapping[Path, Path]]:
    """A copy of a source with an altered training file.

    Parameters
    ----------
    source : Source
    folder : Path
        An empty one for the copy.

    Returns
    -------
    path : Path
        In the place of ``source.path``; the same path if no file can be spoilt.
    copies : mapping of Path to Path
        File to its spoilt copy.
    """
    path, names = source.path.absolute(), {name for name in source.files if "train" in name.lower()}
    if source.origin == "sample" or not path.exists():
        return source.path, {}
    if path.is_file():
        copy = folder / path.name
        return (
            (copy, {path: copy}) if path.stat().st_size < _MAX_BYTES and _spoil_zip(path, copy, names) else (path, {})
        )
    copies = dict(_spoil_folder(path, folder, names))
    return (folder, copies) if copies else (path, {})


def _spoil_folder(path: Path, folder: Path, names: set[str]) -> Iterator[tuple[Path, Path]]:
    for file in path.iterdir():
        copy = folder / file.name
        if file.name in names and file.suffix == ".csv" and file.stat().st_size < _MAX_BYTES:
            copy.write_bytes(_spoil_rows(file.read_bytes()))
            yield file, copy
        else:
            copy.symlink_to(file)


def _spoil_zip(path: Path, copy: Path, names: set[str]) -> bool:
    """Write a copy of a zip, and return whether it has a training file that could be spoilt."""
    if not zipfile.is_zipfile(path):
        return False
    found = False
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w") as new:
        for member in old.infolist():
            content = old.read(member)
            if Path(member.filename).name in names and member.filename.endswith(".csv"):
                content, found = _spoil_rows(content), True
            new.writestr(member.filename, content)
    return found


def _spoil_rows(content: bytes) -> bytes:
    r"""The same header; below it, each column but the first, which may be the id, moved by another number of rows.

    >>> _spoil_rows(b"a,b\n1,x\n2,y\n")
    b'a,b\n1,y\n2,x\n'
    """
    header, _, rest = content.partition(b"\n")
    lines = rest.splitlines()
    if len(lines) < 2 or b'"' in header:
        return content
    separator = max((b",", b";", b"\t"), key=header.count)
    cells = [_split(line, separator) for line in lines]
    whole = [row for row in cells if len(row) == header.count(separator) + 1]
    columns = [list(column) for column in zip(*whole, strict=True)]
    for number, column in enumerate(columns[1:]):
        by = int(np.random.default_rng(number).integers(1, len(column)))
        column[:] = column[by:] + column[:by]
    return b"\n".join([header, *map(separator.join, zip(*columns, strict=True)), b""])


def _split(line: bytes, separator: bytes) -> list[bytes]:
    """The cells of a line; what is within quotes is one cell."""
    if b'"' not in line:
        return line.split(separator)
    cells, within = [b""], False
    for part in line.split(separator):
        cells[-1] = cells[-1] + separator + part if within else part
        within ^= part.count(b'"') % 2 == 1
        if not within:
            cells.append(b"")
    return cells[:-1]


def with_mounts(copies: Mapping[Path, Path], command: Sequence[str]) -> list[str]:
    """A command that runs another one with the copies mounted over their originals; the same one if it cannot.

    Parameters
    ----------
    copies : mapping of Path to Path
        File to the copy that is to be seen in its place.
    command : sequence of str

    Returns
    -------
    list of str
    """
    if not copies or not _can_mount():
        return list(command)
    pairs = [str(path) for original, copy in copies.items() for path in (copy, original)]
    return ["unshare", "--map-root-user", "--mount", "sh", "-c", _MOUNT, "sh", *pairs, "--", *command]


@cache
def _can_mount() -> bool:
    """Whether this system lets a process mount files for itself alone."""
    if not all(map(shutil.which, ("unshare", "mount", "sh"))):
        return False
    tried = ["unshare", "--map-root-user", "--mount", "sh", "-c", "mount --bind /dev/null /dev/null"]
    return subprocess.run(tried, capture_output=True, check=False, timeout=20).returncode == 0
