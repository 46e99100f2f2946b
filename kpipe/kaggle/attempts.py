"""Attempts to submit a file: noted before it is sent, so that it is not sent twice after a kill or a lost response.

A note is ``<out>/<slug>/.attempt-<hash of the file>.json``. It is deleted once the outcome is known.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from kpipe.errors import OutputError
from kpipe.kaggle.responses import Submission
from kpipe.runs.files import cannot_write, write_file
from kpipe.runs.find import competition_folder
from kpipe.runs.json_types import check_types
from kpipe.runs.ledger import Entry, read_entry

__all__ = ["Attempt", "find_attempt", "one_at_a_time", "read_attempts", "write_attempt"]

_LOCK_SECONDS = 600.0  # how long to wait for another process that submits a file


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A submission that was begun.

    Attributes
    ----------
    path : Path
        The note.
    entry : Entry
        The entry that the ledger gets if Kaggle accepted the submission; its ``ref`` is not known yet.
    known : frozenset of int
        Kaggle's numbers of the submissions that were made before.
    """

    path: Path
    entry: Entry
    known: frozenset[int]

    def age(self) -> float:
        """Seconds since the submission was begun.

        Returns
        -------
        float
            0 if the clock was set back since.
        """
        try:
            return max(0.0, time.time() - self.path.stat().st_mtime)
        except OSError:
            return 0.0


def write_attempt(out: Path, entry: Entry, known: frozenset[int]) -> Attempt:
    """Note a submission that is about to be made.

    Parameters
    ----------
    out : Path
        The folder of all runs.
    entry : Entry
        The submission, without its number.
    known : frozenset of int
        Kaggle's numbers of the submissions that were made before.

    Returns
    -------
    Attempt
        The attempt, as ``read_attempts`` finds it.

    Raises
    ------
    OutputError
        If the note cannot be written: then nothing may be sent.
    """
    path = _path(out, entry)
    write_file(path, json.dumps({"known": sorted(known), "entry": asdict(entry)}).encode())
    return Attempt(path=path, entry=entry, known=known)


def read_attempts(out: Path, slug: str) -> list[Attempt]:
    """The attempts whose outcome is not known.

    Parameters
    ----------
    out : Path
        The folder of all runs.
    slug : str
        The competition.

    Returns
    -------
    list of Attempt
        Notes that cannot be read are left out.
    """
    found = []
    for path in sorted(competition_folder(out, slug).glob(".attempt-*.json")):
        with contextlib.suppress(OSError, ValueError, TypeError, LookupError, RecursionError):
            note = json.loads(path.read_text(encoding="utf-8"))
            check_types(note, {"known": [int]}, "it")
            entry = read_entry(note["entry"])
            if entry.slug == slug:
                found.append(Attempt(path=path, entry=entry, known=frozenset(note["known"])))
    return found


def find_attempt(one: Submission, attempts: Sequence[Attempt]) -> Attempt | None:
    """The attempt that made a submission.

    Parameters
    ----------
    one : Submission
        As Kaggle lists it.
    attempts : sequence of Attempt
        Those whose outcome is not known.

    Returns
    -------
    Attempt or None
    """
    fitting = (
        attempt
        for attempt in attempts
        if one.ref not in attempt.known and one.is_of(attempt.entry.message, attempt.entry.file)
    )
    return next(fitting, None)


@contextlib.contextmanager
def one_at_a_time(out: Path, slug: str) -> Iterator[None]:
    """Wait until no other process of this machine submits to a competition, and keep others waiting meanwhile.

    Parameters
    ----------
    out : Path
        The folder of all runs.
    slug : str
        The competition.

    Raises
    ------
    OutputError
        If the folder cannot be written, or another process does not finish.
    """
    folder = competition_folder(out, slug)
    lock = FileLock(folder / ".submit.lock", timeout=_LOCK_SECONDS)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise OutputError(
            f"Another process has been submitting to {slug} for {_LOCK_SECONDS / 60:.0f} minutes. "
            "Wait for it or stop it, then try again.",
            code="cannot-write",
        ) from None
    except OSError as error:  # check_ledger_writable has already refused a file system without locks
        raise cannot_write(folder, error) from error
    try:
        yield
    finally:
        lock.release()


def _path(out: Path, entry: Entry) -> Path:
    return competition_folder(out, entry.slug) / f".attempt-{entry.sha256[:16]}.json"
