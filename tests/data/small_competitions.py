"""Folders and zips of small competitions, for tests of where files are and how they are unpacked."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from kpipe.core.values import Tables

FILES = {
    "train.csv": b"id,x,name,y\n1,0.5,a,0\n2,,b,1\n3,2.5,a,0\n",
    "test.csv": b"id,x,name\n4,1.5,c\n5,,a\n",
    "sample_submission.csv": b"id,y\n4,0\n5,0\n",
}


Make = Callable[[Path, dict[str, bytes]], Path]


def folder(path: Path, files: dict[str, bytes] | None = None) -> Path:
    """A folder of files."""
    for name, content in (FILES if files is None else files).items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def zipped(path: Path, files: dict[str, bytes] | None = None) -> Path:
    """A zip of files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (FILES if files is None else files).items():
            member = zipfile.ZipInfo(name)  # with a fixed date: hypothesis needs the same bytes each time
            archive.writestr(member, content, zipfile.ZIP_DEFLATED)
    return path


def inner_zip(content: bytes, name: str = "train.csv") -> bytes:
    """The bytes of a zip of one file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def without(name: str, **more: bytes) -> dict[str, bytes]:
    """FILES without one, and with further ones: a dot in a name is written as two underscores."""
    files = {key: content for key, content in FILES.items() if key != name}
    return files | {key.replace("__", "."): content for key, content in more.items()}


def assert_same(a: Tables, b: Tables) -> None:
    for name in ("train", "test", "sample"):
        pd.testing.assert_frame_equal(getattr(a, name), getattr(b, name))


def zipped_members(path: Path, members: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> Path:
    """A zip of files of which several may have the same name."""
    with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of repeated names
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return path
