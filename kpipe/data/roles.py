"""Which file is train, which is test, and which is the sample submission."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from kpipe.data.files import SourceFile
from kpipe.errors import DataError

__all__ = ["assign_roles"]


def _named(stem: str) -> Callable[[Sequence[SourceFile]], list[SourceFile]]:
    return lambda files: [file for file in files if file.stem.lower() == stem]


def _sample_submissions(files: Sequence[SourceFile]) -> list[SourceFile]:
    """``sample_submission.csv``, ``sampleSubmission.csv``, or else the only file with "submission" in its name."""
    exact = [file for file in files if file.stem.lower().replace("_", "") == "samplesubmission"]
    likely = [file for file in files if "submission" in file.stem.lower()]
    return exact or (likely if len(likely) == 1 else [])


# Role → what it is called in messages, and the files that may have it.
_ROLES: dict[str, tuple[str, Callable[[Sequence[SourceFile]], list[SourceFile]]]] = {
    "train": ("train.csv", _named("train")),
    "test": ("test.csv", _named("test")),
    "sample": ("a sample submission", _sample_submissions),
}


def assign_roles(place: Path, files: Sequence[SourceFile]) -> dict[str, SourceFile]:
    """The files that are train, test and the sample submission.

    Parameters
    ----------
    place : Path
        The folder or zip, for messages.
    files : sequence of SourceFile
        Its CSV files, sorted by depth.

    Returns
    -------
    dict of role to SourceFile
        The roles are "train", "test" and "sample". Of files in several folders, the one in the topmost folder is taken;
        of a file and its packed copy in the same folder, the file.

    Raises
    ------
    DataError
        A role has no file, or several files at the same depth may have it.
    """
    found = {role: _topmost(place, label, candidates(files)) for role, (label, candidates) in _ROLES.items()}
    missing = [_ROLES[role][0] for role, file in found.items() if file is None]
    if missing:
        names = ", ".join(file.name for file in files) or "no CSV file"
        zips = sorted(place.glob("*.zip"))[:1] if place.is_dir() else []
        hint = f" To read the zip in this folder: --data {zips[0]}" if zips else ""
        raise DataError(f"{place} lacks {' and '.join(missing)}; it holds {names}.{hint}")
    return {role: file for role, file in found.items() if file is not None}


def _topmost(place: Path, label: str, candidates: Sequence[SourceFile]) -> SourceFile | None:
    """The candidate in the topmost folder, or None. Raises DataError if there are several: Kaggle may mean either."""
    top = [file for file in candidates if file.depth == candidates[0].depth]
    if len(top) > 1 and not _are_one_file(top):
        paths = ", ".join(file.path for file in top[:5])
        raise DataError(f"{place} holds {len(top)} files that may be {label}: {paths}. Keep only one of them.")
    return top[0] if top else None


def _are_one_file(files: Sequence[SourceFile]) -> bool:
    """Whether files are one, plain and packed: ``train.csv`` and ``train.csv.zip``."""
    folders_and_names = {(file.path.rpartition("/")[0], file.name) for file in files}
    return len(folders_and_names) == 1 and len({file.path for file in files}) == len(files)
