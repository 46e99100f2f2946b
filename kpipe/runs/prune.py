"""Prune runs that are no longer needed."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kpipe.errors import OutputError
from kpipe.runs.comparable import group_runs, rank
from kpipe.runs.find import UNFINISHED, find_runs
from kpipe.runs.fits import FITS
from kpipe.runs.ledger import SUBMITTED, read_ledger
from kpipe.runs.locks import try_lock
from kpipe.runs.run import Run
from kpipe.runs.unfinished import find_unfinished

__all__ = ["Removable", "find_removable", "remove"]


@dataclass(frozen=True, kw_only=True)
class Removable:
    """A folder that the rules allow to remove.

    Parameters
    ----------
    path : Path
        The folder.
    why : str
        The rule that allows it, a phrase.
    size : int
        Bytes that its removal frees.
    """

    path: Path
    why: str
    size: int


def find_removable(out: Path, slug: str = "*", *, keep: int | None = None) -> list[Removable]:
    """The folders that may be removed: unfinished runs that are idle, stored fits and, with ``keep``, finished runs.

    Neither a submitted run nor the latest run of a competition is ever among them.

    Parameters
    ----------
    out : Path
        The folder that runs are written to.
    slug : str
        A competition, or "*" for all.
    keep : int, optional
        Finished runs to keep: this many of the best for each metric, target, set of files and vault, since other
        scores do not compare. None keeps all.

    Returns
    -------
    list of Removable

    Raises
    ------
    UsageError
        If the slug cannot be a competition's.
    """
    found = [
        Removable(path=run.path, why=f"unfinished, {run.fits} fits kept", size=_size(run.path))
        for run in find_unfinished(out, slug)
        if not run.is_running
    ]
    if slug == "*" and (out / FITS).is_dir() and not (out / FITS).is_symlink():
        found.append(Removable(path=out / FITS, why="fits that later runs could reuse", size=_size(out / FITS)))
    return found if keep is None else [*found, *_surplus(find_runs(out, slug)[0], out, keep)]


def _surplus(runs: Sequence[Run], out: Path, keep: int) -> Iterator[Removable]:
    """Finished runs, oldest first in ``runs``, that are neither among the best nor submitted nor the latest."""
    by_slug: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_slug[run.record["slug"]].append(run)
    kept = {runs[-1].path for runs in by_slug.values()}
    kept |= {run.path for group in group_runs(runs) for run in sorted(group.runs, key=rank)[:keep]}
    for slug, runs in by_slug.items():
        submitted = {entry.run_id for entry in read_ledger(out, slug)}
        for run in runs:
            if run.path not in kept and run.record["run_id"] not in submitted and not (run.path / SUBMITTED).exists():
                why = f"not among the best {keep}, not submitted, not the latest"
                yield Removable(path=run.path, why=why, size=_size(run.path))


def remove(folders: Sequence[Removable]) -> list[Path]:
    """Remove folders, and return those that are left because a run resumed them after they were listed.

    Parameters
    ----------
    folders : sequence of Removable
        What ``find_removable`` gave.

    Returns
    -------
    list of Path
        The folders that were left.

    Raises
    ------
    OutputError
        If a folder cannot be removed.
    """
    left = []
    for folder in folders:
        try:
            if not _try_remove(folder.path):
                left.append(folder.path)
        except OSError as error:
            raise OutputError(
                f"{folder.path} cannot be removed: {error.strerror or error}.", code="cannot-write"
            ) from error
    return left


def _try_remove(folder: Path) -> bool:
    """Remove a folder and return True; False if a run works there."""
    if not folder.name.startswith(UNFINISHED):
        shutil.rmtree(folder)
        return True
    with try_lock(folder) as acquired:
        if acquired and folder.exists():  # otherwise its run has finished in the meantime
            shutil.rmtree(folder)
        return acquired


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
