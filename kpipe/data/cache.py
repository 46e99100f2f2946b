"""A cache of tables as Arrow files, written atomically under a hash of the bytes that they were read from."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import platformdirs
import pyarrow as pa
import pyarrow.feather

__all__ = ["VERSION", "Entry", "cache_folder", "get", "put"]

VERSION = 11  # of the entries; increase it when dtypes or the layout change

# What reading a damaged file raises.
_UNREADABLE = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
    MemoryError,
    pa.ArrowException,
)

_LOG = logging.getLogger("kpipe")


@dataclass(frozen=True)
class Entry:
    """The tables read from a competition's files.

    Attributes
    ----------
    frames : mapping of str to DataFrame
        Role → frame.
    hashes : mapping of str to str
        Base name → sha256 in hex of each file.
    notes : tuple of str
        Sentences for the user about how the files were read.
    encoding : str
        Encoding of the sample submission.
    extra : int
        Number of rows at the end of train that come from further training files.
    """

    frames: Mapping[str, pd.DataFrame]
    hashes: Mapping[str, str]
    notes: tuple[str, ...] = ()
    encoding: str = "utf-8"
    extra: int = 0


def cache_folder() -> Path:
    """The folder for files that kpipe can recreate: ``KPIPE_CACHE``, or the system's cache folder.

    Returns
    -------
    Path
    """
    return Path(os.environ.get("KPIPE_CACHE") or platformdirs.user_cache_dir("kpipe"))


def get(home: Path, key: str) -> Entry | None:
    """Return a cached entry, or None if there is none; a damaged entry is deleted.

    Parameters
    ----------
    home : Path
        The cache's folder.
    key : str
        The entry's name.

    Returns
    -------
    Entry or None
    """
    folder = _folder(home, key)
    if not folder.is_dir():
        return None
    try:
        manifest = _read_manifest(folder)
        content = {name: _read_verified(folder / name, digest) for name, digest in manifest["sha256"].items()}
        frames = {role: _frame(content, role, columns) for role, columns in manifest["columns"].items()}
        facts = manifest["facts"]
        return Entry(frames, manifest["files"], tuple(facts["notes"]), facts["encoding"], facts["extra"])
    except _UNREADABLE as error:
        _LOG.info("the cache entry %s is damaged and is recreated: %s", folder, error)
        shutil.rmtree(folder, ignore_errors=True)
        return None


def put(home: Path, key: str, entry: Entry) -> None:
    """Write an entry. If the cache cannot be written, this is logged and not an error.

    Parameters
    ----------
    home : Path
        The cache's folder.
    key : str
        The entry's name.
    entry : Entry
    """
    folder = _folder(home, key)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{key}.", dir=folder.parent))
    except OSError as error:
        _LOG.info("the cache %s cannot be written: %s", home, error)
        return
    try:
        digests = {name: _write(part / name, data) for name, data in _contents(entry.frames)}
        columns = {role: list(frame.columns) for role, frame in entry.frames.items()}
        facts = {"notes": entry.notes, "encoding": entry.encoding, "extra": entry.extra}
        content = {"columns": columns, "files": dict(entry.hashes), "sha256": digests, "facts": facts}
        manifest = json.dumps(content)
        signed = {"manifest": manifest, "sha256": hashlib.sha256(manifest.encode()).hexdigest()}
        _write(part / "manifest.json", json.dumps(signed).encode())
        with contextlib.suppress(OSError):  # another process has just written the same entry
            os.rename(part, folder)
    except (OSError, pa.ArrowException) as error:
        _LOG.info("the cache %s cannot be written: %s", home, error)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _folder(home: Path, key: str) -> Path:
    return home / "tables" / f"{VERSION}-{key}"


def _contents(frames: Mapping[str, pd.DataFrame]) -> Iterator[tuple[str, bytes]]:
    """File names and bytes: pixels as one array, which is the fastest to read; other columns as Arrow."""
    for role, frame in frames.items():
        pixels = frame.columns[frame.dtypes == np.uint8]
        if len(pixels):
            block = io.BytesIO()
            np.save(block, frame[pixels].to_numpy(dtype=np.uint8), allow_pickle=False)
            yield f"{role}.npy", block.getvalue()
            yield f"{role}.json", json.dumps(list(pixels)).encode()
        table = io.BytesIO()
        rest = frame.drop(columns=pixels) if len(pixels) else frame  # without pixels no copy
        pa.feather.write_feather(rest, table, compression="lz4")
        yield f"{role}.arrow", table.getvalue()


def _write(path: Path, content: bytes) -> str:
    """Write a file to disk, and return its sha256."""
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return hashlib.sha256(content).hexdigest()


def _read_manifest(folder: Path) -> Any:
    """The entry's contents and the sha256 of each file; its own sha256 detects a damaged manifest."""
    signed = json.loads((folder / "manifest.json").read_bytes())
    if hashlib.sha256(signed["manifest"].encode()).hexdigest() != signed["sha256"]:
        raise ValueError("manifest.json is damaged")
    return json.loads(signed["manifest"])


def _read_verified(path: Path, digest: str) -> bytes:
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError(f"{path.name} is damaged")
    return content


def _frame(content: Mapping[str, bytes], role: str, columns: list[str]) -> pd.DataFrame:
    rest = pa.feather.read_feather(pa.BufferReader(content[f"{role}.arrow"]))
    if f"{role}.npy" not in content:
        return rest[columns]
    block = np.load(io.BytesIO(content[f"{role}.npy"]), allow_pickle=False)
    pixels = pd.DataFrame(block, columns=json.loads(content[f"{role}.json"]))
    return pd.concat([rest, pixels], axis=1)[columns]
