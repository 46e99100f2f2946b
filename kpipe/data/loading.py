"""Where a competition's files are, and the tables in them.

A folder, Kaggle's zip, a kernel's mount, the cache or the embedded sample → ``Tables``. Files are found by their base
name and read into memory: no path of an archive is ever written to.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pandas as pd
import platformdirs
import pyarrow as pa

from kpipe import competitions
from kpipe.core.values import Origin, Source, Tables
from kpipe.data import cache
from kpipe.data.csv_reader import CsvFile, parse_csv
from kpipe.data.frames import to_frames
from kpipe.errors import DataError, RemoteError

__all__ = ["KERNEL_INPUT", "Download", "Fetch", "OnDownload", "cache_folder", "load", "locate"]

# Where Kaggle mounts a competition's files in a kernel; a rehearsal of one may put its like elsewhere.
KERNEL_INPUT = Path(os.environ.get("KPIPE_KAGGLE_ROOT", "/kaggle")) / "input"

_ENDINGS = re.compile(r"\.csv(\.gz|\.zip)?$", re.IGNORECASE)
_MOST_BYTES = 64 << 30  # of one file unpacked; the largest competitions' tables have some 10 GiB
_ROW_IDS = 0.9  # of ids are different where they name rows; some copies among them are a fault of the file
_CHUNK = 1 << 20  # bytes unpacked at a time
_BOMB_BYTES, _BOMB_RATIO = 256 << 20, 500  # deflate's bound is 1,032 times
# What zipfile, gzip and their decompressors raise for broken files; some of it is documented nowhere.
_BROKEN = (
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


OnDownload = Callable[[int, int], None]


@dataclass(frozen=True)
class Download:
    """A competition's zip that was downloaded, and the name of the metric on Kaggle's page."""

    path: Path
    metric: str


class Fetch(Protocol):
    """Downloads a competition's zip; ``kpipe.kaggle.download.fetch_competition`` is one."""

    def __call__(self, slug: str, folder: Path, *, on_download: OnDownload) -> Download | None:
        """``folder/<slug>.zip``, downloaded unless it exists; None without credentials.

        Raises RemoteError where Kaggle does not give the files.
        """


@dataclass(frozen=True)
class _File:
    """A CSV that can be read: its name, without endings, where it lies in its place, and how to get its bytes."""

    stem: str
    name: str
    inside: str
    read: Callable[[], bytes]


def cache_folder() -> Path:
    """Where kpipe keeps what it can make again: ``KPIPE_CACHE``, or the system's place for caches."""
    return Path(os.environ.get("KPIPE_CACHE") or platformdirs.user_cache_dir("kpipe"))


def load(
    slug: str,
    path: str | Path | None = None,
    *,
    text: Sequence[str] = (),
    id: str | None = None,
    fetch: Fetch | None = None,
    on_download: OnDownload = lambda done, size: None,
) -> Tables:
    """A competition's tables, with their types settled.

    path : a folder, or Kaggle's zip, or "sample". Without it: ``KPIPE_DATA/<slug>``, a kernel's mounts, the cache of
        downloads, Kaggle if there are credentials, and last the embedded sample.
    text : columns to read as text although they look like numbers.
    id : the id column, where it is known.
    fetch : downloads from Kaggle; without it Kaggle is not asked.
    on_download : called with the number of bytes downloaded so far, and in all.
    Raises RemoteError where Kaggle is asked and does not give the files, and DataError for what is missing, broken or
    contradicts itself, with the file, the line and the column.
    """
    origin, place = locate(slug, path, fetch=fetch, on_download=on_download)
    files = _roles(place, list(_files(place)))
    key = _key(place, files, text=tuple(text), id=id)
    kept = None if origin == "sample" else cache.get(cache_folder(), key)
    if kept is None:
        kept = _read(files, text=text, id=id)
        pa.default_memory_pool().release_unused()  # the text of 70 million bytes is no longer needed
        if origin != "sample":
            cache.put(cache_folder(), key, *kept)
    frames, hashes = kept
    others = _Lazy({file.stem: file for file in _files(place) if file.name not in hashes}, hashes)
    source = Source(origin=origin, path=place, files=hashes, metric=_metric_of_page(place))
    return Tables(train=frames["train"], test=frames["test"], sample=frames["sample"], source=source, others=others)


def locate(
    slug: str,
    path: str | Path | None = None,
    *,
    fetch: Fetch | None = None,
    on_download: OnDownload = lambda done, size: None,
) -> tuple[Origin, Path]:
    """The kind of place that a competition's files are read from, and the place.

    Raises DataError if there is none, RemoteError where Kaggle is asked and does not give it.
    """
    sample = _embedded(slug)
    if str(path) == "sample" and sample is not None and not os.path.exists("sample"):
        return "sample", sample
    if path is not None:
        place = Path(path).expanduser()
        if not os.path.exists(place):  # Path.exists raises for a name that is too long
            here = "" if place.is_absolute() else f" in {Path.cwd()}"
            raise DataError(f"{place} does not exist{here}. --data takes a folder or Kaggle's zip.")
        return ("directory" if place.is_dir() else "zip"), place.resolve()
    tried = list(_places(slug))
    for origin, place in tried:
        if place.is_dir() or (place.is_file() and place.suffix == ".zip"):
            return ("zip" if origin == "directory" and place.is_file() else origin), place
    if fetch is not None and competitions.is_slug(slug):
        downloaded = _downloaded(slug, sample, fetch, on_download)
        if downloaded is not None:
            return "kaggle", downloaded
    if sample is not None:
        return "sample", sample
    beside = Path(f"{slug}.zip")
    if competitions.is_slug(slug) and beside.is_file():
        raise DataError(f"{beside} is in this folder, and is not taken unasked: add --data {beside}.")
    known = ", ".join(competitions.slugs())
    raise DataError(
        f"There is no data for {slug!r}, and no module with a sample of that name.{competitions.suggestion(slug)} "
        f"Competitions with a module: {known}. For any other, download its zip "
        f"(kaggle competitions download -c {slug}) and pass it with --data {slug}.zip, put it into a folder that "
        f"KPIPE_DATA names, or set up credentials (`kpipe doctor`), with which kpipe downloads it. "
        f"Looked for: {', '.join(str(place) for _, place in tried)}."
    )


def _places(slug: str) -> Iterator[tuple[Origin, Path]]:
    if home := os.environ.get("KPIPE_DATA"):
        folder = Path(home).expanduser()
        yield "directory", folder / slug
        yield "directory", folder / f"{slug}.zip"
    yield "kernel", KERNEL_INPUT / "competitions" / slug
    yield "kernel", KERNEL_INPUT / slug
    yield "cache", cache_folder() / "downloads" / slug
    yield "cache", cache_folder() / "downloads" / f"{slug}.zip"


def _embedded(slug: str) -> Path | None:
    samples = (folder / "sample" for folder in competitions.folders(slug))  # a module of one's own may bring none
    return next((sample for sample in samples if sample.is_dir()), None)


def _downloaded(slug: str, sample: Path | None, fetch: Fetch, on_download: OnDownload) -> Path | None:
    try:
        download = fetch(slug, cache_folder() / "downloads", on_download=on_download)
    except RemoteError as error:
        instead = " To train on the embedded sample: --data sample." if sample is not None else ""
        raise RemoteError(f"{error}{instead}") from error
    if download is None:
        return None
    _beside(download.path).write_text(download.metric, encoding="utf-8")
    return download.path


def _beside(path: Path) -> Path:
    """Where the name of the metric is kept that Kaggle's page gave when a zip was downloaded."""
    return path.with_suffix(".metric.txt")


def _metric_of_page(place: Path) -> str:
    kept = _beside(place)
    return kept.read_text(encoding="utf-8", errors="replace")[:200].strip() if kept.is_file() else ""


# --- files of a folder or zip


def _files(place: Path) -> Iterator[_File]:
    """Every CSV of a place, at any depth, but for hidden ones; the shallowest first, in a folder as in a zip."""
    if place.is_dir():
        inside = {path.relative_to(place).as_posix(): path for path in place.rglob("*") if path.is_file()}
        for relative in sorted(filter(_wanted, inside), key=_depth):
            path = inside[relative]
            yield _file(relative, lambda path=path: _from_disk(path))  # type: ignore[misc]  # bound early
        return
    for member in sorted(_members(place), key=lambda member: _depth(member.filename)):
        yield _file(member.filename, lambda member=member: _from_zip(place, member))  # type: ignore[misc]  # bound early


def _wanted(relative: str) -> bool:
    parts = relative.split("/")
    return _ENDINGS.search(parts[-1]) is not None and not any(part.startswith((".", "__MACOSX")) for part in parts)


def _depth(relative: str) -> tuple[int, str]:
    return relative.count("/"), relative


def _file(inside: str, read: Callable[[], bytes]) -> _File:
    name = inside.rsplit("/", 1)[-1]
    plain = re.sub(r"\.(gz|zip)$", "", name, flags=re.IGNORECASE)
    return _File(stem=_ENDINGS.sub("", name), name=plain, inside=inside, read=lambda: _unpacked(name, read()))


def _members(place: Path) -> list[zipfile.ZipInfo]:
    if place.stat().st_size == 0:
        raise DataError(f"{place} is empty. Download it again.")
    try:
        with zipfile.ZipFile(place) as archive:
            return [member for member in archive.infolist() if _wanted(member.filename)]
    except OSError as error:
        raise DataError(f"{place} cannot be read: {error.strerror}. Download it again.") from error
    except _BROKEN as error:
        with open(place, "rb") as file:
            start = file.read(16)
        cut = (
            " It starts like one, so it is probably cut short."
            if start.startswith(b"PK")
            else f" It starts with {start!r}."
        )
        raise DataError(f"{place} is not a zip archive that can be read.{cut} Download it again.") from error


def _from_zip(place: Path, member: zipfile.ZipInfo) -> bytes:
    if member.flag_bits & 1:
        raise DataError(f"{place}: {member.filename} is encrypted. Unpack it, and pass the folder with --data.")
    try:
        with zipfile.ZipFile(place) as archive, archive.open(member) as stream:
            return _all(stream.read, f"{place}: {member.filename}", packed=member.compress_size)
    except _BROKEN as error:
        raise DataError(f"{place}: {member.filename} is broken: {error}. Download it again.") from error


def _all(read: Callable[[int], bytes], name: str, *, packed: int) -> bytes:
    """All bytes of a stream. Raises DataError where there are too many, whatever size was declared."""
    content = io.BytesIO()  # unlike a list of chunks it never holds the bytes twice
    while part := read(_CHUNK):
        content.write(part)
        if content.tell() > _MOST_BYTES:
            raise DataError(f"{name} unpacks to more than {_MOST_BYTES} bytes, more than kpipe reads.")
        if content.tell() > max(_BOMB_BYTES, _BOMB_RATIO * packed):
            raise DataError(
                f"{name} unpacks to more than {_BOMB_RATIO} times its {packed} bytes, as tables do not. "
                "If you trust it, unpack it and pass the folder with --data."
            )
    return content.getvalue()


def _from_disk(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error


def _unpacked(name: str, raw: bytes) -> bytes:
    """The CSV's own bytes, from inside a gzip or an inner zip."""
    if not name.lower().endswith((".gz", ".zip")):
        return raw
    try:
        if name.lower().endswith(".gz"):
            with gzip.GzipFile(fileobj=io.BytesIO(raw)) as stream:
                return _all(stream.read, name, packed=len(raw))
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            inside = [member for member in archive.infolist() if _wanted(member.filename)]
            if len(inside) != 1:
                raise DataError(f"{name} must hold one CSV, however: {[member.filename for member in inside]}.")
            with archive.open(inside[0]) as member:
                return _all(member.read, name, packed=inside[0].compress_size)
    except _BROKEN as error:
        raise DataError(f"{name} is broken: {error}. Download it again.") from error


def _roles(place: Path, files: Sequence[_File]) -> dict[str, _File]:
    """Which files are train, test and the sample submission. Raises DataError saying what there is instead."""
    found = {
        "train": _only(place, [file for file in files if file.stem.lower() == "train"]),
        "test": _only(place, [file for file in files if file.stem.lower() == "test"]),
        "sample": _only(place, _samples(files)),
    }
    missing = [
        {"sample": "a sample submission"}.get(role, f"{role}.csv") for role, file in found.items() if file is None
    ]
    if missing:
        there = ", ".join(file.name for file in files) or "no CSV at all"
        packed = sorted(place.glob("*.zip"))[:1] if place.is_dir() else []
        hint = f" Kaggle's zip is given by its own name: --data {packed[0]}" if packed else ""
        raise DataError(f"{place} lacks {' and '.join(missing)}; it holds {there}.{hint}")
    return {role: file for role, file in found.items() if file is not None}


def _only(place: Path, candidates: Sequence[_File]) -> _File | None:
    """The one that lies above the others; a packed copy beside a plain one is not looked at. None if there is none.

    Raises DataError where several lie as high: which of them Kaggle means cannot be known.
    """
    highest = [file for file in candidates if file.inside.count("/") == candidates[0].inside.count("/")]
    if len(highest) > 1 and not (len({file.inside for file in highest}) == len(highest) and _packed_alike(highest)):
        there = ", ".join(file.inside for file in highest[:5])
        raise DataError(f"{place} holds {len(highest)} files where one is expected: {there}. Leave one of them.")
    return highest[0] if highest else None


def _packed_alike(files: Sequence[_File]) -> bool:
    """Whether files are one in several packings: train.csv and train.csv.zip."""
    return len({file.inside.rpartition("/")[0] + "/" + file.name for file in files}) == 1


def _samples(files: Sequence[_File]) -> Sequence[_File]:
    """``sample_submission.csv``, ``sampleSubmission.csv``, or else the only file with "submission" in its name."""
    called = [file for file in files if file.stem.lower().replace("_", "") == "samplesubmission"]
    likely = [file for file in files if "submission" in file.stem.lower()]
    return called or (likely if len(likely) == 1 else [])


# --- reading, by way of the cache


def _key(place: Path, files: Mapping[str, _File], **options: object) -> str:
    """A name for the bytes that are read and how: of the zip's own bytes, or of each file's."""
    if place.is_file():
        with open(place, "rb") as file:
            digests = [hashlib.file_digest(file, "sha256").hexdigest()]
    else:
        digests = [hashlib.sha256(file.read()).hexdigest() for file in files.values()]
    names = sorted((role, file.name) for role, file in files.items())
    return hashlib.sha256(repr((digests, names, sorted(options.items()))).encode()).hexdigest()[:32]


def _read(
    files: Mapping[str, _File], *, text: Sequence[str], id: str | None
) -> tuple[dict[str, pd.DataFrame], dict[str, str]]:
    parsed, hashes = {}, {}
    for role, file in files.items():
        raw = file.read()
        hashes[file.name] = hashlib.sha256(raw).hexdigest()
        parsed[role] = parse_csv(file.name, raw)
        if parsed[role].rows == 0:
            raise DataError(f"{file.name} has no rows, only a header.")
    ids = _ids(parsed, id)
    frames = to_frames(parsed, ids=ids, text=text)
    for role, frame in frames.items():
        for name in ids:
            if name in frame.columns and not (role == "train" and _names_things(frame[name])):
                _check_unique(parsed[role], frame[name])
    return frames, hashes


def _ids(parsed: Mapping[str, CsvFile], id: str | None) -> list[str]:
    """The id column as given; or what the sample shares with test, rather what is unique; or what train lacks too."""
    if id is not None:
        return [id]
    sample, test, train = (parsed[role].header for role in ("sample", "test", "train"))
    shared = [name for name in sample if name in test]
    keys = [name for name in shared if len(parsed["sample"].columns[name].unique()) == parsed["sample"].rows]
    return (keys or shared)[:1] or [name for name in sample if name not in train][:1]


def _names_things(ids: pd.Series) -> bool:
    """Whether train's ids are those of things with several rows each (customers), and not of rows."""
    return len(ids) > 20 and ids.nunique() < _ROW_IDS * len(ids)


def _check_unique(file: CsvFile, ids: pd.Series) -> None:
    repeated = ids[ids.duplicated()]
    if len(repeated):
        first = int((ids == repeated.iloc[0]).to_numpy().argmax())
        lines = f"lines {file.line(first)} and {file.line(int(repeated.index[0]))}"
        raise DataError(
            f"{file.name}: the {ids.name} {repeated.iloc[0]} stands twice ({lines}); {len(repeated)} rows repeat "
            "an id. Remove the copies, or name another column with --id."
        )


class _Lazy(Mapping[str, pd.DataFrame]):
    """Further tables, by name; each is read when it is first asked for, and its sha256 noted among the others'.

    hashes : those of the source, which a run's key, record and resuming go by: what ``clean`` reads is in it, before
        the run is named; what nobody asks for may change.
    """

    def __init__(self, files: Mapping[str, _File], hashes: dict[str, str]) -> None:
        self._files, self._hashes = files, hashes
        self._read: dict[str, pd.DataFrame] = {}

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self._read:
            file = self._files[name]
            raw = file.read()
            self._read[name] = to_frames({"other": parse_csv(file.name, raw)}, ids=(), text=())["other"]
            self._hashes[file.name] = hashlib.sha256(raw).hexdigest()
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)
